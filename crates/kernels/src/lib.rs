//! The arithmetic that must be fast, and the threads it runs on.
//!
//! A [`Backend`] says where and how arithmetic runs: the threads, the instruction set ([`Isa`]) and the type that
//! products are computed in ([`Compute`]). It is a cheap handle, owned by the caller and passed by reference.
//!
//! ```text
//! product       y[t, o] = Σ_i x[t, i] · w[o, i]          weights f32, bf16, f16 or quantised, as stored; f32 sums
//! gated         y[t, o] = f(x · g[o], x · u[o])           of two products at once
//! key_scores    s[i, j] = Σ_c q[i, c] · k[j, c]          keys in panels of 32 positions
//! value_sums    o[i, c] = Σ_j p[i, j] · v[j, c]          values in panels of 32 features
//! delta_step    S ← S·diag(d) + β(v − S d k)kᵀ; S q       a state of one head
//! dot, axpy, scale, max, exp, exp_sum, sigmoid, tanh, erf over slices
//! ```
//!
//! **The contract.** Every result is the same bits for any number of threads: a sum is never split across threads.
//! Between instruction sets the order of a sum differs, so results differ in the last bits.
//!
//! ```
//! use camelid_kernels::{Backend, Rows};
//!
//! let weight = [1.0, 2.0, 3.0, 4.0]; // [2, 2]
//! let [y] = Backend::serial().multiply(&[10.0, 1.0], 1, [Rows::F32(&weight)]);
//! assert_eq!(y, [12.0, 34.0]);
//! ```

mod backend;
mod blocks;
mod math;
mod panels;
mod pool;
mod product;
mod register;
mod rows;
mod scratch;
mod simd;
mod state;
mod vector;

pub use backend::{Backend, Compute};
pub use panels::{BF16_DEPTH, Factors, LANES, Lane, PANEL, PANEL_ROWS, Tile};
pub use product::Meeting;
pub use rows::{Blocks, Dtype, Rows};
pub use simd::Isa;
pub use state::DeltaStep;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
