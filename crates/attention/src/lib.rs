//! Attention of many queries over one cache of keys and values: MHA, MQA and GQA, as sums over runs of keys that
//! merge exactly.
//!
//! ```text
//! y_i = Σ_j e^(s_ij − m) v_j ÷ Σ_j e^(s_ij − m)      j over the run that query i sees,  m = max_j s_ij
//! s_ij = cap·tanh(q_i·k_j·scale / cap) − slope·(i − j)       cap and slope where the settings have them
//! ```
//! Queries and results `[tokens, heads, head_dim]`, keys and values `[tokens, kv_heads, head_dim]`, f32. Query head h
//! reads kv head h / (heads / kv_heads), so keys are never repeated.
//!
//! What a query sees is a run of positions, a [`Range`](std::ops::Range), from [`Reach`]: causal (all of the tree), a
//! sliding window (Mistral, Gemma 2, some layers of Qwen 1.5), a chunk (Llama 4), a prefix seen both ways (ChatGLM 1). No mask matrix
//! and no matrix of scores is ever made. Several [`Segment`]s show one softmax several turns of the same queries,
//! which is dual chunk attention. Caps are Gemma 2's, slopes are ALiBi's (Baichuan 13B), sinks are gpt-oss's, [`log_n`] is Qwen 1's, [`warmth`] is
//! Llama 4's.
//!
//! ```
//! use camelid_attention::ndarray::Array3;
//! use camelid_attention::{Attention, Backend, Compute, Reach, Settings};
//!
//! let attention = Attention::new(Settings::plain(8, 2, 64))?;
//! let mut cache = attention.cache(Compute::F32);
//! let (queries, keys, values) = (Array3::ones((5, 8, 64)), Array3::ones((5, 2, 64)), Array3::ones((5, 2, 64)));
//! let backend = Backend::serial();
//! let y = attention.attend(queries.view(), keys.view(), values.view(), Reach::Causal, &mut cache, &backend);
//! assert_eq!(y, Array3::<f32>::ones((5, 8, 64))); // a mean of equal values
//! # Ok::<(), camelid_attention::Error>(())
//! ```
//!
//! Papers: Vaswani et al. 2017, <https://arxiv.org/abs/1706.03762>; Ainslie et al. 2023 (GQA),
//! <https://arxiv.org/abs/2305.13245>; Milakov and Gimelshein 2018 (merging softmax),
//! <https://arxiv.org/abs/1805.02867>.

mod cache;
mod forward;
mod log_n;
mod partial;
mod reach;
mod settings;
mod softcap;
mod tile;
mod warmth;

pub use cache::{BLOCK, Cache};
pub use forward::{Attention, Segment};
pub use log_n::log_n;
pub use partial::Partial;
pub use reach::Reach;
pub use settings::{Error, Settings};
pub use softcap::softcap;
pub use warmth::warmth;

pub use camelid_kernels::{Backend, Compute};
/// The arrays that stand in the signatures.
pub use ndarray;

/// The README's example, kept true.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
