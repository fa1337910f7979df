//! A text that goes on: the tokens held, those that are generated, and where they end.

pub(crate) mod continuation;
pub(crate) mod framed;
pub(crate) mod generation;
pub(crate) mod perplexity;
pub mod pieces;
pub(crate) mod session;
pub(crate) mod stop;
