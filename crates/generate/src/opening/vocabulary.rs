//! The tokenizer of a checkpoint: the family's declaration, and what the checkpoint's own files say otherwise.

use std::path::Path;

use camelid_checkpoint::gguf::Metadata;
use camelid_families::{Declaration, Entries};
use camelid_tokenizers::{Gguf, Kind, Settings, Tokenizer, kind_of, open_gguf};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value as Json};

use crate::{Error, Join};

/// A family's `[chat]` table.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ChatTable {
    pub(crate) template: Option<String>,
    pub(crate) stop: Vec<String>,
    pub(crate) system: Option<String>,
    pub(crate) join: Join,
    pub(crate) precedes: bool,
}

pub(crate) fn chat(
    family: &Declaration,
    config: &Map<String, Json>,
    path: &Path,
) -> Result<ChatTable, Error> {
    table(family, "chat", &family.chat, config, path)
}

/// The tokenizer of a folder. `said` is its tokenizer_config.json.
pub(crate) fn of_folder(
    folder: &Path,
    family: &Declaration,
    config: &Map<String, Json>,
    said: &Map<String, Json>,
) -> Result<Box<dyn Tokenizer>, Error> {
    let mut settings: Settings = table(family, "tokenizer", &family.tokenizer, config, folder)?;
    if !settings.files.iter().any(|file| folder.join(&file.name).is_file()) {
        settings.files.clear(); // the usual names then
    }
    if says_it_all(folder, &settings) {
        (settings.prefix, settings.suffix, settings.stop) = (None, None, None);
    } else {
        let bos = frame(said, ["add_bos_token", "bos_token"], settings.prefix.take());
        settings.prefix = bos;
        let eos = frame(said, ["add_eos_token", "eos_token"], settings.suffix.take());
        settings.suffix = eos;
    }
    Ok(camelid_tokenizers::open(folder, &settings)?)
}

/// The tokenizer within a GGUF file, which says itself what stands before and after a text.
pub(crate) fn of_gguf(path: &Path, metadata: &Metadata) -> Result<Box<dyn Tokenizer>, Error> {
    let own = metadata.iter().filter_map(|(key, value)| Some((key.strip_prefix("tokenizer.ggml.")?, value)));
    let table = own.filter_map(|(key, value)| Some((key.to_owned(), value.to_json()?))).collect();
    let gguf: Gguf = serde_json::from_value(Json::Object(table)).map_err(|error| Error::File {
        path: path.to_owned(),
        message: format!("tokenizer.ggml: {}", camelid_families::plainly(&error.to_string(), None)),
    })?;
    open_gguf(&gguf, &Settings::default()).map_err(|error| error.within(path).into())
}

/// A `tokenizer.json` says itself what stands before and after a text.
fn says_it_all(folder: &Path, settings: &Settings) -> bool {
    let usual = ["tokenizer.model", "tokenizer.json"].map(str::to_owned);
    let declared: Vec<_> = settings.files.iter().map(|file| file.name.clone()).collect();
    let names = if declared.is_empty() { usual.to_vec() } else { declared };
    let first = names.iter().map(|name| folder.join(name)).find(|path| path.is_file());
    first
        .and_then(|path| std::fs::read(path).ok())
        .is_some_and(|bytes| kind_of(&bytes).is_ok_and(|kind| kind == Kind::Json))
}

/// The family's frame on one side, with BOS or EOS put in or taken out as tokenizer_config.json says.
fn frame(
    said: &Map<String, Json>,
    [adds, token]: [&str; 2],
    family: Option<Vec<String>>,
) -> Option<Vec<String>> {
    let (Some(adds), Some(name)) =
        (said.get(adds).and_then(Json::as_bool), said.get(token).and_then(spelled))
    else {
        return family;
    };
    let mut names = family.unwrap_or_default();
    match (adds, names.contains(&name)) {
        (true, false) => names.push(name),
        (false, true) => names.retain(|other| *other != name),
        (true, true) | (false, false) => {}
    }
    Some(names)
}

/// A special token as tokenizer_config.json writes it: a string, or an object with its content.
pub(crate) fn spelled(value: &Json) -> Option<String> {
    value.as_str().or_else(|| value.get("content")?.as_str()).map(str::to_owned)
}

fn table<T: DeserializeOwned>(
    family: &Declaration,
    name: &str,
    entries: &Entries,
    config: &Map<String, Json>,
    path: &Path,
) -> Result<T, Error> {
    family.evaluate(name, entries, config).map_err(|problems| {
        let place = path.display().to_string();
        camelid_families::Error::Misfit { place, family: family.name.clone(), problems }.into()
    })
}
