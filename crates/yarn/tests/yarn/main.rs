//! What the crate promises: the reference's numbers, the laws of YaRN, and clear refusals.

#![allow(clippy::unwrap_used)]

mod laws;
mod reference;
mod refusals;
