//! The pure-Rust reader of sentencepiece models against Google's library itself, on strings made up here.
//!
//! `cargo test -p camelid-tests --features sentencepiece-oracle` needs cmake and a C++ compiler. The library that the crate
//! `sentencepiece` builds is 0.2.1. Where that differs from 0.2.3, which the fixed cases are from, nothing is compared:
//! paths of a Unigram model with equal scores (runs of one character), user-defined pieces there, unused pieces.
#![cfg(feature = "sentencepiece-oracle")]

use std::path::{Path, PathBuf};

use camelid::tokenizers::upstream::{Upstream, upstream};
use camelid::tokenizers::{Settings, Specials, Tokenizer, open};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/tokenizers/tests/data")
}

fn both(path: &Path) -> (Box<dyn Tokenizer>, Upstream) {
    let settings = Settings::default();
    let theirs = upstream(&std::fs::read(path).unwrap(), &settings).unwrap();
    (open(path, &settings).unwrap(), theirs.expect("built with the feature sentencepiece-oracle"))
}

/// Characters from anywhere, runs of spaces, spelled pieces.
fn any_text() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        "[ \\t\\n\u{a0}\u{3000}]{1,5}",
        "[a-zA-Z]{1,9}",
        "\\PC{1,5}",
        any::<char>()
            .prop_filter("C strings end there", |&character| character != '\0')
            .prop_map(String::from),
        prop::sample::select(vec![
            "<s>",
            "<unk>",
            "<0x41>",
            "▁",
            "e\u{301}",
            "か\u{3099}",
            "㍿",
            "ﬁ",
            "👩‍👩‍👧",
            "aaaaaaaa"
        ])
        .prop_map(String::from),
    ];
    proptest::collection::vec(part, 0..12).prop_map(|parts| parts.concat())
}

/// Words of many scripts, in which no two paths have the same score.
fn words() -> impl Strategy<Value = String> {
    let text = std::fs::read_to_string(data().join("../reference/sentences.txt")).unwrap();
    let words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
    proptest::collection::vec(prop::sample::select(words), 0..12).prop_map(|words| words.join(" "))
}

fn check(path: &Path, texts: impl Strategy<Value = String>, cases: u32) {
    let (ours, theirs) = both(path);
    TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() })
        .run(&texts, |text| {
            let ids = (theirs.encode)(&text, Specials::Literal);
            prop_assert_eq!(&ours.encode(&text, Specials::Literal).unwrap(), &ids);
            prop_assert_eq!(ours.decode(&ids).unwrap(), (theirs.decode)(&ids));
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}

#[test]
fn byte_pair_models_are_equal_on_any_text() {
    for name in ["bpe", "bpe-user", "bpe-map", "bpe-suffix"] {
        check(&data().join(name).with_extension("model"), any_text(), 2000);
    }
}

#[test]
fn unigram_models_are_equal_on_words() {
    for name in ["unigram", "unigram-map", "unigram-bytes", "unigram-suffix"] {
        check(&data().join(name).with_extension("model"), words(), 2000);
    }
}

#[test]
fn real_models_are_equal_on_any_text() {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/tokenizers");
    let folder = std::env::var_os("CAMELID_VOCABULARIES").map_or(beside, PathBuf::from);
    let Ok(entries) = std::fs::read_dir(&folder) else {
        return eprintln!("\n*** NOT RUN: {} holds no real vocabularies ***\n", folder.display());
    };
    for entry in entries {
        let path = entry.unwrap().path().join("tokenizer.model");
        let read = std::fs::read(&path).unwrap_or_default();
        if read.first() == Some(&0x0A) {
            check(&path, any_text(), 500);
        }
    }
}
