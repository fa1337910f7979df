//! The libraries that this crate is held to, for comparing ids and speed: never used to encode for a user.
//!
//! tiktoken ranks by `tiktoken-rs`, `tokenizer.json` by Hugging Face's `tokenizers`, and, with the feature
//! `sentencepiece` (which needs cmake and a C++ compiler), models by Google's own library.

mod library;
mod speed;

pub use library::{Upstream, upstream};
pub use speed::{Rate, Speed, measure};
