//! A second implementation, which proves the first: the whole network in plain f64 loops, straight from the [`Architecture`].
//!
//! It shares no line with `norm`, `rope`, `yarn`, `alibi`, `attention`, `dual-chunk`, `delta-net`, `short-conv`, `mlp`, `linear` or `kernels`: it reads the
//! checkpoint's tensors itself, takes packed ones apart itself, and knows a rotary scaling or an activation by upstream's own
//! name for it. It is slow, has no cache and no backend, and is there to be compared with. What decoding over a cache means it
//! gets from [`Sight`]: how long the text was when each token's call ended.

mod attention;
mod delta;
mod experts;
mod latent;
mod layered;
mod layers;
mod memo;
mod network;
mod position;
mod sight;
mod tensors;

#[cfg(test)]
mod tests;

pub(crate) use network::Oracle;
pub(crate) use sight::{Halt, Quirk, Sight};
pub(crate) use tensors::Bank;
