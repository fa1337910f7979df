//! Mixture of experts: a router chooses a few MLPs for each token, and only those are read.
//!
//! ```text
//! z = x Wᵀ + b     s = score(z), over all experts or over the chosen     chosen: the k largest of s + correction
//! p = s of the chosen, ÷ Σ p where they are normalised, · scale, · a factor of the expert's own
//! y = Σ pₑ·expertₑ(x)    or Σ expertₑ(pₑ·x)    + shared(x), or + σ(x·w)·shared(x)
//! ```
//! x and y `[tokens, width]`, W `[experts, width]`, p `[tokens, k]`. The correction chooses and does not weigh. With groups,
//! only the experts of the best groups can be chosen; a group is judged by its best expert or by the sum of its best two.
//!
//! Softmax over all: Qwen, OLMoE; over the chosen: Mixtral, gpt-oss; sigmoid: DeepSeek V3, GLM-4.5, Llama 4 (which weighs
//! the input); √softplus: DeepSeek V4. Groups: DeepSeek V2 (by the best), V3 and GLM (by the best two). A shared expert
//! with a gate of its own: Qwen 2 MoE. The score of each of the chosen is the same over all or over themselves once they
//! are normalised, which the laws in `tests/` hold.
//!
//! Tokens are grouped by expert, so a prompt reads each chosen expert once; the sum of a token runs over its experts in
//! ascending order, so the result is the same bits for any cut of the tokens into calls. An [`Expert`] is a slice of a
//! mapped file, or, where the file holds it turned over or with gate and up by turns, is laid out when it is first chosen.
//!
//! ```
//! use camelid_experts::{Expert, Experts, Lies, Router, Settings, Side, Sides};
//! use camelid_kernels::Backend;
//! use camelid_linear::{Linear, Weight};
//! use camelid_mlp::Activation;
//! use ndarray::array;
//!
//! let side = |rows, cols, values: &[f32]| Side { weight: Weight::from_f32(rows, cols, values), bias: None, lies: Lies::OutIn };
//! // Two experts of one feature: relu(x)·x and relu(x)·3x. The router prefers the second for a positive x.
//! let expert = |by: f32| {
//!     Expert::new(Sides::Apart { gate: side(1, 1, &[1.0]), up: side(1, 1, &[by]) }, side(1, 1, &[1.0]))
//! };
//! let router = Linear { weight: Weight::from_f32(2, 1, &[0.0, 1.0]), bias: None };
//! let router = Router::new(Settings { normalise: true, ..Settings::plain(2, 1) }, router)?;
//! let experts = Experts::new(router, vec![expert(1.0), expert(3.0)], Activation::Relu, None)?;
//! let y = experts.forward(array![[2.0], [-1.0]].view(), &Backend::serial());
//! assert_eq!(y, array![[12.0], [0.0]]);
//! # Ok::<(), camelid_experts::Error>(())
//! ```
//!
//! Shazeer et al., "Outrageously Large Neural Networks", 2017, <https://arxiv.org/abs/1701.06538>; DeepSeek-AI,
//! "DeepSeek-V3 Technical Report", 2024, <https://arxiv.org/abs/2412.19437>.

mod block;
mod error;
mod expert;
mod router;
mod settings;

pub use block::{Experts, Shared};
pub use error::Error;
pub use expert::{Expert, Lies, Packing, Side, Sides};
pub use router::{Choice, Router};
pub use settings::{GroupBy, Over, Score, Settings, Weigh};

pub use camelid_mlp::{Activation, Backend, Compute, Glu, Linear, Mlp, Weight};
/// The arrays that stand in the signatures.
pub use ndarray;

/// The README's example, kept true.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
