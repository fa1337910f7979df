//! Attention of one layer: over keys and values of heads, or over a latent.

pub(crate) mod branch;
pub(crate) mod grown;
pub(crate) mod heads;
pub(crate) mod latent;
pub(crate) mod mixer;
