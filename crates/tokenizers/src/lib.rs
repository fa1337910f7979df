//! One trait over sentencepiece models, tiktoken ranks and Hugging Face tokenizer.json, exact.

mod bpe;
mod bytes;
mod declared;
mod error;
mod fallback;
mod gguf;
mod json;
mod lossy;
mod open;
mod replace;
pub mod sentencepiece;
mod settings;
mod split;
mod stream;
mod tiktoken;
mod tokenizer;
mod trie;
mod unicode;
#[cfg(feature = "upstream")]
pub mod upstream;
mod vocabulary;

pub use error::Error;
pub use gguf::{Gguf, open_gguf};
pub use open::{from_bytes, kind_of, open};
pub use settings::{File, Kind, Normalization, Replace, Settings, SpecialIn};
pub use stream::Stream;
pub use tokenizer::{Decoder, Frame, Special, Specials, Tokenizer};
