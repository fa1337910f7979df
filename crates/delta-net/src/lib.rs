//! The gated delta rule: linear attention whose memory is one matrix per head, corrected by each token.
//!
//! ```text
//! q ← q / √(Σq² + ε) / √d_k      k ← k / √(Σk² + ε)            of each key head
//! S ← S·diag(e^g)                                              what is held fades
//! S ← S + β (v − S k) kᵀ                                       what S lacks of v under k is put in
//! o = S q
//! ```
//! q, k `[tokens, key_heads, key_dim]`, v and o `[tokens, value_heads, value_dim]`, S `[value_heads, value_dim, key_dim]`; value head h
//! reads key head ⌊h · key_heads / value_heads⌋, or h mod key_heads ([`Share`]). g ≤ 0 is one number for each head, or one for each feature of a key
//! ([`Decay`]); β is one for each head. [`Forget`] makes g of what a projection gives: g = −e^A · softplus(a + b), or bounded
//! from below, g = L · σ(e^A · (a + b)) with L < 0.
//!
//! Two forms give the same numbers. *Step by step*: as written, a pass over S for each token. *In chunks*: with c the running
//! sum of g in a chunk, and S the state before it,
//! ```text
//! A = tril₋₁(β_i k_i·k_j e^(c_i − c_j))     (I + A) U = β (V − e^c K Sᵀ)     what each token puts in, all at once
//! M = tril(q_i·k_j e^(c_i − c_j))           O = e^c Q Sᵀ + M U
//! S ← S·diag(e^c_last) + Uᵀ (K e^(c_last − c))
//! ```
//! which is products of matrices. No exponent above 0 is ever raised, whatever g is: under a decay for each feature, the
//! triangles A and M are made by halves, each referred to the place where it is cut.
//!
//! The size of the state does not grow with the text. Used by Qwen3-Next, Qwen 3.5, OLMo Hybrid (a decay for each head), Kimi
//! Linear and Ling 3 (for each feature).
//!
//! ```
//! use camelid_delta_net::{Decay, DeltaNet, Settings, Share, Tokens};
//! use camelid_kernels::Backend;
//! use ndarray::{Array2, Array3};
//!
//! let settings = Settings {
//!     key_heads: 1, value_heads: 2, share: Share::Groups, key_dim: 8, value_dim: 4, decay: Decay::Head, eps: 1e-6,
//! };
//! let net = DeltaNet::new(settings)?;
//! let mut state = net.state();
//! let (keys, values) = (Array3::ones((3, 1, 8)), Array3::ones((3, 2, 4)));
//! let decay = Array2::zeros((3, 2)); // nothing fades,
//! let rate = Array2::ones((3, 2)); // and what is lacking is put in whole
//! let tokens = Tokens {
//!     queries: keys.view(),
//!     keys: keys.view(),
//!     values: values.view(),
//!     decay: decay.view(),
//!     rate: rate.view(),
//! };
//! let o = net.forward(&tokens, &mut state, &Backend::serial());
//! assert!(o.iter().all(|o| (o - 8f32.powf(-0.5)).abs() < 1e-6)); // v, times the query's scale
//! # Ok::<(), camelid_delta_net::Error>(())
//! ```
//!
//! Yang, Kautz, Hatamizadeh, "Gated Delta Networks", 2024, <https://arxiv.org/abs/2412.06464>; Kimi Team, "Kimi Linear", 2025,
//! <https://arxiv.org/abs/2510.26692>.

mod chunk;
mod forget;
mod head;
mod net;
mod settings;
mod state;
mod triangle;

pub use forget::Forget;
pub use net::{DeltaNet, Form, Tokens};
pub use settings::{Decay, Error, Settings, Share};
pub use state::State;

pub use camelid_kernels::Backend;
/// The arrays that stand in the signatures.
pub use ndarray;

/// The README's example, kept true.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
