//! A checkpoint as people have it, opened: its family, its config.json, and the files beside its weights.

use std::path::{Path, PathBuf};

use camelid_checkpoint::{Checkpoint, Mapping, Options, hub};
use camelid_families::{Allow, Architecture, Backend, Declaration, Library, Model};
use camelid_tokenizers::Tokenizer;
use serde_json::{Map, Value as Json};

use crate::Error;
use crate::opening::beside::Beside;
use crate::opening::defaults::{Defaults, ids};
use crate::opening::vocabulary;

/// How to open a checkpoint.
#[derive(Debug, Clone, Default)]
pub struct How {
    /// The family, where it is not to be told from config.json.
    pub family: Option<String>,
    /// Whether files are mapped or read.
    pub mapping: Mapping,
    /// Keys and tensors that are waved through.
    pub allow: Allow,
}

/// An opened checkpoint: nothing but headers and small files was read.
pub struct Opened {
    pub(super) declaration: Declaration,
    pub(super) config: Map<String, Json>,
    /// The tensors in the family's order.
    pub(super) checkpoint: Checkpoint,
    /// What was opened.
    pub(super) source: Checkpoint,
    allow: Allow,
}

impl Opened {
    /// Opens a folder, a GGUF file, or a name of the hub's that is in the local cache (`ORG/NAME`).
    ///
    /// # Errors
    /// [`Error::NoModel`]; no family reads the checkpoint, or several do and differ; a file that can't be read.
    pub fn open(library: &Library, model: &str, how: &How) -> Result<Opened, Error> {
        let path = resolve(model)?;
        let source = Checkpoint::open_with(&path, Options { mapping: how.mapping })?;
        let allow = how.allow.clone();
        if source.gguf_metadata().is_some() {
            let read = library.from_gguf(&source, how.family.as_deref(), &allow)?;
            let (declaration, config, checkpoint) = (read.declaration, read.config, read.checkpoint);
            return Ok(Opened { declaration, config, checkpoint, source, allow });
        }
        let config = source.config().cloned().unwrap_or_default();
        let declaration = match &how.family {
            Some(name) => library.get(name)?,
            None => library.detect(&config, &allow.keys).map_err(|error| told(&path, error))?.family,
        };
        let declaration = declaration.clone();
        Ok(Opened { declaration, config, checkpoint: source.clone(), source, allow })
    }

    /// What was opened.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.source.path()
    }

    /// The family.
    #[must_use]
    pub fn family(&self) -> &Declaration {
        &self.declaration
    }

    /// The config.json, or what the metadata of a GGUF file amount to.
    #[must_use]
    pub fn config(&self) -> &Map<String, Json> {
        &self.config
    }

    /// The tensors, under the names that the family gives them.
    #[must_use]
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// The architecture.
    ///
    /// # Errors
    /// [`camelid_families::Error::Misfit`] with every key and every tensor that does not fit.
    pub fn architecture(&self) -> Result<Architecture, Error> {
        Ok(self.declaration.architecture(&self.config, &self.checkpoint, &self.allow)?)
    }

    /// The model; `progress` hears how many of how many tensors are read.
    ///
    /// # Errors
    /// As [`Opened::architecture`] and [`Model::load`].
    pub fn model(&self, backend: Backend, progress: &mut dyn FnMut(usize, usize)) -> Result<Model, Error> {
        let architecture = self.architecture()?;
        let allowed = &self.allow.tensors;
        Ok(Model::load(architecture, &self.checkpoint, backend, allowed, progress)?)
    }

    /// The tokenizer, with what the family's `[tokenizer]` table and the files beside it say. It may have more ids than the
    /// model has rows: such an id is an error where it is fed.
    ///
    /// # Errors
    /// No tokenizer, or one that its family does not fit.
    pub fn tokenizer(&self) -> Result<Box<dyn Tokenizer>, Error> {
        match self.source.gguf_metadata() {
            Some(metadata) => vocabulary::of_gguf(self.path(), metadata),
            None => {
                let beside = Beside::read(self.path())?;
                vocabulary::of_folder(self.path(), Some(&self.declaration), &self.config, &beside)
            }
        }
    }

    /// What the checkpoint says of how to generate: `generation_config.json`, and EOS of `config.json`.
    ///
    /// # Errors
    /// A value of the wrong type.
    pub fn defaults(&self) -> Result<Defaults, Error> {
        let mut defaults = Defaults::read(&self.side_file("generation_config.json")?)
            .map_err(|message| self.file("generation_config.json", message))?;
        // A GGUF file's own vocabulary knows more ends than the one that the metadata call EOS: its frame has them all.
        if defaults.eos.is_empty() && self.source.gguf_metadata().is_none() {
            defaults.eos =
                ids(self.config.get("eos_token_id")).map_err(|message| self.file("config.json", message))?;
        }
        Ok(defaults)
    }

    /// A file beside the weights; empty where there is none. A GGUF file stands alone.
    pub(super) fn side_file(&self, name: &str) -> Result<Map<String, Json>, Error> {
        if self.source.gguf_metadata().is_some() {
            return Ok(Map::new());
        }
        Ok(self.source.side_file(name)?.unwrap_or_default())
    }

    pub(super) fn file(&self, name: &str, message: String) -> Error {
        Error::File { path: self.path().join(name), message }
    }
}

impl std::fmt::Debug for Opened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Opened").field("path", &self.path()).field("family", &self.declaration.name).finish()
    }
}

/// The path of a model: as given, else as a name of the hub's, in the local cache.
fn resolve(model: &str) -> Result<PathBuf, Error> {
    let path = Path::new(model);
    if path.exists() {
        return Ok(path.to_owned());
    }
    let could_be_a_name = model.split('/').count() == 2 && !model.starts_with(['.', '/', '~']);
    match could_be_a_name.then(|| hub::resolve(model)) {
        Some(Ok(found)) => Ok(found),
        Some(Err(error)) => Err(Error::NoModel { name: model.to_owned(), also: Some(error.to_string()) }),
        None => Err(Error::NoModel { name: model.to_owned(), also: None }),
    }
}

fn told(path: &Path, error: camelid_families::Error) -> Error {
    match error {
        camelid_families::Error::Undetected(message) => Error::File { path: path.to_owned(), message },
        other => other.into(),
    }
}
