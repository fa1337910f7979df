//! Multi-head latent attention: keys and values of all heads are made of one short vector, and that alone is cached.
//!
//! ```text
//! c_q = n(x W_qa)      q = c_q W_qb, or q = x W_q                of each head: unturned features, then turned ones
//! [c, k_r] = x W_kva   c ← n(c)   k_r ← turn(k_r)                cached: rank + turned numbers for each position
//! [k_n, v] = c W_kvb   k = [k_n, k_r]                            of each head; k_r is shared by all of them
//! s = q·k · scale      y = Σ softmax(s) v
//! ```
//! x `[tokens, width]`, q `[tokens, heads, unturned + turned]`, c `[tokens, rank]`, y `[tokens, heads, value_dim]`. The turned
//! part trails. n is an RMSNorm, often with an ε of its own (DeepSeek, GLM-4.7: 10⁻⁶ whatever the other norms have).
//!
//! Two forms give the same numbers. *Expanded* (for prompts): k and v of the positions in sight are made, and attention is
//! that of many heads. *Absorbed* (for decoding): since q_n·(W_k c) = (W_kᵀ q_n)·c, each head's query is carried into the
//! latent space, where all heads share one key [c, k_r] and one value c; only the sum is carried back by W_v. The first
//! costs a product for each position in sight, the second wider scores for each query: [`Latent::forward`] takes the
//! one that costs less.
//!
//! Under YaRN the scale is multiplied by (0.1 · m · ln f + 1)² ([`yarn_growth`]), as cosines and sines are not.
//! Pairs are turned by the caller: adjacent (DeepSeek, GLM, Mistral 4) or half (MiniCPM 3).
//!
//! ```
//! use camelid_kernels::{Backend, Compute};
//! use camelid_latent::{Latent, Settings};
//! use camelid_linear::{Linear, Weight};
//! use ndarray::{Array2, Array3};
//!
//! let settings = Settings { heads: 4, rank: 16, unturned: 12, turned: 8, value_dim: 10, scale: 20f64.powf(-0.5) };
//! let up = Linear { weight: Weight::from_f32(4 * (12 + 10), 16, &vec![0.1; 4 * 22 * 16]), bias: None };
//! let latent = Latent::new(settings, up)?;
//! let backend = Backend::serial();
//! let mut cache = latent.cache(Compute::F32);
//! cache.append(Array2::ones((3, 16)).view(), Array2::ones((3, 8)).view(), &backend);
//! let queries = Array3::ones((1, 4, 20)); // of the last token, which sees all three
//! let y = latent.forward(queries.view(), &[0..3], &cache, &backend);
//! assert_eq!(y.shape(), [1, 4, 10]);
//! assert!(y.iter().all(|y| (y - 1.6).abs() < 1e-6)); // a mean of equal values, 16 · 0.1
//! # Ok::<(), camelid_latent::Error>(())
//! ```
//!
//! DeepSeek-AI, "DeepSeek-V2", 2024, <https://arxiv.org/abs/2405.04434>.

mod cache;
mod forms;
mod latent;
mod project;
mod settings;

pub use cache::Cache;
pub use latent::{Form, Latent};
pub use project::{Compression, Queries};
pub use settings::{Error, Settings, yarn_growth};

pub use camelid_linear::{Backend, Compute, Linear, Weight};
/// The arrays that stand in the signatures.
pub use ndarray;

/// The README's example, kept true.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
