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
        "tokenizer.pattern: 700 ranks say not how a text is split; known are glm4 (151329 ranks), llama3 (128000 ranks), \
         qwen1 (151643 ranks)"
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
        "tokenizer.ggml.model: \"t5\" is not known; known are gemma4, gpt2, llama",
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

#[test]
fn merges_of_pieces_that_are_none_are_refused() {
    let check = |merge: &str, expected: &str| {
        let mut arrays = gguf("merged.gguf.json");
        arrays.merges.insert(0, merge.into());
        let error = open_gguf(&arrays, &Settings::default()).unwrap_err().to_string();
        assert_eq!(error, format!("tokenizer.ggml.merges: {expected}"));
    };
    check("e €", "merge 0 \"e €\": \"e€\" is no token");
    check("e", "\"e\" is not of two pieces with a space between");
    check("e ", "\"e \" is not of two pieces with a space between");
}

/// The same vocabulary as two files, as it was before there was a tokenizer.json.
#[test]
fn a_pair_of_files_is_what_their_json_is() {
    let json: serde_json::Value =
        serde_json::from_slice(&std::fs::read(path("byte-level.json")).unwrap()).unwrap();
    let merges = json["model"]["merges"].as_array().unwrap().iter();
    let merges: Vec<String> = merges
        .map(|merge| match merge.as_str() {
            Some(line) => line.to_owned(),
            None => format!("{} {}", merge[0].as_str().unwrap(), merge[1].as_str().unwrap()),
        })
        .collect();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("vocab.json"), json["model"]["vocab"].to_string()).unwrap();
    std::fs::write(folder.path().join("merges.txt"), format!("#version: 0.2\n{}\n", merges.join("\n")))
        .unwrap();
    let pair = open(folder.path(), &Settings::default()).unwrap();
    let text = "It's naïve: 人人 eat  12 apples\n\n";
    let ids = pair.encode(text, Specials::Literal).unwrap();
    assert_eq!(pair.decode(&ids).unwrap(), text);
    // The other file splits in its own way; single words are the same ids in both.
    let whole = open(&path("byte-level.json"), &Settings::default()).unwrap();
    for word in ["human", " beings", "ï", "12"] {
        let ids = |tokenizer: &dyn Tokenizer| tokenizer.encode(word, Specials::Literal).unwrap();
        assert_eq!(ids(&*pair), ids(&*whole), "{word}");
    }
}
