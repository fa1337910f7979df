//! What a family or a folder adds to its vocabulary's file: special tokens, replacements, a frame.

pub(crate) mod declared;
mod replace;
mod tokens;
