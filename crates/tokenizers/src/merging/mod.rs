//! Pieces and what merges into them: all that the formats share.

pub(crate) mod bpe;
pub(crate) mod bytes;
pub(crate) mod characters;
pub(crate) mod level;
pub(crate) mod symbols;
pub(crate) mod vocabulary;
