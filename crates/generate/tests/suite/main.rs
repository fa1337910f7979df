//! The crate's laws, and its answers to cases.

mod chat;
mod folders;
mod gguf;
mod sampling;
mod session;
mod stories;
mod templates;
