//! The project's own chores: pages made from the data, and what is fetched for tests.

pub mod assets;
pub mod conversions;
pub mod docs;
mod gguf_page;
mod ports_page;
mod questions;
mod tables;
