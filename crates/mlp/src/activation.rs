//! The functions between the layers, by the names that checkpoints give them.

use camelid_kernels::Backend;

/// A function of one number, applied to each element.
///
/// Here σ(x) = 1 / (1 + e^(−x)). The tanh form of GELU is computed as x·σ(2u), which equals ½x(1 + tanh u) without
/// the cancellation where tanh u is near −1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Activation {
    /// x·σ(x); upstream's `silu` or `swish`. Gated, it is SwiGLU.
    #[cfg_attr(feature = "serde", serde(alias = "swish"))]
    Silu,
    /// ½x(1 + erf(x / √2)); upstream's `gelu` or `gelu_python`.
    #[cfg_attr(feature = "serde", serde(alias = "gelu_python"))]
    Gelu,
    /// ½x(1 + tanh(√(2/π)·(x + 0.044715 x³))); upstream's `gelu_pytorch_tanh`, `gelu_new` or `gelu_fast`. Gated, it
    /// is GeGLU.
    #[cfg_attr(
        feature = "serde",
        serde(rename = "gelu_pytorch_tanh", alias = "gelu_new", alias = "gelu_fast")
    )]
    GeluTanh,
    /// x·σ(1.702 x); upstream's `quick_gelu`.
    QuickGelu,
    /// max(x, 0)
    Relu,
    /// max(x, 0)²; upstream's `relu2`.
    #[cfg_attr(feature = "serde", serde(rename = "relu2"))]
    ReluSquared,
    /// σ(x)
    Sigmoid,
    /// tanh x
    Tanh,
}

/// Elements at a time, so that the scratch copy stays in the first-level cache.
const CHUNK: usize = 1024;

impl Activation {
    /// xᵢ ← f(xᵢ), on the calling thread.
    pub fn apply(self, x: &mut [f32], backend: &Backend) {
        match self {
            Self::Silu => backend.sigmoid_gate(x, 1.0, 0.0),
            Self::GeluTanh => {
                backend.sigmoid_gate(x, 2.0 * (2.0 / std::f32::consts::PI).sqrt(), 0.044715);
            }
            Self::QuickGelu => backend.sigmoid_gate(x, 1.702, 0.0),
            Self::Gelu => gelu(x, backend),
            Self::Relu => x.iter_mut().for_each(|x| *x = x.max(0.0)),
            Self::ReluSquared => x.iter_mut().for_each(|x| *x = x.max(0.0) * x.max(0.0)),
            Self::Sigmoid => backend.sigmoid(x),
            Self::Tanh => backend.tanh(x),
        }
    }
}

fn gelu(x: &mut [f32], backend: &Backend) {
    let mut copy = [0.0; CHUNK];
    for x in x.chunks_mut(CHUNK) {
        let copy = &mut copy[..x.len()];
        copy.copy_from_slice(x);
        backend.scale(std::f32::consts::FRAC_1_SQRT_2, copy);
        backend.erf(copy);
        x.iter_mut().zip(copy).for_each(|(x, erf)| *x *= 0.5 * (1.0 + *erf));
    }
}
