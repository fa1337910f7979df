//! The formats, each read and run by itself.

pub(crate) mod json;
pub(crate) mod pair;
pub mod sentencepiece;
pub(crate) mod tiktoken;
