//! Checkpoints of language models, as people have them on disk: validated, then handed out as stored.
//!
//! A [`Checkpoint`] is a configuration and tensors by name. Opening reads headers only; a [`Tensor`] is a name, a
//! [`Dtype`], a shape (`[out, in]` for a weight) and a range of a mapped file, whose bytes are shared, not copied.
//! Formats: safetensors (one file or shards), `pytorch_model.bin` (likewise), GGUF, and [`hub`] for names in the local
//! cache; NumPy's files for dumps. [`Writer`] writes safetensors. One [`Error`] for all, with file, tensor, key and value.
//!
//! ```
//! use camelid_checkpoint::{Checkpoint, Dtype};
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path();
//! # std::fs::write(path.join("config.json"), r#"{"hidden_size": 2}"#)?;
//! # let header = r#"{"norm.weight":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#;
//! # let mut file = (header.len() as u64).to_le_bytes().to_vec();
//! # file.extend(header.as_bytes());
//! # file.extend([1_f32, -0.5].iter().flat_map(|x| x.to_le_bytes()));
//! # std::fs::write(path.join("model.safetensors"), file)?;
//! let checkpoint = Checkpoint::open(path)?;
//! assert_eq!(checkpoint.config().ok_or("no config.json")?["hidden_size"], 2);
//! let norm = checkpoint.tensor("norm.weight").ok_or("no such tensor")?;
//! assert_eq!((norm.dtype(), norm.shape()), (Dtype::F32, &[2][..]));
//! assert_eq!(norm.to_f32()?, [1.0, -0.5]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#[cfg(target_endian = "big")]
compile_error!("every format here is little endian, and bytes are shared as stored");

mod checkpoint;
mod dtype;
mod error;
mod folder;
pub mod gguf;
pub mod hub;
mod index;
mod json;
mod numpy;
mod quantised;
mod safetensors;
mod source;
mod tensor;
mod torch;
mod writer;
mod zip;

pub use checkpoint::{Checkpoint, Options};
pub use dtype::{Dtype, Unread};
pub use error::Error;
pub use folder::things::told;
pub use gguf::read_gguf;
pub use json::{JSON_LIMIT, parse_json, read_json};
pub use numpy::{read_npy, read_npz};
pub use safetensors::read_safetensors;
pub use source::{Mapping, Source};
pub use tensor::Tensor;
pub use torch::read_torch;
pub use writer::{Planned, Writer, write_file, write_safetensors};

/// The README's example, compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
