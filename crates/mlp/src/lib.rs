//! The MLP of a transformer block, gated or plain, and its activations.
//!
//! ```text
//! gated   y = down(f(gate x) ⊙ up x)
//! plain   y = down(f(up x))
//! ```
//! x `[tokens, in]`, gate and up `[width, in]`, down `[out, width]`, y `[tokens, out]`; any layer may have a bias,
//! and keeps its weight as stored.
//!
//! Gated with f = SiLU is SwiGLU (Llama, Qwen, Baichuan, Yi, ChatGLM 2 and later); with the tanh form of GELU it is
//! GeGLU (Gemma). A [`Glu`] in place of the activation bounds gate and up, and shifts up (gpt-oss). ChatGLM 1 is
//! plain, with GELU. Shazeer, "GLU Variants Improve Transformer", 2020,
//! <https://arxiv.org/abs/2002.05202>.
//!
//! ```
//! use camelid_kernels::Backend;
//! use camelid_linear::{Linear, Weight};
//! use camelid_mlp::{Activation, Layers, Mlp};
//! use ndarray::array;
//!
//! let layer = |rows, cols, values: &[f32]| Linear { weight: Weight::from_f32(rows, cols, values), bias: None };
//! let layers = Layers::Gated {
//!     gate: layer(2, 1, &[1.0, -1.0]),
//!     up: layer(2, 1, &[3.0, 5.0]),
//!     down: layer(1, 2, &[1.0, 1.0]),
//! };
//! let mlp = Mlp::new(layers, Activation::Relu)?;
//! let y = mlp.forward(array![[2.0], [-1.0]].view(), &Backend::serial());
//! assert_eq!(y, array![[12.0], [-5.0]]); // relu(2)·6 + relu(−2)·10, relu(−1)·−3 + relu(1)·−5
//! # Ok::<(), camelid_mlp::Error>(())
//! ```

mod activation;
mod block;
mod error;
mod glu;

pub use activation::Activation;
pub use block::{Layers, Mlp};
pub use error::Error;
pub use glu::Glu;

pub use camelid_linear::{Backend, Compute, Linear, Weight};
/// The arrays that stand in the signatures.
pub use ndarray;

/// The README's example, kept true.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
