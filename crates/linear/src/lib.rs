//! Linear layers whose weights stay as they are stored.
//!
//! ```text
//! y = x Wᵀ + b        x [tokens, in], W [out, in], b [out], y [tokens, out]
//! ```
//!
//! A [`Weight`] is a matrix over [`bytes::Bytes`], f32, bf16, f16 or quantised [`Blocks`]: a slice of a mapped file is used in place, and
//! nothing is converted but in registers. Layers that share their input ([`forward_all`]: queries, keys and values,
//! or gate and up) run in one parallel region. An embedding is a `Weight` too: [`Weight::row`].
//!
//! A token's results are the same bits for any number of threads; and for any other tokens of the call, as long as both calls have fewer
//! than [`Backend::MANY`] tokens or both have not. [`Backend::one_by_one`] is for who needs them for any number.
//!
//! ```
//! use camelid_kernels::Backend;
//! use camelid_linear::{Linear, Weight};
//! use ndarray::array;
//!
//! let weight = Weight::from_f32(2, 3, &[1., 0., 0., 0., 1., 1.]);
//! let layer = Linear { weight, bias: Some(vec![0.5, 0.0]) };
//! let y = layer.forward(array![[1., 2., 3.]].view(), &Backend::serial());
//! assert_eq!(y, array![[1.5, 5.0]]);
//! ```

mod layer;
mod weight;

pub use camelid_kernels::{Blocks, Dtype};
pub use layer::{Linear, forward_all, forward_gated};
pub use weight::{Error, Weight};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// What weights are kept in.
pub use bytes;
pub use camelid_kernels::{Backend, Compute};
/// The arrays that stand in the signatures.
pub use ndarray;
