//! A declaration meets a `config.json`: which names formulas see, what is refused, and the numbers that come out.

pub(crate) mod check;
pub(crate) mod config;
pub(crate) mod detect;
mod mixtures;
pub(crate) mod resolve;
pub(crate) mod scope;
mod tensors;
