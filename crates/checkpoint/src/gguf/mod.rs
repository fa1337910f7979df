//! The GGUF format, versions 2 and 3: metadata, a list of tensors, aligned data; little endian.
//!
//! ```text
//! "GGUF" version:u32 tensors:u64 entries:u64 │ entries × (key, type:u32, value)
//!                                            │ tensors × (name, rank:u32, rank × extent:u64, type:u32, offset:u64)
//!                                            │ padding to general.alignment │ data, from which offsets count
//! ```
//! Extents are written fastest first, the reverse of every other format here: a weight `[out, in]` stands as in, out.
//! Reference: ggml, `docs/gguf.md`.

mod cursor;
mod file;
mod metadata;
mod parts;
mod rows;
mod types;
mod writer;

pub(crate) use file::MAGIC;
pub use file::read_gguf;
pub use metadata::{Array, Metadata, Value};
pub use parts::open_gguf;
pub use rows::{original_row, original_rows};
pub use types::types;
pub use writer::GgufWriter;
