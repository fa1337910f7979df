//! What the crate promises: the reference's numbers and the laws of ALiBi.

#![allow(clippy::unwrap_used)]

mod laws;
mod reference;
