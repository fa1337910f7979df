//! What a folder or file holds besides weights: its vocabulary, its chat template, its own settings.

pub(crate) mod beside;
pub(crate) mod converted;
pub(crate) mod defaults;
pub(crate) mod how;
pub(crate) mod opened;
pub(crate) mod templates;
pub(crate) mod vocabulary;
