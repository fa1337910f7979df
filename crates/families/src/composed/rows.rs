//! Work that is done row by row, shared among the threads.

use camelid_kernels::Backend;
use camelid_norm::Norm;
use ndarray::{Array2, ArrayViewMut2, ArrayViewMut3, Axis};

/// Elements of one part, about: with fewer, a thread would cost more than it saves.
const PART: usize = 16 << 10;

/// x ← norm(x), for each row of `[tokens, features]`.
pub(crate) fn normalise(norm: &Norm, x: &mut Array2<f32>, backend: &Backend) {
    let rows = in_part(x.ncols());
    let mut parts: Vec<_> = x.axis_chunks_iter_mut(Axis(0), rows).collect();
    backend.run_each(&mut parts, |_, part| norm.forward_in_place(part.view_mut()));
}

/// norm(x), for each row of `[tokens, features]`; x itself where there is no norm.
pub(crate) fn normalised(norm: Option<&Norm>, x: &Array2<f32>, backend: &Backend) -> Array2<f32> {
    let (shape, elements) = (x.raw_dim(), x.as_slice().expect("the stream is contiguous"));
    let size = in_part(x.ncols()) * x.ncols();
    let copy = backend.copy_chunks(elements, size.max(1), |_, rows| {
        if let Some(norm) = norm {
            let shape = (rows.len() / shape[1], shape[1]);
            norm.forward_in_place(ArrayViewMut2::from_shape(shape, rows).expect("whole rows"));
        }
    });
    Array2::from_shape_vec(shape, copy).expect("as many as before")
}

/// x ← alpha · x + b · y. Multiplying by 1 changes no bit.
pub(crate) fn combine(x: &mut Array2<f32>, alpha: f32, b: f32, y: &Array2<f32>, backend: &Backend) {
    let rows = in_part(x.ncols());
    let ys = y.axis_chunks_iter(Axis(0), rows);
    let mut parts: Vec<_> = x.axis_chunks_iter_mut(Axis(0), rows).zip(ys).collect();
    backend.run_each(&mut parts, |_, (x, y)| x.zip_mut_with(y, |x, y| *x = alpha * *x + b * y));
}

/// Edits some of the heads of x `[tokens, heads, head_dim]` at a time.
pub(crate) fn each_heads(
    x: ArrayViewMut3<'_, f32>,
    backend: &Backend,
    edit: impl Fn(ArrayViewMut3<'_, f32>) + Sync,
) {
    let (tokens, _, head_dim) = x.dim();
    let mut x = x;
    let mut parts: Vec<_> = x.axis_chunks_iter_mut(Axis(1), in_part(tokens * head_dim)).collect();
    backend.run_each(&mut parts, |_, part| edit(part.view_mut()));
}

/// How many items of so many elements make a part.
fn in_part(elements: usize) -> usize {
    (PART / elements.max(1)).max(1)
}
