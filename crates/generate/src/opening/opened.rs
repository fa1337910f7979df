//! A checkpoint as people have it, opened: its family, its config.json, and the files beside its weights.

use std::path::Path;
use std::sync::OnceLock;

use camelid_checkpoint::{Checkpoint, Options};
use camelid_families::{Allow, Architecture, Backend, Class, Declaration, Library, Model, Plan, Role};
use camelid_tokenizers::Tokenizer;
use serde_json::{Map, Value as Json};

use crate::Error;
use crate::opening::beside::Beside;
use crate::opening::converted::Converted;
use crate::opening::defaults::{Defaults, ids};
use crate::opening::how::{How, POOLED, Purpose, is_pooled, locate, makes_no_text, told};
use crate::opening::vocabulary;

/// An opened checkpoint: nothing but headers and small files was read.
pub struct Opened {
    pub(super) declaration: Declaration,
    pub(super) config: Map<String, Json>,
    /// The family whose vocabulary and chat it has, where that is another, with the config.json that those are read over.
    voice: Option<(Declaration, Map<String, Json>)>,
    /// The tensors in the family's order.
    pub(super) checkpoint: Checkpoint,
    /// What was opened.
    pub(super) source: Checkpoint,
    allow: Allow,
    notes: Vec<String>,
    /// What config.json says that makes no text, where it was opened all the same.
    other: Option<String>,
    architecture: OnceLock<Architecture>,
}

impl Opened {
    /// Opens a folder, a GGUF file, or a name of the hub's that is in the local cache (`ORG/NAME`).
    ///
    /// # Errors
    /// [`Error::NoModel`]; no family reads the checkpoint, or several do and differ; a file that can't be read.
    pub fn open(library: &Library, model: &str, how: &How) -> Result<Opened, Error> {
        let path = locate(model)?;
        let source = Checkpoint::open_with(&path, Options { mapping: how.mapping });
        let source = source.or_else(|error| match (&error, how.purpose) {
            (camelid_checkpoint::Error::NoWeights { .. }, Purpose::Look) => {
                Checkpoint::open_config(&path).map_err(|_| error)
            }
            _ => Err(error),
        })?;
        let mut notes = source.notes().to_vec();
        let allow = how.allow.clone();
        let mut voice = None;
        let (declaration, config, checkpoint) = if let Some(metadata) = source.gguf_metadata() {
            if let (Some(says), None) = (makes_no_text(metadata), &how.family) {
                return Err(Error::File { path, message: says });
            }
            let read = library.from_gguf(&source, how.family.as_deref(), &allow)?;
            (read.declaration, read.config, read.checkpoint)
        } else {
            let config = source.config().cloned().unwrap_or_default();
            let converted = Converted::read(source.folder())?;
            voice = converted.as_ref().and_then(|converted| converted.voice(library));
            let recorded = converted.and_then(|converted| converted.family(library, &config));
            let declaration = match (&how.family, recorded) {
                (Some(name), _) => library.get(name)?,
                (None, Some(family)) => family,
                (None, None) => {
                    library.detect(&config, &allow.keys).map_err(|error| told(&path, error))?.family
                }
            };
            let renamed = declaration.renamed(&config, &source, &allow)?;
            let (checkpoint, note) =
                renamed.map_or((source.clone(), None), |(renamed, note)| (renamed, Some(note)));
            notes.extend(note);
            (declaration.clone(), config, checkpoint)
        };
        let architecture = OnceLock::new();
        let mut opened = Opened {
            declaration,
            config,
            voice,
            checkpoint,
            source,
            allow,
            notes,
            other: None,
            architecture,
        };
        opened.hold_to_class(how)?;
        opened.tell_of_tensors()?;
        Ok(opened)
    }

    /// A head that is kept though config.json says that there is none of its own, and matrices of zeros.
    fn tell_of_tensors(&mut self) -> Result<(), Error> {
        let Ok(architecture) = self.architecture() else { return Ok(()) };
        let plan = architecture.plan();
        let says = self.declaration.resolve(&self.config, &self.allow.keys);
        if says.is_ok_and(|says| says.output.tie) && !architecture.output.tie {
            let head = plan.tensors.iter().find(|planned| planned.roles == [Role::Output]);
            let name = head.map_or("", |planned| &planned.name);
            self.notes.push(format!(
                "config.json says that the head is the embedding, and `{name}` is another: it is kept; --allow-tensor {name} passes over it"
            ));
        }
        self.tell_of_parts(&plan);
        let matrices = plan.tensors.iter().filter(|planned| planned.shape.len() > 1);
        let mut zeros = Vec::new();
        for tensor in matrices.filter_map(|planned| self.checkpoint.tensor(&planned.name)) {
            if tensor.is_zero()? {
                zeros.push(tensor.name());
            }
        }
        if let [first, ..] = zeros[..] {
            let note = format!(
                "{} of the matrices hold zeros only, the first `{first}`: was the download complete?",
                zeros.len()
            );
            self.notes.push(note);
        }
        Ok(())
    }

    /// Tensors of other parts of a larger model, which are not read.
    fn tell_of_parts(&mut self, plan: &Plan) {
        let aside = self.declaration.set_aside(plan, &self.checkpoint);
        if let [first, ..] = aside[..] {
            let note = format!(
                "{} tensors of other parts of the model are set aside, the first `{first}`",
                aside.len()
            );
            self.notes.push(note);
        }
    }

    /// A class that is not the family's own is refused where text is wanted, unless the family was named.
    fn hold_to_class(&mut self, how: &How) -> Result<(), Error> {
        let pooled = is_pooled(self.source.folder()).then(|| POOLED.to_owned());
        let says = match (self.declaration.class(&self.config), pooled) {
            (Class::Own, None) => return Ok(()),
            (Class::Base(name), None) => {
                let note =
                    format!("config.json names the class `{name}`, which has no head: it is the embedding");
                self.notes.push(note);
                return Ok(());
            }
            (Class::Inside(name), None) => {
                let note = format!(
                    "the text model inside `{name}` is read alone: what that takes in beside text is set aside"
                );
                self.notes.push(note);
                return Ok(());
            }
            (_, Some(says)) => says,
            (Class::Other(says), None) => format!("config.json {says}"),
        };
        let family = &self.declaration.name;
        if how.family.is_some() {
            self.notes.push(format!("{says}; it is read as `{family}` all the same, as you asked"));
            return Ok(());
        }
        match how.purpose {
            Purpose::Text => Err(self.no_text(says)),
            Purpose::Look => {
                let note = format!("{says}; it is not run, unless --family {family} insists");
                self.other = Some(says);
                // Where it does not fit either, the error says so.
                if self.architecture().is_ok() {
                    self.notes.push(note);
                }
                Ok(())
            }
        }
    }

    fn no_text(&self, says: String) -> Error {
        let (path, family) = (self.path().to_owned(), self.declaration.name.clone());
        Error::NoText { path, says, family }
    }

    /// What is to be told beside the result: what was left out, or is not as it seems.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// What was opened.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.source.path()
    }

    /// Whether there are weights; a config.json alone can be looked at.
    #[must_use]
    pub fn has_weights(&self) -> bool {
        self.checkpoint.tensors().len() > 0
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
        if let Some(architecture) = self.architecture.get() {
            return Ok(architecture.clone());
        }
        let architecture = if self.has_weights() {
            self.declaration.architecture(&self.config, &self.checkpoint, &self.allow)
        } else {
            self.declaration.resolve(&self.config, &self.allow.keys).map_err(|unresolved| {
                let (place, family) = (self.path().display().to_string(), self.declaration.name.clone());
                camelid_families::Error::Misfit { place, family, problems: unresolved.problems }
            })
        };
        let architecture = architecture.map_err(|error| {
            // That it is another model is the reason for whatever does not fit.
            self.other.clone().map_or_else(|| error.into(), |says| self.no_text(says))
        })?;
        Ok(self.architecture.get_or_init(|| architecture).clone())
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
                let (family, config) = self.voice();
                vocabulary::of_folder(self.path(), Some(family), config, &beside)
            }
        }
    }

    /// The metadata, where it is a GGUF file.
    #[must_use]
    pub fn gguf_metadata(&self) -> Option<&camelid_checkpoint::gguf::Metadata> {
        self.source.gguf_metadata()
    }

    /// The vocabulary as the arrays of a GGUF file: such a file's own, or those that a folder's would be.
    ///
    /// # Errors
    /// There is none, or one of a kind that the format has no room for.
    pub fn gguf_vocabulary(&self) -> Result<camelid_tokenizers::Gguf, Error> {
        if let Some(metadata) = self.source.gguf_metadata() {
            return vocabulary::arrays_of_gguf(self.path(), metadata);
        }
        let (family, config) = self.voice();
        vocabulary::arrays_of_folder(self.path(), family, config, &Beside::read(self.path())?)
    }

    /// The vocabulary as a `tokenizer.json`.
    ///
    /// # Errors
    /// As [`Opened::gguf_vocabulary`].
    pub fn tokenizer_json(&self) -> Result<String, Error> {
        let (arrays, tokenizer) = (self.gguf_vocabulary()?, self.tokenizer()?);
        let (family, config) = self.voice();
        let normalization = match self.source.gguf_metadata() {
            Some(_) => camelid_tokenizers::Normalization::None,
            None => vocabulary::normalization(self.path(), family, config)?,
        };
        Ok(camelid_tokenizers::tokenizer_json(&arrays, &*tokenizer, normalization)?)
    }

    /// The family whose vocabulary and chat the checkpoint has, and the config.json that these are read over: its own, but for
    /// one that was converted.
    #[must_use]
    pub fn voice(&self) -> (&Declaration, &Map<String, Json>) {
        self.voice.as_ref().map_or((&self.declaration, &self.config), |(family, config)| (family, config))
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
