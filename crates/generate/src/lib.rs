//! Text from a model: sampling, the loop, streaming, chat prompts.
//!
//! ```text
//! prompt → ids → forward (in pieces, over the cache) → logits of the last row → sampling → id → text
//!                   ↑                                                                  │
//!                   └──────────────────────────────────────────────────────────────────┘
//! ```
//!
//! [`Opened`] is a checkpoint as people have it: a folder, a GGUF file, a name in the hub's local cache. A [`Session`] holds
//! a sequence and the model's memory of it; it can be kept, forked by `clone`, and truncated. [`Session::generate`] is an
//! iterator over tokens with their text. [`Sampler`] draws as transformers does; [`ChatTemplate`] writes prompts as
//! transformers does.
//!
#![doc = include_str!("../README.md")]

mod beside;
mod chat;
mod defaults;
mod error;
mod generation;
mod logits;
pub mod memory;
mod opened;
mod perplexity;
mod sampler;
mod sampling;
mod session;
mod stop;
mod vocabulary;

pub use beside::Beside;
pub use chat::{ChatTemplate, Ending, Message, Role};
pub use defaults::Defaults;
pub use error::Error;
pub use generation::{Generation, Timings, Token};
pub use logits::{argmax, next_logits};
pub use opened::{Chat, How, Opened};
pub use perplexity::{Nll, perplexity};
pub use sampler::Sampler;
pub use sampling::Sampling;
pub use session::{Session, Settings};
pub use stop::Stop;
pub use vocabulary::{of_folder, vocabulary};
