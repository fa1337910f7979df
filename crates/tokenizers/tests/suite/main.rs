//! The crate against the reference libraries, against laws, and against files that were made to hurt.

#![expect(clippy::unwrap_used, reason = "a test that unwraps fails, as it should")]

mod data;
mod formats;
mod gguf;
mod hostile;
mod parity;
mod properties;
mod sentencepiece;
