//! Vocabularies in folders: what stands beside them, as transformers reads it.

use std::fs;
use std::path::Path;

use camelid_families::Library;
use camelid_generate::vocabulary;
use camelid_tokenizers::Specials;
use serde_json::{Value, json};

/// The ids of a text in a folder with a small vocabulary and this beside it, read as `minicpm`, which does as the file says:
/// this one has no dummy prefix.
fn ids(beside: Option<Value>, text: &str) -> Vec<u32> {
    let folder = tempfile::tempdir().expect("a folder");
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tokenizers/tests/data/bpe-user.model");
    fs::copy(model, folder.path().join("tokenizer.model")).expect("it is copied");
    if let Some(beside) = beside {
        fs::write(folder.path().join("tokenizer_config.json"), beside.to_string()).expect("written");
    }
    let library = Library::built_in().expect("the built-in families");
    let tokenizer = vocabulary(&library, folder.path(), Some("minicpm")).expect("it opens");
    tokenizer.encode(text, Specials::Parse).expect("ids")
}

#[test]
fn a_class_without_a_fast_form_is_not_converted_where_tokens_are_added() {
    let beside = |classes: Value| {
        let token = json!({ "content": "<|new|>", "special": true });
        Some(json!({ "auto_map": { "AutoTokenizer": classes }, "added_tokens_decoder": { "90000": token } }))
    };
    let alone = ids(None, "hello");
    assert_eq!(ids(beside(json!(["own.Slow", null])), "hello"), alone);
    assert_ne!(
        ids(beside(json!(["own.Slow", "own.Fast"])), "hello"),
        alone,
        "a fast one has a prefix of its own"
    );
}
