//! The family tree of Llama-like language models: small exact crates, composed by data, proved against the originals.
//!
//! This crate is the facade: each module is one of the crates under a shorter name. Who needs one piece depends on that
//! piece alone (`cargo add camelid-rope`).
//!
//! ```
//! use camelid::families::Library;
//!
//! let library = Library::built_in()?;
//! let gemma2 = library.get("gemma2")?;
//! assert_eq!(gemma2.chain, ["gemma2", "gemma1", "llama1", "base"]);
//! # Ok::<(), camelid::families::Error>(())
//! ```
//!
//! With the feature `cli` (the default) it also holds the command `camelid`, one module for each subcommand.

#[doc(inline)]
pub use camelid_alibi as alibi;
#[doc(inline)]
pub use camelid_attention as attention;
#[doc(inline)]
pub use camelid_checkpoint as checkpoint;
#[doc(inline)]
pub use camelid_delta_net as delta_net;
#[doc(inline)]
pub use camelid_dual_chunk as dual_chunk;
#[doc(inline)]
pub use camelid_experts as experts;
#[doc(inline)]
pub use camelid_families as families;
#[cfg(feature = "fetch")]
#[doc(inline)]
pub use camelid_fetch as fetch;
#[doc(inline)]
pub use camelid_generate as generate;
#[doc(inline)]
pub use camelid_kernels as kernels;
#[doc(inline)]
pub use camelid_latent as latent;
#[doc(inline)]
pub use camelid_linear as linear;
#[doc(inline)]
pub use camelid_mlp as mlp;
#[doc(inline)]
pub use camelid_norm as norm;
#[doc(inline)]
pub use camelid_rope as rope;
#[cfg(feature = "serve")]
#[doc(inline)]
pub use camelid_serve as serve;
#[doc(inline)]
pub use camelid_short_conv as short_conv;
#[doc(inline)]
pub use camelid_tokenizers as tokenizers;
#[doc(inline)]
pub use camelid_verify as verify;
#[doc(inline)]
pub use camelid_yarn as yarn;

#[cfg(feature = "cli")]
pub mod commands;
