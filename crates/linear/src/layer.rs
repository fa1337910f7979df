//! The layer, and several that share their input.

use camelid_kernels::{Backend, Meeting};
use ndarray::{Array2, ArrayView2};

use crate::Weight;

/// y = x Wᵀ + b
#[derive(Clone, Debug)]
pub struct Linear {
    /// W, `[out, in]`.
    pub weight: Weight,
    /// b, `[out]`, where the layer has one.
    pub bias: Option<Vec<f32>>,
}

impl Linear {
    /// y `[tokens, out]` of x `[tokens, in]`.
    ///
    /// # Panics
    /// Where x has not as many columns as the weight, or the bias not as many elements as the weight has rows.
    #[track_caller]
    pub fn forward(&self, x: ArrayView2<'_, f32>, backend: &Backend) -> Array2<f32> {
        let [y] = forward_all([self], x, backend);
        y
    }
}

/// Elements that one part of a parallel region adds a bias to; below it a region would cost more than it saves.
const PART: usize = 16 << 10;

/// Each layer's y of the same x, computed in one parallel region.
///
/// # Panics
/// As [`Linear::forward`].
#[track_caller]
pub fn forward_all<const N: usize>(
    layers: [&Linear; N],
    x: ArrayView2<'_, f32>,
    backend: &Backend,
) -> [Array2<f32>; N] {
    let tokens = x.nrows();
    layers.iter().for_each(|layer| layer.check(x));
    let x = x.as_standard_layout();
    let weights = layers.map(|layer| layer.weight.values());
    let results = backend.multiply(x.as_slice().expect("standard layout"), tokens, weights);
    let mut layers = layers.iter();
    results.map(|result| {
        let layer = layers.next().expect("as many results as layers");
        layer.result(tokens, result, backend)
    })
}

/// `combine(gate x, up x)`, element by element, computed in one parallel region: `combine` gets as many elements of the
/// one as of the other, and leaves what is to be kept in the first. It must treat each element alike.
///
/// # Panics
/// As [`Linear::forward`], and where the layers differ in rows.
#[track_caller]
pub fn forward_gated(
    [gate, up]: [&Linear; 2],
    x: ArrayView2<'_, f32>,
    backend: &Backend,
    combine: impl Fn(&mut [f32], &[f32]) + Sync,
) -> Array2<f32> {
    gate.check(x);
    up.check(x);
    let shape = (x.nrows(), gate.weight.rows());
    let weights = [gate.weight.values(), up.weight.values()];
    if x.ncols() == 0 {
        let [mut gate, up] = forward_all([gate, up], x, backend);
        combine(gate.as_slice_mut().expect("just made"), up.as_slice().expect("just made"));
        return gate;
    }
    let x = x.as_standard_layout();
    let result =
        backend.multiply_gated(x.as_slice().expect("standard layout"), shape.0, weights, |meeting| {
            let Meeting { rows, width, gate: own, up: factor } = meeting;
            for (bias, results) in [(&gate.bias, &mut *own), (&up.bias, &mut *factor)] {
                let Some(bias) = bias else { continue };
                for row in results.chunks_exact_mut(width) {
                    backend.axpy(1.0, &bias[rows.clone()], &mut row[..rows.len()]);
                }
            }
            combine(own, factor);
        });
    Array2::from_shape_vec(shape, result).expect("one result for each token and row")
}

impl Linear {
    /// `[tokens, out]` with the bias added; zeros from a weight of no columns.
    fn result(&self, tokens: usize, result: Vec<f32>, backend: &Backend) -> Array2<f32> {
        let shape = (tokens, self.weight.rows());
        let mut y = Array2::from_shape_vec(shape, result).unwrap_or_else(|_| Array2::zeros(shape));
        if let Some(bias) = self.bias.as_ref().filter(|bias| !bias.is_empty()) {
            let rows = (PART / bias.len()).max(1) * bias.len();
            backend.run_chunks(y.as_slice_mut().expect("just made"), rows, |_, rows| {
                rows.chunks_exact_mut(bias.len()).for_each(|row| backend.axpy(1.0, bias, row));
            });
        }
        y
    }

    #[track_caller]
    fn check(&self, x: ArrayView2<'_, f32>) {
        let (weight, bias) = (&self.weight, self.bias.as_ref());
        let shape = [weight.rows(), weight.cols()];
        assert_eq!(x.ncols(), weight.cols(), "x {:?} for a weight {shape:?}", x.shape());
        let fits = bias.is_none_or(|bias| bias.len() == weight.rows());
        assert!(fits, "bias of {} elements for a weight {shape:?}", bias.map_or(0, Vec::len));
    }
}
