//! What the crate promises: the references' numbers, the laws of rotary embedding, and clear refusals.

#![allow(clippy::unwrap_used)]

mod file;
mod laws;
mod reference;
mod refusals;
