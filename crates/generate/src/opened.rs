//! A checkpoint as people have it, opened: its family, its config.json, and the files beside its weights.

use std::path::{Path, PathBuf};

use camelid_checkpoint::gguf::Value as Meta;
use camelid_checkpoint::{Checkpoint, Mapping, Options, hub};
use camelid_families::{Allow, Architecture, Backend, Declaration, Library, Model};
use camelid_tokenizers::Tokenizer;
use serde_json::{Map, Value as Json};

use crate::beside::{Beside, spelled};
use crate::defaults::{Defaults, ids};
use crate::{ChatTemplate, Error, vocabulary};

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
    declaration: Declaration,
    config: Map<String, Json>,
    /// The tensors in the family's order.
    checkpoint: Checkpoint,
    /// What was opened.
    source: Checkpoint,
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
        if defaults.eos.is_empty() {
            defaults.eos =
                ids(self.config.get("eos_token_id")).map_err(|message| self.file("config.json", message))?;
        }
        Ok(defaults)
    }

    /// The chat template: the checkpoint's own, else the family's.
    ///
    /// # Errors
    /// [`Error::NoTemplate`], [`Error::Template`].
    pub fn template(&self, tokenizer: &dyn Tokenizer) -> Result<Chat, Error> {
        let said = self.side_file("tokenizer_config.json")?;
        let names = self.names(&said, tokenizer);
        let family = vocabulary::chat(&self.declaration, &self.config, self.path())?;
        if !family.precedes
            && let Some((name, source)) = self.own_template(&said)?
        {
            let template = ChatTemplate::new(&name, &source)?.with_names(names);
            return Ok(Chat { template, stop: Vec::new(), system: None });
        }
        let source = family.template.as_deref().and_then(Library::chat_template);
        let (Some(name), Some(source)) = (family.template.as_deref(), source) else {
            let (path, family) = (self.path().to_owned(), self.declaration.name.clone());
            return Err(Error::NoTemplate { path, family });
        };
        let template = ChatTemplate::new(&format!("families/chat/{name}.jinja"), source)?;
        Ok(Chat { template: template.with_names(names), stop: family.stop, system: family.system })
    }

    /// The checkpoint's own template with the place that it comes from.
    fn own_template(&self, said: &Map<String, Json>) -> Result<Option<(String, String)>, Error> {
        if let Some(metadata) = self.source.gguf_metadata() {
            let template = metadata.get("tokenizer.chat_template").and_then(Meta::as_str);
            return Ok(template.map(|text| {
                (format!("{}: tokenizer.chat_template", self.path().display()), text.to_owned())
            }));
        }
        let path = self.path().join("chat_template.jinja");
        if path.is_file() {
            let text = std::fs::read_to_string(&path)
                .map_err(|error| self.file("chat_template.jinja", error.to_string()))?;
            return Ok(Some((path.display().to_string(), text)));
        }
        let of_json = self.side_file("chat_template.json")?;
        for (file, table) in [("chat_template.json", &of_json), ("tokenizer_config.json", said)] {
            if let Some(value) = table.get("chat_template").filter(|value| !value.is_null()) {
                let text = default_template(value).map_err(|message| self.file(file, message))?;
                return Ok(Some((format!("{}: chat_template", self.path().join(file).display()), text)));
            }
        }
        Ok(None)
    }

    /// `bos_token`, `eos_token` and so on: as tokenizer_config.json spells them, else as the vocabulary does.
    fn names(&self, said: &Map<String, Json>, tokenizer: &dyn Tokenizer) -> Map<String, Json> {
        let mut names = Map::new();
        for key in ["bos_token", "eos_token", "unk_token", "pad_token"] {
            let spelled = said.get(key).and_then(spelled);
            let id = || ids(self.config.get(&format!("{key}_id"))).ok()?.first().copied();
            let name = spelled.or_else(|| String::from_utf8(tokenizer.piece(id()?)?.to_vec()).ok());
            names.extend(name.map(|name| (key.to_owned(), Json::String(name))));
        }
        names
    }

    /// A file beside the weights; empty where there is none. A GGUF file stands alone.
    fn side_file(&self, name: &str) -> Result<Map<String, Json>, Error> {
        if self.source.gguf_metadata().is_some() {
            return Ok(Map::new());
        }
        Ok(self.source.side_file(name)?.unwrap_or_default())
    }

    fn file(&self, name: &str, message: String) -> Error {
        Error::File { path: self.path().join(name), message }
    }
}

impl std::fmt::Debug for Opened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Opened").field("path", &self.path()).field("family", &self.declaration.name).finish()
    }
}

/// How to hold a conversation.
#[derive(Debug, Clone)]
pub struct Chat {
    /// The template.
    pub template: ChatTemplate,
    /// Texts that end a turn, beside EOS.
    pub stop: Vec<String>,
    /// The system text, where none is given.
    pub system: Option<String>,
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

/// The template of a string, or of a list of named ones that which is called `default`.
fn default_template(value: &Json) -> Result<String, String> {
    match value {
        Json::String(text) => Ok(text.clone()),
        Json::Array(list) => {
            let named = |entry: &&Json| entry.get("name").and_then(Json::as_str) == Some("default");
            let text = list.iter().find(named).and_then(|entry| entry.get("template")?.as_str());
            text.map(str::to_owned)
                .ok_or_else(|| "chat_template: none of the list is called `default`".into())
        }
        other => Err(format!("chat_template is {other}; it must be a string, or a list of named ones")),
    }
}
