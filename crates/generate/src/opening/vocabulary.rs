//! The tokenizer of a checkpoint: the family's declaration, and what the checkpoint's own files say otherwise.

use std::io::Read;
use std::path::Path;

use camelid_checkpoint::gguf::Metadata;
use camelid_checkpoint::{Checkpoint, read_json};
use camelid_families::{Declaration, Entries, Library};
use camelid_tokenizers::{Gguf, Kind, Settings, Tokenizer, open_gguf};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value as Json};

use crate::opening::beside::Beside;
use crate::opening::converted::Converted;
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

/// Opens the vocabulary at `path`: a checkpoint's folder, a GGUF file, or a vocabulary's own file. Everything that reads text
/// opens its vocabulary here.
///
/// The family is the one that is named, else the one that a folder's config.json tells; where there is neither, the files
/// have to say everything themselves.
///
/// # Errors
/// The family is not known or not clear; the vocabulary can't be read, or does not fit what the files beside it say.
pub fn vocabulary(library: &Library, path: &Path, family: Option<&str>) -> Result<Box<dyn Tokenizer>, Error> {
    if is_gguf(path) {
        let checkpoint = Checkpoint::open(path)?;
        let metadata = checkpoint.gguf_metadata().ok_or_else(|| Error::File {
            path: path.to_owned(),
            message: "a GGUF file without metadata".into(),
        })?;
        return of_gguf(path, metadata);
    }
    let config = path.join("config.json");
    let config = if config.is_file() { Some(read_json(&config)?) } else { None };
    let converted = if path.is_dir() { Converted::read(path)? } else { None };
    if let Some((family, config)) = converted.and_then(|it| it.voice(library)).filter(|_| family.is_none()) {
        return of_folder(path, Some(&family), &config, &Beside::read(path)?);
    }
    let declaration = match (family, &config) {
        (Some(name), _) => Some(library.get(name)?),
        (None, Some(config)) => Some(library.detect(config, &[])?.family),
        (None, None) => None,
    };
    of_folder(path, declaration, &config.unwrap_or_default(), &Beside::read(path)?)
}

fn is_gguf(path: &Path) -> bool {
    let mut magic = [0; 4];
    let read = std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut magic));
    read.is_ok() && magic == *b"GGUF"
}

/// The tokenizer of a folder, or of a vocabulary's own file, with what stands beside it.
///
/// # Errors
/// As [`vocabulary`].
pub fn of_folder(
    path: &Path,
    family: Option<&Declaration>,
    config: &Map<String, Json>,
    beside: &Beside,
) -> Result<Box<dyn Tokenizer>, Error> {
    let settings = settings(path, family, config, beside)?;
    Ok(camelid_tokenizers::open(path, &settings)?)
}

/// The arrays that a GGUF file would have of a folder's vocabulary, with what stands around a text.
pub(crate) fn arrays_of_folder(
    path: &Path,
    family: &Declaration,
    config: &Map<String, Json>,
    beside: &Beside,
) -> Result<Gguf, Error> {
    let settings = settings(path, Some(family), config, beside)?;
    let (file, _) = camelid_tokenizers::locate(path, &settings)?;
    let bytes = std::fs::read(&file)
        .map_err(|error| Error::File { path: file.clone(), message: error.to_string() })?;
    let mut arrays =
        camelid_tokenizers::gguf_arrays(&bytes, &settings).map_err(|error| error.within(&file))?;
    let tokenizer = camelid_tokenizers::open(path, &settings)?;
    let frame = tokenizer.frame();
    let id = |key: &str| config.get(key).and_then(Json::as_u64).and_then(|id| u32::try_from(id).ok());
    let tokens = arrays.tokens.len();
    let known = move |id: &u32| (*id as usize) < tokens;
    arrays.bos_token_id = match frame.before[..] {
        [bos] => Some(bos),
        _ => id("bos_token_id").filter(known),
    };
    arrays.add_bos_token = Some(frame.before.len() == 1);
    arrays.eos_token_id = id("eos_token_id").filter(known).or(frame.stop.first().copied());
    arrays.add_eos_token =
        Some(frame.after.len() == 1 && frame.after.first() == arrays.eos_token_id.as_ref());
    Ok(arrays)
}

/// What the family and the folder say together.
fn settings(
    path: &Path,
    family: Option<&Declaration>,
    config: &Map<String, Json>,
    beside: &Beside,
) -> Result<Settings, Error> {
    let declared = family.map(|family| table(family, "tokenizer", &family.tokenizer, config, path));
    let mut settings: Settings = declared.transpose()?.unwrap_or_default();
    if path.is_dir() && !settings.files.iter().any(|file| path.join(&file.name).is_file()) {
        settings.files.clear(); // the usual names then
    }
    match camelid_tokenizers::locate(path, &settings)?.1 {
        // It says itself what stands before and after a text, and which tokens there are.
        Kind::Json => (settings.prefix, settings.suffix, settings.stop) = (None, None, None),
        Kind::SentencePiece | Kind::Tiktoken | Kind::Pair => {
            settings = settings.resolved()?;
            beside.add_to(&mut settings, config)?;
        }
    }
    Ok(settings)
}

/// What a family's code does to a text before anything else.
pub(crate) fn normalization(
    path: &Path,
    family: &Declaration,
    config: &Map<String, Json>,
) -> Result<camelid_tokenizers::Normalization, Error> {
    let settings: Settings = table(family, "tokenizer", &family.tokenizer, config, path)?;
    Ok(settings.resolved()?.normalization)
}

/// The tokenizer within a GGUF file, which says itself what stands before and after a text.
pub(crate) fn of_gguf(path: &Path, metadata: &Metadata) -> Result<Box<dyn Tokenizer>, Error> {
    let gguf = arrays_of_gguf(path, metadata)?;
    open_gguf(&gguf, &Settings::default()).map_err(|error| error.within(path).into())
}

/// The arrays of a GGUF file's vocabulary.
pub(crate) fn arrays_of_gguf(path: &Path, metadata: &Metadata) -> Result<Gguf, Error> {
    let own = metadata.iter().filter_map(|(key, value)| Some((key.strip_prefix("tokenizer.ggml.")?, value)));
    let table = own.filter_map(|(key, value)| Some((key.to_owned(), value.to_json()?))).collect();
    serde_json::from_value(Json::Object(table)).map_err(|error| Error::File {
        path: path.to_owned(),
        message: format!("tokenizer.ggml: {}", camelid_families::plainly(&error.to_string(), None)),
    })
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
