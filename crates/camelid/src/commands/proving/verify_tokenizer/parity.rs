//! Strings, what a reference made of them, and what comes out here.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use camelid_families::Library;
use camelid_generate::Beside;
use camelid_tokenizers::{Settings, Special, Specials, Tokenizer};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};

use super::row::{Row, Score};
use crate::commands::proving::vocabularies::Known;

/// A tokenizer with what it was made of.
pub(in crate::commands) struct Opened {
    pub(in crate::commands) tokenizer: Box<dyn Tokenizer>,
    pub(in crate::commands) path: PathBuf,
    pub(in crate::commands) settings: Settings,
}

#[derive(Deserialize)]
pub(in crate::commands) struct Text {
    pub(in crate::commands) text: String,
}

#[derive(Deserialize)]
struct Expected {
    text_index: usize,
    ids: Vec<u32>,
    decoded: String,
}

/// The strings of the corpus.
pub(in crate::commands) fn corpus(vocabularies: &Path) -> anyhow::Result<Vec<Text>> {
    lines(&vocabularies.join("corpus.jsonl"))
}

fn lines<T: DeserializeOwned>(path: &Path) -> anyhow::Result<Vec<T>> {
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let line = |(number, line)| {
        serde_json::from_str(line).with_context(|| format!("{}, line {}", path.display(), number + 1))
    };
    text.lines().enumerate().map(line).collect()
}

/// The parity files' names: vocabulary and call.
pub(in crate::commands) fn calls(vocabularies: &Path) -> anyhow::Result<BTreeSet<(String, String)>> {
    let mut calls = BTreeSet::new();
    for entry in fs::read_dir(vocabularies.join("parity"))? {
        let name = entry?.file_name();
        let stem = name.to_str().and_then(|name| name.strip_suffix(".jsonl"));
        if let Some((vocabulary, call)) = stem.and_then(|stem| stem.split_once('.')) {
            calls.insert((vocabulary.to_owned(), call.to_owned()));
        }
    }
    Ok(calls)
}

/// The family of a vocabulary; none if the library has none of that name.
pub(in crate::commands) fn family(known: &Known, library: &Library, vocabulary: &str) -> Option<String> {
    let name = known.get(vocabulary).and_then(|entry| entry.family.as_deref()).unwrap_or(vocabulary);
    library.get(name).is_ok().then(|| name.to_owned())
}

/// Where a vocabulary is, if it is at hand.
pub(in crate::commands) fn path(vocabularies: &Path, assets: &Path, name: &str) -> Option<PathBuf> {
    let models = vocabularies.join("../models");
    [vocabularies, assets, &models].map(|place| place.join(name)).into_iter().find(|path| path.is_dir())
}

/// What special tokens in a text are to the reference's call.
pub(in crate::commands) fn specials(call: &str) -> anyhow::Result<Specials> {
    match call {
        call if call.starts_with("spm") => Ok(Specials::Literal),
        "tiktoken" => Ok(Specials::Literal),
        "tiktoken-special" | "hf" => Ok(Specials::Parse),
        other => bail!("{other:?} is no call of a reference: spm, hf, tiktoken or tiktoken-special"),
    }
}

/// Opens the vocabulary in a folder through the one door, with what the row's reference had beside it.
pub(in crate::commands) fn open(
    directory: &Path,
    library: &Library,
    known: &Known,
    row: &Row,
) -> anyhow::Result<Opened> {
    let family = row.family.as_deref().map(|name| library.get(name)).transpose()?;
    let declared = family.map(|family| family.evaluate("tokenizer", &family.tokenizer, &Map::new()));
    let declared = declared.transpose().map_err(|problems| anyhow!("{problems:?}"))?;
    let settings: Settings = declared.unwrap_or_default();
    let settings = settings.resolved()?;
    let path = file(directory, &settings)?;
    let mut beside = Beside::read(directory)?;
    let known = known.get(&row.vocabulary).cloned().unwrap_or_default();
    if let Some(said) = known.beside.get(&row.call) {
        beside.tokenizer_config = said.clone();
    }
    if let Some(special) = known.special.get(&row.call) {
        beside.tokenizer_config.insert("added_tokens_decoder".into(), listed(special)?);
    }
    let opened = match path.extension().is_some_and(|extension| extension == "gguf") {
        true => camelid_generate::vocabulary(library, &path, None)?,
        false => camelid_generate::of_folder(directory, family, &Map::new(), &beside)?,
    };
    Ok(Opened { tokenizer: opened, path, settings })
}

/// Special tokens by id, as tokenizer_config.json lists them.
fn listed(special: &BTreeMap<String, u32>) -> anyhow::Result<Value> {
    let settings = Settings { special: special.clone(), ..Settings::default() };
    let entry = |token: Special| (token.id.to_string(), json!({ "content": token.name, "special": true }));
    Ok(Value::Object(settings.specials()?.into_iter().map(entry).collect()))
}

/// The vocabulary's file: the family's first that is there, else the only one that can be a vocabulary.
fn file(directory: &Path, settings: &Settings) -> anyhow::Result<PathBuf> {
    let declared = settings.files.iter().map(|file| directory.join(&file.name));
    if let Some(path) = declared.into_iter().find(|path| path.is_file()) {
        return Ok(path);
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let extension = path.extension().and_then(|extension| extension.to_str());
        let vocabulary = matches!(extension, Some("model" | "tiktoken" | "gguf"));
        if vocabulary || path.file_name().is_some_and(|name| name == "tokenizer.json") {
            found.push(path);
        }
    }
    // A file of its own goes before the copy inside a GGUF.
    found.sort_by_key(|path| (path.extension().is_some_and(|extension| extension == "gguf"), path.clone()));
    found.into_iter().next().with_context(|| format!("{}: holds no vocabulary", directory.display()))
}

/// Compares every string of a parity file.
pub(in crate::commands) fn compare(
    vocabularies: &Path,
    row: &Row,
    tokenizer: &dyn Tokenizer,
) -> anyhow::Result<Score> {
    let texts = corpus(vocabularies)?;
    let file = format!("{}.{}.jsonl", row.vocabulary, row.call);
    let expected: Vec<Expected> = lines(&vocabularies.join("parity").join(&file))?;
    let specials = specials(&row.call)?;
    let mut score = Score { all: expected.len(), ..Score::default() };
    for expected in expected {
        let text = &texts
            .get(expected.text_index)
            .with_context(|| format!("{file}: a text that is not there"))?
            .text;
        let ids = tokenizer.encode(text, specials)?;
        let decoded = tokenizer.decode(&expected.ids)?;
        score.bytes += text.len();
        if tokenizer.decode(&ids)? == *text {
            score.returned_bytes += text.len();
        }
        if ids == expected.ids && decoded == expected.decoded {
            score.equal += 1;
        } else {
            score.differences.push(difference(text, &ids, &decoded, &expected));
        }
    }
    Ok(score)
}

fn difference(text: &str, ids: &[u32], decoded: &str, expected: &Expected) -> String {
    let at = ids.iter().zip(&expected.ids).take_while(|(ours, theirs)| ours == theirs).count();
    let near = |ids: &[u32]| ids[at.min(ids.len())..].iter().take(8).copied().collect::<Vec<_>>();
    let mut words = format!("  {text:?}");
    if ids != expected.ids {
        let (ours, theirs) = (near(ids), near(&expected.ids));
        words += &format!("\n  ids from place {at}: {ours:?}, the reference's {theirs:?}");
    }
    if decoded != expected.decoded {
        words += &format!("\n  decoded {decoded:?}, the reference's {:?}", expected.decoded);
    }
    words
}
