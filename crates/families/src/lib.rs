//! The family tree of Llama-like language models, as data.
//!
//! A family is a TOML file that extends another family's file and says what differs (`families/` in this crate; the root
//! is `llama1.toml`). A [`Library`] holds them all; a [`Declaration`] is one with all that it inherits;
//! [`Declaration::resolve`] takes it and a `config.json` to plain numbers, the [`Architecture`]. From that alone follow the
//! [`Plan`] of tensors and, with a checkpoint, the [`Model`].
//!
//! ```
//! use camelid_families::Library;
//!
//! let library = Library::built_in()?;
//! let family = library.get("gemma2")?;
//! let size = &family.sizes[0];
//! let architecture = family.resolve(&size.config, &[]).expect("a published size resolves");
//! assert_eq!(architecture.plan().parameters(), size.parameters);
//! assert_eq!(architecture.layers[0].attention.window, Some(4096)); // local and global layers by turns
//! assert_eq!(architecture.layers[1].attention.window, None);
//! # Ok::<(), camelid_families::Error>(())
//! ```
//!
//! No family's name stands in this crate's Rust: a family that does not fit needs a new word in the schema
//! (`src/architecture.rs`), for any family to use.

mod architecture;
mod branch;
mod cache;
mod check;
mod chunks;
mod config;
mod convert;
mod declaration;
mod detect;
mod error;
mod expr;
mod fields;
mod file;
mod fit;
mod formula;
mod gguf;
mod layer;
mod library;
mod load;
mod model;
mod open;
mod plan;
mod rearrange;
mod resolve;
mod roles;
mod rotary;
mod rows;
mod scaling;
mod scope;
mod tap;
mod template;
mod weights;
mod words;

pub use architecture::{
    Architecture, At, Attention, Block, By, Embedding, Layer, Length, Mlp, MlpKind, Named, Norm, Output, Per,
    Position, Prefix, Residual, Rope, Round, Stack, Wiring,
};
pub use cache::Cache;
pub use camelid_kernels::{Backend, Compute};
pub use convert::Conversion;
pub use declaration::Declaration;
pub use detect::Detected;
pub use error::{Error, Origin, Problem};
pub use expr::{Entry, Expr};
pub use fields::{Fields, difference};
pub use file::{Entries, Gguf, Size};
pub use formula::Formula;
pub use gguf::FromGguf;
pub use library::Library;
pub use model::Model;
pub use open::Allow;
pub use plan::{Plan, Planned};
pub use rearrange::{Piece, Rearranged};
pub use resolve::{Unresolved, formulas};
pub use roles::Role;
pub use scaling::Scaling;
pub use tap::{Observer, Stage, Tap};
pub use words::{TABLES, Word, tensor_attributes, words};
