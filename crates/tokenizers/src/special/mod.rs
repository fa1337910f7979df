//! What a family or a folder adds to its vocabulary's file: special tokens, replacements, a frame.

pub(crate) mod declared;
mod decoding;
mod replace;
mod tokens;
