//! tiktoken ranks and tokenizer.json against what tiktoken 0.14.0 and tokenizers 0.23.3 make of the same strings.

use crate::data::{check_ids, check_runs, path};
use camelid_tokenizers::{Gguf, Normalization, Settings, Specials, Tokenizer, from_bytes, open, open_gguf};

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

fn gguf(name: &str) -> Gguf {
    serde_json::from_str(&std::fs::read_to_string(path(name)).unwrap()).unwrap()
}

#[test]
fn gguf_of_the_byte_level_kind() {
    let tokenizer = open_gguf(&gguf("gguf.json"), &Settings::default()).unwrap();
    check_ids("gguf", &*tokenizer, Specials::Parse);
    assert_eq!((tokenizer.frame().before.len(), &tokenizer.frame().stop), (0, &vec![0, 2]));
}

#[test]
fn gguf_of_the_sentencepiece_kind() {
    let tokenizer = open_gguf(&gguf("bpe.gguf.json"), &Settings::default()).unwrap();
    check_ids("bpe", &*tokenizer, Specials::Literal);
    assert_eq!(tokenizer.frame().before, [1]);
}

#[test]
fn gguf_arrays_that_contradict_each_other_are_refused() {
    let check = |change: fn(&mut Gguf), expected: &str| {
        let mut arrays = gguf(if expected.contains("score") { "bpe.gguf.json" } else { "gguf.json" });
        change(&mut arrays);
        assert_eq!(open_gguf(&arrays, &Settings::default()).unwrap_err().to_string(), expected);
    };
    check(
        |gguf| gguf.model = "t5".into(),
        "tokenizer.ggml.model: \"t5\" is not known; known are gpt2, llama",
    );
    check(|gguf| gguf.token_type.truncate(7), "tokenizer.ggml.token_type: token 7 has none");
    check(|gguf| gguf.token_type[3] = 9, "tokenizer.ggml.token_type: token 3 is of the unknown type 9");
    check(
        |gguf| gguf.eos_token_id = Some(700),
        "tokenizer.ggml.eos_token_id: id 700 is not in the vocabulary of 600 ids",
    );
    check(
        |gguf| gguf.merges.push("Ġt Ġt".into()),
        &format!(
            "tokenizer.ggml.merges: merge {} \"Ġt Ġt\" is not of two tokens and makes no third",
            gguf("gguf.json").merges.len()
        ),
    );
    check(
        |gguf| gguf.eom_token_id = Some(600),
        "tokenizer.ggml.eom_token_id: id 600 is not in the vocabulary of 600 ids",
    );
    check(|gguf| gguf.scores.truncate(3), "tokenizer.ggml.scores: 3 scores for 900 tokens");
}
