//! The small vocabularies of this folder, and what the reference libraries make of them.

use std::path::PathBuf;

use camelid_tokenizers::{Specials, Tokenizer};
use serde::Deserialize;

/// A file of this folder.
pub(crate) fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

fn lines<T: for<'a> Deserialize<'a>>(name: &str) -> Vec<T> {
    let text = std::fs::read_to_string(path(name)).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[derive(Deserialize)]
struct Text {
    text: String,
}

#[derive(Deserialize)]
struct Encoded {
    ids: Vec<u32>,
    /// Absent where it is the text itself.
    decoded: Option<String>,
}

/// The hard strings.
pub(crate) fn strings() -> Vec<String> {
    lines::<Text>("strings.jsonl").into_iter().map(|line| line.text).collect()
}

/// Compares ids and decoded text of every hard string with `{name}.ids.jsonl`.
pub(crate) fn check_ids(name: &str, tokenizer: &dyn Tokenizer, specials: Specials) {
    let expected: Vec<Encoded> = lines(&format!("{name}.ids.jsonl"));
    let strings = strings();
    assert_eq!(strings.len(), expected.len());
    let mut wrong = Vec::new();
    for (text, expected) in strings.iter().zip(expected) {
        let ids = tokenizer.encode(text, specials).unwrap();
        let decoded = tokenizer.decode(&ids).unwrap();
        let expected_text = expected.decoded.as_ref().unwrap_or(text);
        if ids != expected.ids || decoded != *expected_text {
            wrong.push(format!(
                "{text:?}\n  ids      {ids:?}\n  expected {:?}\n  text     {decoded:?}\n  expected {expected_text:?}",
                expected.ids
            ));
        }
        streams_alike(tokenizer, &ids);
    }
    assert!(
        wrong.is_empty(),
        "{name}: {} of {} differ\n{}",
        wrong.len(),
        strings.len(),
        wrong[..wrong.len().min(8)].join("\n")
    );
}

/// Compares the text of random runs of ids with `{name}.runs.jsonl`.
pub(crate) fn check_runs(name: &str, tokenizer: &dyn Tokenizer) {
    for expected in lines::<Encoded>(&format!("{name}.runs.jsonl")) {
        let text = tokenizer.decode(&expected.ids).unwrap();
        assert_eq!(Some(text), expected.decoded, "{name}: {:?}", expected.ids);
        streams_alike(tokenizer, &expected.ids);
    }
}

/// The pieces of a stream, joined, are the whole decode, and none ends inside a character.
pub(crate) fn streams_alike(tokenizer: &dyn Tokenizer, ids: &[u32]) {
    let mut stream = tokenizer.stream();
    let mut joined = String::new();
    for &id in ids {
        joined += &stream.push(id).unwrap();
    }
    joined += &stream.finish();
    assert_eq!(joined, tokenizer.decode(ids).unwrap());
}
