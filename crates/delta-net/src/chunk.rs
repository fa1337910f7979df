//! One chunk of one head, by products of matrices.

use camelid_kernels::{Backend, Rows};

use crate::head::OfHead;
use crate::triangle::{Fading, Triangles, solve};

/// The results of a chunk, `[tokens, value_dim]`; the state goes on to its end.
///
/// With c the running sum of g, from before the chunk on.
pub(crate) fn forward(
    own: &OfHead,
    [key_dim, value_dim]: [usize; 2],
    state: &mut [f32],
    out: &mut [f32],
    backend: &Backend,
) {
    let count = own.rate.len();
    let fading = Fading::of(&own.decay, count);
    let Triangles { among_keys, of_queries } = Triangles::of(own, &fading, key_dim, backend);
    let from_start: Vec<f32> = fading.factors(|at, feature| fading.at(at, feature), backend);
    let each = from_start.len() / count;
    let faded = |x: &[f32], factors: &[f32]| scaled(x, factors, key_dim, each);
    let keys = faded(&own.keys, &from_start);
    let queries = faded(&own.queries, &from_start);

    // Uᵀ `[value_dim, tokens]`: what each token puts in, from β (V − K Sᵀ) on.
    let [told] = backend.multiply(state, value_dim, [Rows::F32(&keys)]);
    let mut put_in = told;
    for (value, row) in put_in.chunks_exact_mut(count).enumerate() {
        for (token, told) in row.iter_mut().enumerate() {
            *told = own.rate[token] * (own.values[token * value_dim + value] - *told);
        }
    }
    solve(&among_keys, &mut put_in, count, backend);

    let [read] = backend.multiply(&queries, count, [Rows::F32(state)]);
    let [within] = backend.multiply(&of_queries, count, [Rows::F32(&put_in)]);
    out.iter_mut().zip(read.iter().zip(&within)).for_each(|(out, (read, within))| *out = read + within);

    let to_end: Vec<f32> =
        fading.factors(|at, feature| fading.at(count - 1, feature) - fading.at(at, feature), backend);
    let keys = transposed(&faded(&own.keys, &to_end), key_dim);
    let [added] = backend.multiply(&put_in, value_dim, [Rows::F32(&keys)]);
    let last = &from_start[(count - 1) * each..];
    for (row, added) in state.chunks_exact_mut(key_dim).zip(added.chunks_exact(key_dim)) {
        for (feature, (s, added)) in row.iter_mut().zip(added).enumerate() {
            *s = *s * last[feature % each] + added;
        }
    }
}

/// Rows of `size`, each times its own factor, or feature by feature.
fn scaled(x: &[f32], factors: &[f32], size: usize, each: usize) -> Vec<f32> {
    let rows = x.chunks_exact(size).zip(factors.chunks_exact(each));
    rows.flat_map(|(row, by)| row.iter().enumerate().map(move |(at, x)| x * by[at % each])).collect()
}

/// `[rows, size]` → `[size, rows]`.
fn transposed(x: &[f32], size: usize) -> Vec<f32> {
    let rows = x.len() / size;
    let mut out = vec![0.0; x.len()];
    for (at, row) in x.chunks_exact(size).enumerate() {
        row.iter().enumerate().for_each(|(feature, x)| out[feature * rows + at] = *x);
    }
    out
}
