//! Tables of words that not every layer has.

pub(crate) mod delta;
pub(crate) mod experts;
pub(crate) mod latent;
pub(crate) mod per_layer;
pub(crate) mod temperature;
