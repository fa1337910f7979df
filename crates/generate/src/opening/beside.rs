//! What stands beside a vocabulary: `tokenizer_config.json` and `added_tokens.json`, as transformers reads them.

use std::path::Path;

use camelid_checkpoint::read_json;
use camelid_tokenizers::{AddedToken, DummyPrefix, Settings};
use serde::Deserialize;
use serde_json::{Map, Value as Json};

use crate::Error;

/// The names of the two files.
const CONFIG: &str = "tokenizer_config.json";
const ADDED: &str = "added_tokens.json";

/// The keys that name special tokens.
const NAMES: [&str; 7] =
    ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];

/// The files beside a vocabulary; empty where there are none.
#[derive(Debug, Clone, Default)]
pub struct Beside {
    /// tokenizer_config.json.
    pub tokenizer_config: Map<String, Json>,
    /// added_tokens.json: names with their ids.
    pub added_tokens: Map<String, Json>,
}

/// A token as tokenizer_config.json describes it.
#[derive(Deserialize)]
struct Described {
    content: String,
    #[serde(default)]
    single_word: bool,
    #[serde(default)]
    lstrip: bool,
    #[serde(default)]
    rstrip: bool,
    normalized: Option<bool>,
    #[serde(default)]
    special: bool,
}

impl Beside {
    /// Reads what stands in a folder; beside a single file nothing is read.
    ///
    /// # Errors
    /// A file that can't be read, or is no JSON object.
    pub fn read(folder: &Path) -> Result<Beside, Error> {
        let read = |name| match folder.join(name) {
            path if path.is_file() => read_json(&path),
            _ => Ok(Map::new()),
        };
        Ok(Beside { tokenizer_config: read(CONFIG)?, added_tokens: read(ADDED)? })
    }

    /// Adds to a family's settings what the files say, which goes before what the family says. `config` is the folder's
    /// config.json, where BOS and EOS may have an id only.
    ///
    /// # Errors
    /// [`Error::File`] names the key that is wrong.
    pub fn add_to(&self, settings: &mut Settings, config: &Map<String, Json>) -> Result<(), Error> {
        let said = &self.tokenizer_config;
        settings.added = self.added()?;
        let flag = |key| said.get(key).and_then(Json::as_bool);
        // Upstream's class knows these words; where it is another class, no file says them.
        if flag("legacy") == Some(false) {
            settings.dummy_prefix = DummyPrefix::First;
            settings.converted = DummyPrefix::Spaceless;
        }
        if flag("add_prefix_space") == Some(false) {
            settings.dummy_prefix = DummyPrefix::Never;
            settings.converted = DummyPrefix::Never;
        }
        if self.is_slow() {
            settings.converted = settings.dummy_prefix;
        }
        let bos = settings.prefix.as_ref().and_then(|names| names.first()).cloned();
        let bos = named_by_id(config, "bos_token_id", settings).or(bos);
        settings.prefix = framed(said, ["add_bos_token", "bos_token"], settings.prefix.take(), bos);
        let eos = settings.stop.as_ref().and_then(|names| names.first()).cloned();
        let eos = named_by_id(config, "eos_token_id", settings).or(eos);
        settings.suffix = framed(said, ["add_eos_token", "eos_token"], settings.suffix.take(), eos);
        Ok(())
    }

    /// Whether the folder names a class of its own without a fast form, so that nothing is converted.
    fn is_slow(&self) -> bool {
        let classes = self.tokenizer_config.get("auto_map").and_then(|map| map.get("AutoTokenizer"));
        matches!(classes.and_then(Json::as_array).map(Vec::as_slice), Some([Json::String(_), Json::Null]))
    }

    /// The tokens that the files add: those of tokenizer_config.json, and where it lists none, of added_tokens.json.
    fn added(&self) -> Result<Vec<AddedToken>, Error> {
        let special = self.special_names();
        match self.tokenizer_config.get("added_tokens_decoder") {
            Some(Json::Object(tokens)) => tokens.iter().map(|entry| described(entry, &special)).collect(),
            Some(other) if !other.is_null() => Err(wrong(
                CONFIG,
                format!("added_tokens_decoder is {other}; it must be a table of tokens by id"),
            )),
            _ => self.added_tokens.iter().map(|entry| listed(entry, &special)).collect(),
        }
    }

    /// The names of special tokens.
    fn special_names(&self) -> Vec<String> {
        let said = &self.tokenizer_config;
        let named = NAMES.iter().filter_map(|key| said.get(*key).and_then(spelled));
        let more = ["additional_special_tokens", "extra_special_tokens"];
        let more = more.iter().filter_map(|key| said.get(*key)?.as_array()).flatten().filter_map(spelled);
        named.chain(more).collect()
    }
}

fn described((id, token): (&String, &Json), special: &[String]) -> Result<AddedToken, Error> {
    let wrong_token = |reason: String| wrong(CONFIG, format!("added_tokens_decoder.{id}: {reason}"));
    let number = id.parse().map_err(|_| wrong_token("the key must be an id".into()))?;
    let read = Described::deserialize(token).map_err(|error| wrong_token(error.to_string()))?;
    Ok(AddedToken {
        id: number,
        single_word: read.single_word,
        lstrip: read.lstrip,
        rstrip: read.rstrip,
        normalized: read.normalized.unwrap_or(!read.special),
        special: read.special || special.contains(&read.content),
        content: read.content,
    })
}

/// A token of added_tokens.json, which says but a name and an id: one that is not special is looked for in normalised text.
fn listed((name, id): (&String, &Json), special: &[String]) -> Result<AddedToken, Error> {
    let number = id.as_u64().and_then(|id| u32::try_from(id).ok());
    let id = number.ok_or_else(|| wrong(ADDED, format!("{name:?} is {id}; it must be an id")))?;
    let special = special.contains(name);
    let content = name.clone();
    Ok(AddedToken {
        id,
        content,
        single_word: false,
        lstrip: false,
        rstrip: false,
        normalized: !special,
        special,
    })
}

/// The name of the token whose id stands in config.json, where the family or the folder names it.
fn named_by_id(config: &Map<String, Json>, key: &str, settings: &Settings) -> Option<String> {
    let id = config.get(key)?.as_u64()?;
    let added = settings.added.iter().find(|token| u64::from(token.id) == id);
    let own = || settings.special.iter().find(|(_, known)| u64::from(**known) == id);
    added.map(|token| token.content.clone()).or_else(|| own().map(|(name, _)| name.clone()))
}

/// The family's frame on one side, with BOS or EOS put in or taken out as tokenizer_config.json says.
fn framed(
    said: &Map<String, Json>,
    [adds, token]: [&str; 2],
    family: Option<Vec<String>>,
    usual: Option<String>,
) -> Option<Vec<String>> {
    let name = said.get(token).and_then(spelled).or(usual);
    let (Some(adds), Some(name)) = (said.get(adds).and_then(Json::as_bool), name) else {
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

fn wrong(file: &str, message: String) -> Error {
    Error::File { path: file.into(), message }
}
