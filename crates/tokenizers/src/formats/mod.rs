//! The three formats, each read and run by itself.

pub(crate) mod json;
pub mod sentencepiece;
pub(crate) mod tiktoken;
