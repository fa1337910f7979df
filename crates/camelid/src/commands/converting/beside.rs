//! The files beside the weights that go with them: vocabularies, and what says how to use them.

use anyhow::Context;
use camelid_checkpoint::read_json;
use camelid_generate::Opened;
use camelid_tokenizers::{Settings, Specials};
use serde_json::{Map, Value as Json};

use super::choose::Chosen;
use super::staged::Staged;
use super::vocabulary;
use crate::commands::output::style::note;

const BESIDE: [&str; 11] = [
    "*.model",
    "*.tiktoken",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "generation_config.json",
    "chat_template.jinja",
    "chat_template.json",
    "vocab.json",
    "merges.txt",
];
/// What transformers and its kin read a vocabulary from.
const JSON: &str = "tokenizer.json";
/// Files that may name code of the source's, which does not go along.
const WITH_CODE: &str = "tokenizer_config.json";

/// Copies what stands beside the weights.
///
/// # Errors
/// A file can't be read or written.
pub(super) fn write(opened: &Opened, chosen: &Chosen<'_>, staged: &Staged) -> anyhow::Result<()> {
    let from = opened.path();
    let made = !from.join(JSON).is_file() && vocabulary_json(opened, chosen, staged)?;
    if opened.family().name != chosen.family.name || !from.is_dir() {
        tokenizer_config(opened, made, staged)?;
    }
    if !from.is_dir() {
        return Ok(());
    }
    let globs: Vec<glob::Pattern> = BESIDE.iter().filter_map(|text| glob::Pattern::new(text).ok()).collect();
    for entry in std::fs::read_dir(from).with_context(|| from.display().to_string())? {
        let path = entry?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        if !path.is_file() || !globs.iter().any(|glob| glob.matches(name)) {
            continue;
        }
        if staged.path().join(name).exists() {
            continue;
        }
        let bytes = std::fs::read(&path).with_context(|| path.display().to_string())?;
        camelid_checkpoint::write_file(&staged.path().join(name), &bytes)?;
    }
    Ok(())
}

/// Writes the vocabulary as transformers reads it, where that gives the same ids as the source's own; else a note says why not.
fn vocabulary_json(opened: &Opened, chosen: &Chosen<'_>, staged: &Staged) -> anyhow::Result<bool> {
    if opened.family().name == chosen.family.name && opened.path().is_dir() {
        return Ok(false);
    }
    let (tokenizer, text) = match (opened.tokenizer(), opened.tokenizer_json()) {
        (Ok(tokenizer), Ok(text)) => (tokenizer, text),
        (Err(error), _) | (_, Err(error)) => {
            note(&format!("no {JSON} is written: {error}"));
            return Ok(false);
        }
    };
    let written = camelid_tokenizers::from_bytes(text.as_bytes(), &Settings::default())?;
    let mut same = 0;
    for line in vocabulary::corpus() {
        let (a, b) = (tokenizer.encode(&line, Specials::Literal)?, written.encode(&line, Specials::Literal)?);
        if a != b {
            note(&format!("no {JSON} is written: {line:?} would be other ids there, {b:?} for {a:?}"));
            return Ok(false);
        }
        same += 1;
    }
    anyhow::ensure!(same > 0, "there is no text to hold the vocabulary to");
    staged.file(JSON, &text)?;
    Ok(true)
}

/// tokenizer_config.json without the code of the source's; where a tokenizer.json was written, with the class that reads it.
fn tokenizer_config(opened: &Opened, made: bool, staged: &Staged) -> anyhow::Result<()> {
    let path = opened.path().join(WITH_CODE);
    let there = path.is_file();
    let mut said = if there { read_json(&path)? } else { Map::new() };
    let coded = said.shift_remove("auto_map").is_some();
    if coded {
        // The class that it named is gone with its code.
        said.shift_remove("tokenizer_class");
    }
    if made {
        said.insert("tokenizer_class".into(), "PreTrainedTokenizerFast".into());
        let (arrays, frame) = (opened.gguf_vocabulary()?, opened.tokenizer()?.frame().clone());
        let ids = [
            ("bos_token", arrays.bos_token_id),
            ("eos_token", frame.stop.first().copied().or(arrays.eos_token_id)),
        ];
        for (key, id) in ids {
            let name = id.and_then(|id| arrays.tokens.get(id as usize));
            if let (Some(name), false) = (name, said.contains_key(key)) {
                said.insert(key.into(), name.as_str().into());
            }
        }
    }
    if !(coded || made) {
        return Ok(());
    }
    staged.file(WITH_CODE, &format!("{:#}\n", Json::Object(said)))
}
