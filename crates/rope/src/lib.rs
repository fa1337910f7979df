//! Rotary position embedding: each pair of features of a head is turned by an angle that grows with the position.
//!
//! ```text
//! a' = a · cos − b · sin      angle of pair i at position p:  p · fᵢ,   fᵢ = θ^(−2i / rotary_dim)
//! b' = a · sin + b · cos      so that q·k depends on the distance of their positions alone
//!
//! half       a = x[i],   b = x[i + rotary_dim/2]      Llama and most of its descendants
//! adjacent   a = x[2i],  b = x[2i + 1]                ChatGLM 2 and 3, GLM-4
//! ```
//!
//! `x` is `[tokens, heads, head_dim]`; its leading `rotary_dim` features turn, the rest pass through.
//! [`Scaling`] changes the frequencies fᵢ for contexts beyond the trained one. [`Frequencies`] are plain
//! numbers, so that other sources (YaRN is in `camelid-yarn`) need nothing from this crate but that type.
//! Angles are computed in f64 and only their cosines and sines rounded to f32: at position 100,000 the f32
//! references are off by 5·10⁻³.
//!
//! ```
//! use camelid_rope::{Pairing, Rope, Scaling, Settings, Table};
//!
//! let settings = Settings { theta: 500_000.0, head_dim: 64, rotary_dim: 64, context: None };
//! let rope = Rope::new(settings, Scaling::Linear { factor: 4.0 })?;
//! let mut queries = vec![1.0; 3 * 8 * 64]; // tokens, heads, head_dim
//! let table = Table::new(&rope.frequencies(3), &[0, 1, 2]);
//! table.turn_slice(&mut queries, 8, Pairing::Half);
//! assert_eq!(queries[0], 1.0); // position 0 stays where it is
//! assert_eq!(queries[8 * 64], 0.25_f64.cos() as f32 - 0.25_f64.sin() as f32);
//! # Ok::<(), camelid_rope::Error>(())
//! ```
//!
//! Paper: arXiv:2104.09864.

mod error;
mod frequencies;
mod rope;
mod scaling;
mod table;
#[cfg(feature = "ndarray")]
mod views;

pub use error::Error;
pub use frequencies::{Frequencies, Settings};
pub use rope::Rope;
pub use scaling::Scaling;
pub use table::{Pairing, Table};

/// The arrays that [`Table::turn`] takes; [`Table::turn_slice`] needs none.
#[cfg(feature = "ndarray")]
pub use ndarray;

/// The README's example, kept true.
#[cfg(all(doctest, feature = "ndarray"))]
#[doc = include_str!("../README.md")]
struct Readme;
