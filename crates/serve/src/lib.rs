//! An endpoint that OpenAI's clients talk to.
//!
//! ```text
//! request → asked → ids, settings → jobs ──→ engine: one thread that owns the model
//!                                               who is gone leaves, who waits joins
//! answer  ← answered ← tokens with text ←──     a piece of prompts is read, every text goes on by a token
//! ```
//!
//! All texts share each pass over the weights, and each has the same bits as alone: the same request gives the same answer
//! whatever else runs, and whatever prompts are remembered.
#![doc = include_str!("../README.md")]

mod answered;
mod asked;
mod engine;
mod error;
mod metrics;
mod server;
mod setup;
mod stop;
mod web;

pub use asked::chat::Chat;
pub use asked::completion::{Asked, Completion};
pub use asked::options::Options;
pub use error::Error;
pub use server::Server;
pub use setup::{Limits, Setup};
pub use stop::Stop;
pub use web::access::{Access, Origin};
