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
//! (`src/waist/architecture.rs`), for any family to use.

mod composed;
mod doors;
mod error;
mod resolved;
mod waist;
mod written;

pub use camelid_kernels::{Backend, Compute};
pub use composed::cache::Cache;
pub use composed::loaded::memory::{LoadedBytes, loaded_bytes};
pub use composed::loaded::stored::in_blocks;
pub use composed::model::{Model, Next};
pub use composed::tap::{Observer, Stage, Tap};
pub use doors::convert::{Allowed, Conversion, InFile, Source};
pub use doors::engines::{Engine, Form, Limit, Seen, engine, engines, own_form};
pub use doors::folding::recipe::{Numbers, Piece, Rearranged, Step};
pub use doors::folding::stream::{Rounding, Stream, in_memory};
pub use doors::folding::{Fold, Grade};
pub use doors::gguf::FromGguf;
pub use doors::open::Allow;
pub use error::{Error, Origin, Problem};
pub use resolved::class::Class;
pub use resolved::detect::Detected;
pub use resolved::resolve::{Unresolved, formulas};
pub use waist::architecture::{
    Architecture, Attention, Block, Embedding, Layer, Length, Mlp, MlpKind, Norm, Output, Position, Prefix,
    Residual, Rest, Rope, Round, Stack, Values, Wiring,
};
pub use waist::fields::{Fields, difference};
pub use waist::kinds::Kind;
pub use waist::named::{At, By, EXPERT, Lies, Named, Per, Suffix};
pub use waist::plan::{Part, Plan, Planned};
pub use waist::roles::Role;
pub use waist::scaling::Scaling;
pub use waist::tables::delta::{Delta, Share};
pub use waist::tables::experts::Experts;
pub use waist::tables::latent::Latent;
pub use waist::tables::per_layer::PerLayer;
pub use waist::tables::temperature::Temperature;
pub use written::declaration::Declaration;
pub use written::expr::{Entry, Expr};
pub use written::file::{Entries, Gguf, Size};
pub use written::formula::Formula;
pub use written::library::Library;
pub use written::out::{Out, out};
pub use written::said::plainly;
pub use written::unwrap::Unwrap;
pub use written::words::{TABLES, Word, tensor_attributes, words};
