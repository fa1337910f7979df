//! Dual chunk attention: a model reads texts beyond its trained length without ever meeting a distance that it was
//! not trained on.
//!
//! ```text
//! c = chunk_size − local_size                the text is cut into chunks of c tokens
//! key of token j       sits at j mod c
//! query of token i     sits at i mod c                        before the keys of its own chunk
//!                              min(i mod c + c, chunk_size)   before those of the previous chunk
//!                              min(2c − 1, chunk_size)        before all older ones
//! y_i = Σ_j softmax(s·q·k)_j · v_j           one softmax over the three runs
//! s = max(1, 0.1·ln(length / original_max_position_embeddings) + 1), on the keys too
//! ```
//! Queries `[tokens, heads, head_dim]`, keys and values `[tokens, kv_heads, head_dim]`, f32. Rotary frequencies may
//! be any, YaRN's among them. In a text of at most c tokens this is plain attention, to the bit (with s = 1). Used by
//! Qwen2.5-1M.
//!
//! ```
//! use camelid_attention::{Attention, Settings as Shape};
//! use camelid_dual_chunk::{DualChunk, Settings};
//! use camelid_kernels::{Backend, Compute};
//! use camelid_rope::{Frequencies, Pairing};
//! use ndarray::Array3;
//!
//! let dual = DualChunk::new(Settings { chunk_size: 24, local_size: 8, original_max_position_embeddings: None })?;
//! assert_eq!(dual.query_positions(40), [8, 24, 24]); // c = 16, so token 40 is the ninth of chunk 2
//! assert_eq!(dual.runs(40), [32..41, 16..32, 0..16]);
//!
//! let attention = Attention::new(Shape::plain(4, 2, 16)).expect("4 heads share 2");
//! let (queries, mut keys, values) = (Array3::ones((41, 4, 16)), Array3::ones((41, 2, 16)), Array3::ones((41, 2, 16)));
//! let frequencies = Frequencies { inverse: (0..8).map(|i| 1e4_f64.powf(-f64::from(i) / 8.0)).collect(), factor: 1.0 };
//! let pass = dual.pass(0..41, &frequencies, Pairing::Half); // once for all layers
//! let mut cache = attention.cache(Compute::F32);
//! pass.turn_keys(keys.view_mut());
//! cache.append(keys.view(), values.view(), &Backend::serial());
//! let y = pass.attend(&attention, queries.view(), &cache, &Backend::serial());
//! assert!(y.iter().all(|y: &f32| (y - 1.0).abs() < 1e-6)); // a mean of equal values
//! # Ok::<(), camelid_dual_chunk::Error>(())
//! ```
//!
//! Papers: An et al. 2024, <https://arxiv.org/abs/2402.17463>; Qwen2.5-1M, <https://arxiv.org/abs/2501.15383>.

mod pass;
mod places;
mod settings;

pub use pass::Pass;
pub use places::DualChunk;
pub use settings::{Error, Settings};

pub use camelid_attention::{Attention, Backend, Cache, Compute};
pub use camelid_rope::{Frequencies, Pairing};
/// The arrays that stand in the signatures.
pub use ndarray;

/// The README's example, kept true.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
