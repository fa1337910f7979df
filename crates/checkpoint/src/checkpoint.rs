//! A checkpoint: its configuration and its tensors, wherever they lie.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::index::{insert_all, read_sharded};
use crate::{Error, Mapping, Source, Tensor, read_json, read_safetensors};

const LOOKED_FOR: &str = "model.safetensors, model.safetensors.index.json, one *.safetensors";

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
    config: Option<Map<String, Value>>,
    tensors: BTreeMap<String, Tensor>,
}

impl Checkpoint {
    /// Opens a Hugging Face folder, mapping its files.
    ///
    /// Weights are taken from the first of these that is there, as in transformers: `model.safetensors`,
    /// `model.safetensors.index.json` with its shards, the only `*.safetensors` of the folder.
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
        let folder = path.as_ref();
        let names = file_names(folder)?;
        let config = read_json(&folder.join("config.json"))?;
        let tensors = read_folder(folder, &names, options.mapping)?;
        Ok(Checkpoint { path: folder.to_owned(), config: Some(config), tensors })
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
        let mut by_name = BTreeMap::new();
        insert_all(&mut by_name, tensors)?;
        Ok(Checkpoint { path: path.into(), config: Some(config), tensors: by_name })
    }

    /// The folder or file that was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The object in `config.json`, keys in the order of the file; none for a GGUF file.
    pub fn config(&self) -> Option<&Map<String, Value>> {
        self.config.as_ref()
    }

    /// The tensors, in the order of their names.
    pub fn tensors(&self) -> impl ExactSizeIterator<Item = &Tensor> {
        self.tensors.values()
    }

    /// The tensor of this name.
    pub fn tensor(&self, name: &str) -> Option<&Tensor> {
        self.tensors.get(name)
    }
}

/// The names in a folder, sorted. Names that are not Unicode are none of ours.
fn file_names(folder: &Path) -> Result<Vec<String>, Error> {
    let io = |source| Error::Io { path: folder.to_owned(), source };
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(io)? {
        names.extend(entry.map_err(io)?.file_name().into_string());
    }
    names.sort();
    Ok(names)
}

fn read_folder(folder: &Path, names: &[String], mapping: Mapping) -> Result<BTreeMap<String, Tensor>, Error> {
    let safetensors = |path: &Path| read_safetensors(&Arc::new(Source::open(path, mapping)?));
    let has = |name: &str| names.iter().any(|other| other == name);
    let mut tensors = BTreeMap::new();
    if has("model.safetensors") {
        insert_all(&mut tensors, safetensors(&folder.join("model.safetensors"))?)?;
    } else if has("model.safetensors.index.json") {
        tensors = read_sharded(&folder.join("model.safetensors.index.json"), safetensors)?;
    } else if let Some(name) = only(folder, names, ".safetensors")? {
        insert_all(&mut tensors, safetensors(&folder.join(name))?)?;
    } else {
        return Err(Error::NoWeights { path: folder.to_owned(), looked_for: LOOKED_FOR });
    }
    Ok(tensors)
}

/// The one name with this ending, if there is one; several are an error.
fn only<'a>(folder: &Path, names: &'a [String], ending: &str) -> Result<Option<&'a str>, Error> {
    let mut matching = names.iter().filter(|name| name.ends_with(ending));
    match (matching.next(), matching.next()) {
        (first, None) => Ok(first.map(String::as_str)),
        _ => {
            let candidates = names.iter().filter(|name| name.ends_with(ending)).cloned().collect();
            Err(Error::Ambiguous { path: folder.to_owned(), candidates })
        }
    }
}
