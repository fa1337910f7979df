//! The crate against the reference libraries, against laws, and against files that were made to hurt.

mod data;
mod formats;
mod hostile;
mod parity;
mod properties;
mod sentencepiece;
