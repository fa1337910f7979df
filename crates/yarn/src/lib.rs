//! YaRN: rotary frequencies for contexts beyond the trained one, each pair scaled by how often it turns there.
//!
//! ```text
//! f'ᵢ = rᵢ · fᵢ / factor + (1 − rᵢ) · fᵢ        fᵢ = θ^(−2i / rotary_dim)
//! rᵢ  = (i − low) / (high − low), within 0..1    low: the pair that turns beta_fast times within the trained
//!                                                length, rounded down; high: beta_slow times, rounded up
//! cos and sin × 0.1 · ln(factor) + 1             so that scores carry the square
//! ```
//!
//! Pairs that turn fast within the trained length n keep their frequency, slow ones are interpolated.
//! Qwen 2 uses it beyond 32,768 tokens; `mscale` and `mscale_all_dim` are DeepSeek's form of the factor.
//! The result is [`camelid_rope::Frequencies`], and turns heads by way of [`camelid_rope::Table`].
//!
//! ```
//! use camelid_rope::{Settings, Table};
//! use camelid_yarn::Yarn;
//!
//! let settings = Settings { theta: 1e6, head_dim: 128, rotary_dim: 128, context: Some(32_768) };
//! let frequencies = Yarn::new(4.0).frequencies(&settings)?;
//! assert_eq!(frequencies.inverse[0], 1.0); // the fastest pair keeps its pace
//! assert_eq!(frequencies.factor, 0.1 * 4.0_f64.ln() + 1.0);
//! let table = Table::new(&frequencies, &[0, 1, 2]);
//! # assert_eq!(table.tokens(), 3);
//! # Ok::<(), camelid_rope::Error>(())
//! ```
//!
//! Paper: arXiv:2309.00071. Numbers are those of transformers' `yarn`, quirks at the ends of the range included.

mod ramp;
mod yarn;

pub use yarn::Yarn;

pub use camelid_rope::{Error, Frequencies, Pairing, Settings, Table};

/// The README's example, kept true.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
