//! Subcommands that hold families and tokenizers to their references.

pub mod compare_trace;
pub mod trace;
pub mod verify;
pub mod verify_tokenizer;
pub(super) mod vocabularies;
