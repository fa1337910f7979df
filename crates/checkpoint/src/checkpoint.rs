//! A checkpoint: its configuration and its tensors, wherever they lie.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::folder::{self, Described, Held};
use crate::gguf::Metadata;
use crate::index::{Tensors, by_name};
use crate::{Error, Mapping, Source, Tensor, read_json};

/// How to open a checkpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Whether files are mapped or read.
    pub mapping: Mapping,
}

/// An opened checkpoint: every header read and checked, no data touched.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    path: PathBuf,
    described: Described,
    tensors: Tensors,
    notes: Vec<String>,
}

impl Checkpoint {
    /// Opens a Hugging Face folder or a GGUF file, mapping its files.
    ///
    /// A folder's weights are taken from the first of these that is there: `model.safetensors`,
    /// `model.safetensors.index.json` with its shards, a complete set of shards, the same of `pytorch_model.bin`, a variant
    /// such as `model.fp16.safetensors`, the only other `*.safetensors`, the only `*.gguf`. A model's folder in the hub's
    /// cache leads to what its `refs/main` names. A file of a folder's (one of its shards, its index, config.json) stands for
    /// the folder; a file of weights that is no shard, for the folder with these weights.
    ///
    /// # Errors
    /// Any [`Error`] but those of writing: see each variant.
    pub fn open(path: impl AsRef<Path>) -> Result<Checkpoint, Error> {
        Checkpoint::open_with(path, Options::default())
    }

    /// As [`Checkpoint::open`], with options.
    ///
    /// # Errors
    /// As for [`Checkpoint::open`].
    pub fn open_with(path: impl AsRef<Path>, options: Options) -> Result<Checkpoint, Error> {
        folder::open(path.as_ref(), options.mapping).map(Checkpoint::of)
    }

    /// Opens the config.json alone that a path leads to: a checkpoint without tensors. A GGUF file is opened whole.
    ///
    /// # Errors
    /// As for [`Checkpoint::open`], but none of weights.
    pub fn open_config(path: impl AsRef<Path>) -> Result<Checkpoint, Error> {
        folder::open_config(path.as_ref()).map(Checkpoint::of)
    }

    fn of(held: Held) -> Checkpoint {
        let Held { path, described, tensors, notes } = held;
        Checkpoint { path, described, tensors, notes }
    }

    /// A checkpoint in memory; `path` stands in messages.
    ///
    /// # Errors
    /// [`Error::DuplicateTensor`].
    pub fn from_parts(
        path: impl Into<PathBuf>,
        config: Map<String, Value>,
        tensors: Vec<Tensor>,
    ) -> Result<Checkpoint, Error> {
        let tensors = by_name(tensors)?;
        Ok(Checkpoint { path: path.into(), described: Described::Config(config), tensors, notes: Vec::new() })
    }

    /// What was passed over or left out on the way, a sentence each.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The folder or file that was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The folder that side files lie in: the one that was opened, or the one that the GGUF file is in.
    pub fn folder(&self) -> &Path {
        match &self.described {
            Described::Config(_) => &self.path,
            Described::Gguf(_) => self.path.parent().unwrap_or(Path::new("")),
        }
    }

    /// The object in a side file such as `generation_config.json` or `tokenizer_config.json`; none where there is no
    /// such file.
    ///
    /// # Errors
    /// As for [`read_json`].
    pub fn side_file(&self, name: &str) -> Result<Option<Map<String, Value>>, Error> {
        match read_json(&self.folder().join(name)) {
            Ok(object) => Ok(Some(object)),
            Err(Error::Io { source, .. }) if source.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The object in `config.json`, keys in the order of the file; none for a GGUF file.
    pub fn config(&self) -> Option<&Map<String, Value>> {
        match &self.described {
            Described::Config(config) => Some(config),
            Described::Gguf(_) => None,
        }
    }

    /// The metadata of a GGUF file; none for a folder with a `config.json`.
    pub fn gguf_metadata(&self) -> Option<&Metadata> {
        match &self.described {
            Described::Config(_) => None,
            Described::Gguf(metadata) => Some(metadata),
        }
    }

    /// The tensors, in the order of their names.
    pub fn tensors(&self) -> impl ExactSizeIterator<Item = &Tensor> {
        self.tensors.values()
    }

    /// Takes the pages of mapped files out of this process's memory, so that one who reads a checkpoint in order never holds
    /// more of it than is at hand. What is read again is there again.
    pub fn release(&self) {
        let mut done: Vec<*const Source> = Vec::new();
        for source in self.tensors.values().map(Tensor::source) {
            if !done.contains(&Arc::as_ptr(source)) {
                done.push(Arc::as_ptr(source));
                source.release();
            }
        }
    }

    /// The tensor of this name.
    pub fn tensor(&self, name: &str) -> Option<&Tensor> {
        self.tensors.get(name)
    }
}
