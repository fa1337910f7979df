//! tiktoken ranks and tokenizer.json against what tiktoken 0.14.0 and tokenizers 0.23.3 make of the same strings.

mod data;

use camelid_tokenizers::{Normalization, Settings, Specials, Tokenizer, from_bytes, open};
use data::{check_ids, check_runs, path};

fn ranks(normalization: Normalization) -> Box<dyn Tokenizer> {
    let settings: Settings = toml::from_str(
        r#"
        files = [{ name = "ranks.tiktoken", kind = "tiktoken" }]
        pattern = '''(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+'''
        special = { "<|special_{0..2}|>" = 700, "<|mask|>" = 703 }
        "#,
    )
    .unwrap();
    let settings = Settings { normalization, ..settings };
    open(path("ranks.tiktoken").parent().unwrap(), &settings).unwrap()
}

#[test]
fn ranks_with_special_tokens_as_text() {
    let tokenizer = ranks(Normalization::None);
    check_ids("ranks", &*tokenizer, Specials::Literal);
    check_runs("ranks", &*tokenizer);
}

#[test]
fn ranks_with_special_tokens_as_tokens() {
    check_ids("ranks-special", &*ranks(Normalization::None), Specials::Parse);
}

#[test]
fn ranks_after_composition() {
    check_ids("ranks-nfc", &*ranks(Normalization::Nfc), Specials::Literal);
}

#[test]
fn ranks_without_a_pattern_are_refused() {
    let file = std::fs::read(path("ranks.tiktoken")).unwrap();
    let error = from_bytes(&file, &Settings::default()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "tokenizer.pattern: ranks carry no split pattern: the family has to be known"
    );
}

fn check_json(name: &str) {
    let tokenizer = open(&path(&format!("{name}.json")), &Settings::default()).unwrap();
    check_ids(name, &*tokenizer, Specials::Parse);
    check_ids(&format!("{name}-literal"), &*tokenizer, Specials::Literal);
    check_runs(name, &*tokenizer);
}

#[test]
fn json_of_the_byte_level_kind() {
    check_json("byte-level");
}

#[test]
fn json_of_the_byte_fallback_kind() {
    check_json("byte-fallback");
}
