//! The layer, and several that share their input.

use camelid_kernels::{Backend, Product};
use ndarray::{Array2, ArrayView1, ArrayView2};

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
    let mut results = layers.map(|layer| {
        layer.check(x);
        Array2::zeros((tokens, layer.weight.rows()))
    });
    let x = x.as_standard_layout();
    let outs = results.iter_mut().map(|y| y.as_slice_mut().expect("just made, so contiguous"));
    let mut products: Vec<_> =
        layers.iter().zip(outs).map(|(layer, out)| Product { weight: layer.weight.values(), out }).collect();
    backend.multiply(x.as_slice().expect("standard layout"), tokens, &mut products);
    for (layer, y) in layers.iter().zip(&mut results) {
        if let Some(bias) = &layer.bias {
            *y += &ArrayView1::from(bias);
        }
    }
    results
}

impl Linear {
    #[track_caller]
    fn check(&self, x: ArrayView2<'_, f32>) {
        let (weight, bias) = (&self.weight, self.bias.as_ref());
        let shape = [weight.rows(), weight.cols()];
        assert_eq!(x.ncols(), weight.cols(), "x {:?} for a weight {shape:?}", x.shape());
        let fits = bias.is_none_or(|bias| bias.len() == weight.rows());
        assert!(fits, "bias of {} elements for a weight {shape:?}", bias.map_or(0, Vec::len));
    }
}
