//! What the crate promises: the references' numbers, the laws of norms, and clear refusals.

#![allow(clippy::unwrap_used)]

mod laws;
mod reference;
mod refusals;
