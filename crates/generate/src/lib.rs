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

mod chat;
mod choice;
mod error;
pub mod memory;
mod opening;
mod text;

pub use chat::{ChatTemplate, Conversation, Ending, Join, Message, Piece, Prompt};
pub use choice::logits::{argmax, next_logits};
pub use choice::logprobs::Logprobs;
pub use choice::sampler::Sampler;
pub use choice::sampling::{Sampling, any_seed};
pub use error::Error;
pub use opening::beside::Beside;
pub use opening::converted::RECORD;
pub use opening::defaults::Defaults;
pub use opening::how::{How, Purpose, locate};
pub use opening::opened::Opened;
pub use opening::templates::{Chat, WhichTemplate, form};
pub use opening::vocabulary::{of_folder, vocabulary};
pub use text::continuation::{Continuation, Settings, Token};
pub use text::framed::framed;
pub use text::generation::{Generation, Timings};
pub use text::perplexity::{Nll, perplexity};
pub use text::pieces;
pub use text::session::Session;
pub use text::stop::Stop;

pub use camelid_families as families;
pub use camelid_tokenizers as tokenizers;
