//! What mixes the tokens in one layer: attention over keys and values of heads or over a latent, or a state.

pub(crate) mod branch;
pub(crate) mod delta;
pub(crate) mod grown;
pub(crate) mod heads;
pub(crate) mod latent;
pub(crate) mod mixer;
