//! The ways in and out: a checkpoint that is opened, a GGUF read as a `config.json`, a checkpoint in another family's terms.

pub(crate) mod convert;
pub(crate) mod engines;
pub(crate) mod folding;
pub(crate) mod gguf;
pub(crate) mod head;
pub(crate) mod names;
pub(crate) mod open;
