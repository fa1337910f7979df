//! Which chat template a checkpoint is spoken to by: its own, else its family's.

use std::collections::BTreeMap;
use std::path::Path;

use camelid_checkpoint::gguf::Value as Meta;
use camelid_families::{Declaration, Library};
use camelid_tokenizers::Tokenizer;
use serde_json::{Map, Value as Json};

use crate::opening::beside;
use crate::opening::defaults::ids;
use crate::opening::opened::Opened;
use crate::opening::vocabulary;
use crate::{ChatTemplate, Error};

/// A template may be this long, in bytes.
const LONGEST: u64 = 4 << 20;

/// How to hold a conversation.
#[derive(Debug, Clone)]
pub struct Chat {
    /// The template.
    pub template: ChatTemplate,
    /// Texts that end a turn, beside EOS.
    pub stop: Vec<String>,
    /// The system text, where none is given.
    pub system: Option<String>,
    /// What a user should know of the choice: that the template is not the checkpoint's own.
    pub note: Option<String>,
}

/// Which of a checkpoint's templates.
#[derive(Debug, Clone, Default)]
pub struct WhichTemplate {
    /// The one of this name, such as `rag`.
    pub name: Option<String>,
    /// Where none is named: `tool_use`, if there is one, since tools are offered.
    pub tools: bool,
}

/// Templates by name, each with the place that it comes from.
type Named = BTreeMap<String, (String, String)>;

impl Opened {
    /// The chat template: the checkpoint's own, else the family's; the family's first where its `[chat]` table says
    /// `precedes`.
    ///
    /// # Errors
    /// [`Error::NoTemplate`], [`Error::Template`]; [`Error::File`] where none has the name, or several could be meant.
    pub fn template(&self, tokenizer: &dyn Tokenizer, which: &WhichTemplate) -> Result<Chat, Error> {
        let said = self.side_file("tokenizer_config.json")?;
        let names = self.names(&said, tokenizer)?;
        let (speaks, config) = self.voice();
        let family = vocabulary::chat(speaks, config, self.path())?;
        let own = self.own_templates(&said)?;
        let precedes = family.precedes && which.name.is_none() && family.template.is_some();
        if !own.is_empty() && !precedes {
            let (place, source) = self.chosen(&own, which)?;
            let template = ChatTemplate::new(place, source)?.with_names(names);
            return Ok(Chat { template, stop: family.stop, system: None, note: None });
        }
        let Some(form) = form(speaks, config)? else {
            let (path, family) = (self.path().to_owned(), speaks.name.clone());
            return Err(Error::NoTemplate { path, family });
        };
        if let Some(asked) = &which.name {
            return Err(self.no_such_template(asked, &own));
        }
        let title = &speaks.title;
        let note = match own.values().next() {
            Some((place, _)) => {
                format!("the conversation is written as {title}'s own code does, not by {place}")
            }
            None => format!("the checkpoint brings no chat template; {title}'s own form is used"),
        };
        Ok(Chat { template: form.template.with_names(names), note: Some(note), ..form })
    }

    /// The text of the checkpoint's own chat template called `default`, if it has one.
    #[must_use]
    pub fn template_text(&self) -> Option<String> {
        let said = self.side_file("tokenizer_config.json").ok()?;
        let own = self.own_templates(&said).ok()?;
        own.get("default").map(|(_, source)| source.clone())
    }

    fn chosen<'n>(&self, own: &'n Named, which: &WhichTemplate) -> Result<&'n (String, String), Error> {
        if let Some(name) = &which.name {
            return own.get(name).ok_or_else(|| self.no_such_template(name, own));
        }
        let for_tools = own.get("tool_use").filter(|_| which.tools);
        for_tools.or_else(|| own.get("default")).ok_or_else(|| {
            let message =
                format!("none of its chat templates is called `default`; name one: {}", listed(own));
            Error::File { path: self.path().to_owned(), message }
        })
    }

    fn no_such_template(&self, name: &str, own: &Named) -> Error {
        let there =
            if own.is_empty() { "it brings none".into() } else { format!("there are {}", listed(own)) };
        Error::File {
            path: self.path().to_owned(),
            message: format!("no chat template is called `{name}`; {there}"),
        }
    }

    /// The checkpoint's own templates, in transformers' order of files.
    fn own_templates(&self, said: &Map<String, Json>) -> Result<Named, Error> {
        if let Some(metadata) = self.source.gguf_metadata() {
            let own = metadata.iter().filter_map(|(key, value)| {
                let name = key.strip_prefix("tokenizer.chat_template")?;
                let name = if name.is_empty() { "default" } else { name.strip_prefix('.')? };
                let place = format!("{}: {key}", self.path().display());
                Some((name.to_owned(), (place, Meta::as_str(value)?.to_owned())))
            });
            return Ok(own.collect());
        }
        let mut own = Named::new();
        let file = self.path().join("chat_template.jinja");
        if file.is_file() {
            own.insert("default".into(), self.template_file(&file)?);
        }
        for (name, file) in more_templates(&self.path().join("additional_chat_templates")) {
            own.insert(name, self.template_file(&file)?);
        }
        if !own.is_empty() {
            return Ok(own);
        }
        let of_json = self.side_file("chat_template.json")?;
        for (file, table) in [("chat_template.json", &of_json), ("tokenizer_config.json", said)] {
            if let Some(value) = table.get("chat_template").filter(|value| !value.is_null()) {
                let place = format!("{}: chat_template", self.path().join(file).display());
                return named(value, &place).map_err(|message| self.file(file, message));
            }
        }
        Ok(own)
    }

    fn template_file(&self, path: &Path) -> Result<(String, String), Error> {
        let wrong = |message: String| Error::File { path: path.to_owned(), message };
        let length = std::fs::metadata(path).map_err(|error| wrong(error.to_string()))?.len();
        if length > LONGEST {
            return Err(wrong(format!("{length} bytes; a chat template has a few thousand")));
        }
        let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
        Ok((path.display().to_string(), text))
    }

    /// `bos_token`, `eos_token` and so on: as tokenizer_config.json or special_tokens_map.json spells them, else as the
    /// vocabulary does.
    fn names(&self, said: &Map<String, Json>, tokenizer: &dyn Tokenizer) -> Result<Map<String, Json>, Error> {
        let mapped = self.side_file("special_tokens_map.json")?;
        let mut names = Map::new();
        for (key, gguf) in
            [("bos_token", "bos"), ("eos_token", "eos"), ("unk_token", "unknown"), ("pad_token", "padding")]
        {
            let metadata = self.source.gguf_metadata();
            let of_file = || metadata?.get(&format!("tokenizer.ggml.{gguf}_token_id"))?.to_json();
            let id = || {
                let id = of_file().or_else(|| self.config.get(&format!("{key}_id")).cloned());
                ids(id.as_ref()).ok()?.first().copied()
            };
            let name = || String::from_utf8(tokenizer.piece(id()?)?.to_vec()).ok();
            let silent = !said.contains_key(key) && !mapped.contains_key(key);
            names.extend(name().filter(|_| silent).map(|name| (key.to_owned(), Json::String(name))));
        }
        let spelled = mapped.iter().chain(said).filter(|(key, _)| key.ends_with("_token"));
        let spelled = spelled.filter_map(|(key, value)| Some((key.clone(), beside::spelled(value)?.into())));
        names.extend(spelled);
        Ok(names)
    }
}

/// A family's own form of a conversation, which holds where a checkpoint brings no template; none where it has none.
///
/// # Errors
/// A formula of the `[chat]` table lacks a key of config.json.
pub fn form(family: &Declaration, config: &Map<String, Json>) -> Result<Option<Chat>, Error> {
    let table = vocabulary::chat(family, config, Path::new("config.json"))?;
    let Some((name, source)) =
        table.template.as_deref().and_then(|name| Some((name, Library::chat_template(name)?)))
    else {
        return Ok(None);
    };
    let template = ChatTemplate::new(&format!("families/chat/{name}.jinja"), source)?.joined(table.join);
    Ok(Some(Chat { template, stop: table.stop, system: table.system, note: None }))
}

fn listed(own: &Named) -> String {
    own.keys().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// The files NAME.jinja of a folder.
fn more_templates(folder: &Path) -> Vec<(String, std::path::PathBuf)> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let files =
        entries.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|end| end == "jinja"));
    files.filter_map(|path| Some((path.file_stem()?.to_str()?.to_owned(), path.clone()))).collect()
}

/// A template, or a list of named ones.
fn named(value: &Json, place: &str) -> Result<Named, String> {
    let one = |name: &str, text: &str| (name.to_owned(), (place.to_owned(), text.to_owned()));
    let wrong = || "chat_template must be a text, or a list of objects with `name` and `template`".to_owned();
    match value {
        Json::String(text) => Ok(Named::from([one("default", text)])),
        Json::Array(list) => {
            let entry =
                |entry: &Json| Some(one(entry.get("name")?.as_str()?, entry.get("template")?.as_str()?));
            list.iter().map(entry).collect::<Option<Named>>().ok_or_else(wrong)
        }
        Json::Object(table) => {
            let entry = |(name, text): (&String, &Json)| Some(one(name, text.as_str()?));
            table.iter().map(entry).collect::<Option<Named>>().ok_or_else(wrong)
        }
        Json::Null | Json::Bool(_) | Json::Number(_) => Err(wrong()),
    }
}
