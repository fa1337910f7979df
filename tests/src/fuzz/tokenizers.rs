//! Targets for the three formats of vocabularies.

use camelid::generate::Beside;
use camelid::tokenizers::{Kind, Settings, Specials, Tokenizer, from_bytes, from_pair, kind_of};
use serde_json::{Map, Value};

/// Texts with spaces in runs, bytes, marks that combine, and what looks like a special token.
const TEXTS: [&str; 4] = ["", " a  b\n", "Human beings, 人人 \u{301}👍🏽 ﬁ㍿ 123", "<s>\0</s><|x|>"];

/// A sentencepiece model.
pub fn sentencepiece(data: &[u8]) -> bool {
    open(data, Kind::SentencePiece)
}

/// tiktoken ranks.
pub fn tiktoken(data: &[u8]) -> bool {
    open(data, Kind::Tiktoken)
}

/// A `tokenizer.json`.
pub fn tokenizer_json(data: &[u8]) -> bool {
    open(data, Kind::Json)
}

/// What stands beside a vocabulary: a JSON object with `tokenizer_config`, `added_tokens` and `config`, and perhaps the
/// vocabulary itself as `vocab` and `merges`; without them they stand beside a small sentencepiece model.
pub fn beside(data: &[u8]) -> bool {
    const MODEL: &[u8] = include_bytes!("../../../crates/tokenizers/tests/data/bpe.model");
    let Ok(Value::Object(input)) = serde_json::from_slice(data) else { return false };
    let table = |key| input.get(key).and_then(Value::as_object).cloned().unwrap_or_default();
    let beside = Beside { tokenizer_config: table("tokenizer_config"), added_tokens: table("added_tokens") };
    let mut settings = Settings::default();
    let config: Map<String, Value> = table("config");
    if beside.add_to(&mut settings, &config).is_err() {
        return false;
    }
    let opened = match (input.get("vocab"), input.get("merges").and_then(Value::as_str)) {
        (Some(vocab), Some(merges)) => from_pair(vocab.to_string().as_bytes(), merges.as_bytes(), &settings),
        _ => from_bytes(MODEL, &settings),
    };
    let Ok(tokenizer) = opened else { return false };
    touch(&*tokenizer);
    true
}

fn open(data: &[u8], kind: Kind) -> bool {
    if kind_of(data).ok() != Some(kind) {
        return false;
    }
    let pattern = r"(?i:'s|'t)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|\s*[\r\n]+|\s+(?!\S)|\s+|.";
    let settings = Settings { pattern: Some(pattern.to_owned()), ..Settings::default() };
    let Ok(tokenizer) = from_bytes(data, &settings) else { return false };
    touch(&*tokenizer);
    true
}

/// Ids that come out go in again, and a stream of them is the whole text.
pub(super) fn touch(tokenizer: &dyn Tokenizer) {
    for text in TEXTS {
        for specials in [Specials::Literal, Specials::Parse] {
            let Ok(ids) = tokenizer.encode(text, specials) else { continue };
            let whole = tokenizer.decode(&ids).expect("its own ids have a text");
            let mut stream = tokenizer.stream();
            let mut streamed = String::new();
            for &id in &ids {
                streamed.push_str(&stream.push(id).expect("its own ids have a text"));
            }
            streamed.push_str(&stream.finish());
            assert_eq!(streamed, whole);
        }
    }
    for id in (0..tokenizer.vocab_size().min(1000) as u32).step_by(7) {
        let _ = tokenizer.decode(&[id, id]);
    }
}
