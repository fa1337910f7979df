//! Changes of an architecture by the words of the schema, which locating, explaining and proving all make.

mod change;
pub(crate) mod every_word;

pub(crate) use change::{ACTIVATIONS, Change, Editor, short};
