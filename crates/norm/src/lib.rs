//! Norms over the last axis of slices and `ndarray` views: RMSNorm, LayerNorm, and rows of length one.
//!
//! ```text
//! rms    yᵢ = xᵢ / √(mean(x²) + ε) · wᵢ (+ bᵢ)                  Llama and nearly all of its descendants
//! layer  yᵢ = (xᵢ − mean(x)) / √(var(x) + ε) · wᵢ (+ bᵢ)         ChatGLM 1, Cohere
//! unit   yᵢ = xᵢ / max(‖x‖, 10⁻¹²)                              Baichuan 2's output head
//! ```
//!
//! `x` is `[tokens, features]`, or `[tokens, heads, head_dim]` for the norms of queries and keys; `w` and `b`
//! are `[features]`. Gemma writes its weight as an offset from one: fold it at load with [`offset_weight`].
//!
//! Sums run in f64 over eight lanes, and each result is rounded to f32 once, so that the error is half a unit
//! in the last place whatever the width; the f32 references round three times.
//!
//! ```
//! use camelid_norm::{Kind, Norm, Settings};
//!
//! let norm = Norm::new(Settings { kind: Kind::Rms, eps: 0.0 }, vec![1.0, 2.0], None)?;
//! let mut x = [0.5, -0.5];
//! norm.row(&mut x);
//! assert_eq!(x, [1.0, -2.0]);
//! # Ok::<(), camelid_norm::Error>(())
//! ```
//!
//! Papers: RMSNorm, arXiv:1910.07467; LayerNorm, arXiv:1607.06450; rows of length one, arXiv:2309.10305.

mod error;
mod norm;
mod row;
mod unit;
#[cfg(feature = "ndarray")]
mod views;

pub use error::Error;
pub use norm::{Kind, Norm, Settings, offset_weight};
pub use unit::unit_factor;
#[cfg(feature = "ndarray")]
pub use views::{unit_factors, unit_rows};

/// The arrays that stand in the signatures; [`Norm::row`] needs none.
#[cfg(feature = "ndarray")]
pub use ndarray;

/// The README's example, kept true.
#[cfg(all(doctest, feature = "ndarray"))]
#[doc = include_str!("../README.md")]
struct Readme;
