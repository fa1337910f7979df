//! How the next token is chosen from the logits.

pub(crate) mod logits;
pub(crate) mod logprobs;
pub(crate) mod sampler;
pub(crate) mod sampling;
