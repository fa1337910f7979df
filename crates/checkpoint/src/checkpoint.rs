//! A checkpoint: its configuration and its tensors, wherever they lie.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::gguf::{self, Metadata};
use crate::index::{by_name, read_sharded};
use crate::{Error, Mapping, Source, Tensor, read_json, read_safetensors, read_torch};

const LOOKED_FOR: &str = "model.safetensors, model.safetensors.index.json, one *.safetensors, \
                          pytorch_model.bin, pytorch_model.bin.index.json, one *.gguf";

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
    tensors: BTreeMap<String, Tensor>,
}

/// What a checkpoint says about its model.
#[derive(Clone, Debug)]
enum Described {
    Config(Map<String, Value>),
    Gguf(Metadata),
}

impl Checkpoint {
    /// Opens a Hugging Face folder or a GGUF file, mapping its files.
    ///
    /// A folder's weights are taken from the first of these that is there, as in transformers: `model.safetensors`,
    /// `model.safetensors.index.json` with its shards, the only `*.safetensors`, `pytorch_model.bin`,
    /// `pytorch_model.bin.index.json` with its shards, the only `*.gguf`.
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
        let path = path.as_ref();
        let metadata = std::fs::metadata(path);
        let metadata = metadata.map_err(|source| Error::Io { path: path.to_owned(), source })?;
        if metadata.is_dir() { open_folder(path, options.mapping) } else { open_file(path, options.mapping) }
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
        Ok(Checkpoint { path: path.into(), described: Described::Config(config), tensors })
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

fn open_folder(folder: &Path, mapping: Mapping) -> Result<Checkpoint, Error> {
    let names = file_names(folder)?;
    let safetensors = |path: &Path| read_safetensors(&Arc::new(Source::open(path, mapping)?));
    let torch = |path: &Path| read_torch(&Arc::new(Source::open(path, mapping)?));
    let has = |name: &str| names.iter().any(|other| other == name);
    let tensors = if has("model.safetensors") {
        by_name(safetensors(&folder.join("model.safetensors"))?)?
    } else if has("model.safetensors.index.json") {
        read_sharded(&folder.join("model.safetensors.index.json"), safetensors)?
    } else if let Some(name) = only(folder, &names, ".safetensors")? {
        by_name(safetensors(&folder.join(name))?)?
    } else if has("pytorch_model.bin") {
        by_name(torch(&folder.join("pytorch_model.bin"))?)?
    } else if has("pytorch_model.bin.index.json") {
        read_sharded(&folder.join("pytorch_model.bin.index.json"), torch)?
    } else if let Some(name) = only(folder, &names, ".gguf")? {
        return open_file(&folder.join(name), mapping);
    } else {
        return Err(Error::NoWeights { path: folder.to_owned(), looked_for: LOOKED_FOR });
    };
    let config = read_json(&folder.join("config.json"))?;
    Ok(Checkpoint { path: folder.to_owned(), described: Described::Config(config), tensors })
}

fn open_file(path: &Path, mapping: Mapping) -> Result<Checkpoint, Error> {
    let source = Arc::new(Source::open(path, mapping)?);
    if source.read(0..source.len().min(4))? != gguf::MAGIC[..] {
        let problem =
            "not a GGUF file; for other formats name the folder, which has the config.json".to_owned();
        return Err(Error::Unsupported { path: path.to_owned(), problem });
    }
    let (metadata, tensors) = gguf::open_gguf(path, mapping)?;
    Ok(Checkpoint { path: path.to_owned(), described: Described::Gguf(metadata), tensors: by_name(tensors)? })
}

/// The one name with this ending, if there is one; several are an error, and so is a part of a set without its index.
fn only<'a>(folder: &Path, names: &'a [String], ending: &str) -> Result<Option<&'a str>, Error> {
    let matching: Vec<&String> = names.iter().filter(|name| name.ends_with(ending)).collect();
    match matching[..] {
        [] => Ok(None),
        [name] if is_part(name) => {
            let problem = "one of several shards; the others, or the index that lists them, are missing";
            Err(Error::Unsupported { path: folder.join(name), problem: problem.to_owned() })
        }
        [name] => Ok(Some(name)),
        [..] => {
            let candidates = matching.into_iter().cloned().collect();
            Err(Error::Ambiguous { path: folder.to_owned(), candidates })
        }
    }
}

/// `model-00001-of-00002.safetensors`: the usual name of one shard of several.
fn is_part(name: &str) -> bool {
    let Some((stem, of)) = name.split('.').next().and_then(|stem| stem.rsplit_once("-of-")) else {
        return false;
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits(of) && of != "00001" && stem.rsplit('-').next().is_some_and(digits)
}
