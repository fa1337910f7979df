//! Folders as people have them, opened as `generate` opens them: texts and conversations against the family's own tokenizer.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use camelid_families::Library;
use camelid_generate::{Conversation, Ending, How, Opened, WhichTemplate};
use camelid_tokenizers::Specials;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::parity;
use super::places::Places;
use super::row::{Row, Score};

/// A folder and what its own tokenizer makes of texts.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// Whose ids these are.
    #[serde(rename = "by")]
    _by: String,
    /// Of a GGUF file it is the one that opening finds.
    #[serde(default)]
    family: Option<String>,
    /// A vocabulary's folder, or a file of the small ones beside the cases.
    vocabulary: String,
    /// The name of the vocabulary's file.
    #[serde(default = "usual")]
    file: String,
    /// Over the config.json of the family's first size.
    #[serde(default)]
    config: Map<String, Value>,
    tokenizer_config: Map<String, Value>,
    added_tokens: Map<String, Value>,
    /// A text, its ids with special tokens parsed, and the same with what stands around a text.
    texts: Vec<(String, Vec<u32>, Vec<u32>)>,
    #[serde(default)]
    chats: Vec<(Value, Vec<u32>)>,
}

fn usual() -> String {
    "tokenizer.model".to_owned()
}

/// A row for each case that `wanted` keeps.
pub(super) fn rows(
    library: &Library,
    places: &Places,
    wanted: impl Fn(&Row) -> bool,
) -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    for path in cases(&places.folders)? {
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let case: Case = serde_json::from_str(&text).with_context(|| path.display().to_string())?;
        let vocabulary = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let call = if case.family.is_some() { "folder" } else { "gguf" }.to_owned();
        let family = case.family.clone();
        let mut row = Row { vocabulary, family, call, score: None, speed: None };
        if wanted(&row) {
            let vocabulary = vocabulary_of(&case, places);
            row.score = vocabulary.map(|path| check(library, &case, &path)).transpose()?;
            rows.push(row);
        }
    }
    Ok(rows)
}

fn cases(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let paths = fs::read_dir(folder)?.map(|entry| Ok(entry?.path()));
    let mut paths = paths.collect::<anyhow::Result<Vec<_>>>()?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    paths.sort();
    Ok(paths)
}

/// The vocabulary's file, if it is at hand.
fn vocabulary_of(case: &Case, places: &Places) -> Option<PathBuf> {
    if case.vocabulary.ends_with(".model") {
        return Some(places.folders.join("../../crates/tokenizers/tests/data").join(&case.vocabulary));
    }
    let folder = parity::path(&places.vocabularies, &places.assets, &case.vocabulary)?;
    Some(folder.join(&case.file)).filter(|path| path.is_file())
}

/// Makes the folder: the vocabulary, config.json, what stands beside it, and one row of weights, which nothing reads.
fn make(
    library: &Library,
    case: &Case,
    family: &str,
    vocabulary: &Path,
) -> anyhow::Result<tempfile::TempDir> {
    let folder = tempfile::tempdir()?;
    fs::copy(vocabulary, folder.path().join(&case.file))?;
    let size = library.get(family)?.sizes.first().context("a family without sizes")?;
    let mut config = size.config.clone();
    config.extend(case.config.clone());
    let write = |name: &str, table: &Map<String, Value>| {
        if table.is_empty() {
            return Ok(());
        }
        fs::write(folder.path().join(name), Value::Object(table.clone()).to_string())
    };
    write("config.json", &config)?;
    write("tokenizer_config.json", &case.tokenizer_config)?;
    write("added_tokens.json", &case.added_tokens)?;
    let header = json!({ "row": { "dtype": "F32", "shape": [1], "data_offsets": [0, 4] } }).to_string();
    let weights = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &[0; 4]].concat();
    fs::write(folder.path().join("model.safetensors"), weights)?;
    Ok(folder)
}

fn check(library: &Library, case: &Case, vocabulary: &Path) -> anyhow::Result<Score> {
    let how = How { family: case.family.clone(), ..How::default() };
    let made = case.family.as_deref().map(|family| make(library, case, family, vocabulary)).transpose()?;
    let path = made.as_ref().map_or(vocabulary, |folder| folder.path());
    let opened = Opened::open(library, &path.to_string_lossy(), &how)?;
    let tokenizer = opened.tokenizer()?;
    let mut score = Score::default();
    let mut compare = |what: String, ours: &[u32], theirs: &[u32]| {
        score.all += 1;
        match ours == theirs {
            true => score.equal += 1,
            false => {
                score.differences.push(format!("  {what}\n  ids {ours:?}\n  the reference's {theirs:?}"));
            }
        }
    };
    for (text, ids, framed) in &case.texts {
        let ours = tokenizer.encode(text, Specials::Parse)?;
        compare(format!("{text:?}"), &ours, ids);
        compare(format!("{text:?} with what stands around it"), &tokenizer.frame().around(&ours), framed);
    }
    for (messages, ids) in &case.chats {
        let template = opened.template(&*tokenizer, &WhichTemplate::default())?.template;
        let talk = Conversation::read(messages.to_string().as_bytes())?;
        let ours = template.render(&talk, Ending::Answer)?.ids(&*tokenizer)?;
        compare(format!("a conversation, {messages}"), &ours, ids);
    }
    Ok(score)
}
