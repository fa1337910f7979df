//! Subcommands that run a checkpoint, or its vocabulary.

pub mod bench;
pub(super) mod chat;
#[cfg(feature = "fetch")]
pub mod fetch;
pub mod generate;
pub(super) mod interrupt;
pub(super) mod loaded;
pub(super) mod messages;
pub mod perplexity;
pub(super) mod prompt;
mod reading;
#[cfg(feature = "serve")]
pub mod serve;
pub mod tokenize;
