//! Classes that make no text: told by what looks, refused by what runs.

use serde_json::json;

use crate::models::{camelid, config, copy, refused, run, text};

/// The small model, which is tied, with other keys in its config.json.
fn with(keys: serde_json::Value) -> tempfile::TempDir {
    let folder = copy();
    config(folder.path(), |config| config.extend(keys.as_object().cloned().unwrap_or_default()));
    folder
}

fn generate<'a>(model: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["generate", "--model", model, "--prompt", "Once", "--max-new-tokens", "2"], more].concat()
}

#[track_caller]
fn no_text(keys: serde_json::Value, expected: &str) {
    let folder = with(keys);
    let model = text(folder.path());
    let error = refused(&generate(model, &[]));
    assert!(error.contains(expected) && error.contains("--family llama2"), "{error}");
    assert_eq!(error.lines().count(), 1, "{error}");
    for command in ["families", "describe"] {
        let output = camelid(&[command, "--model", model]).output().expect("it runs");
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success() && told.contains(expected), "{command}: {told}");
    }
    run(&generate(model, &["--family", "llama2"]));
}

#[test]
fn another_class_is_named() {
    no_text(
        json!({"architectures": ["LlamaForSequenceClassification"]}),
        "`LlamaForSequenceClassification`, a classifier",
    );
    no_text(json!({"architectures": ["LlamaForTokenClassification"]}), "a classifier of tokens");
    no_text(json!({"architectures": ["LlamaForRewardModel"]}), "a reward model");
    no_text(json!({"architectures": ["LlamaBiModel"]}), "`LlamaBiModel`, one without a head");
    no_text(json!({"architectures": ["MixtralForCausalLM"]}), "`MixtralForCausalLM`, another network");
    no_text(json!({"architectures": "BertModel"}), "`BertModel`");
    no_text(json!({"is_causal": false}), "`is_causal` is false");
}

#[test]
fn no_class_an_older_spelling_and_a_base_class_run() {
    for keys in [json!({"architectures": []}), json!({"architectures": ["LLaMAForCausalLM"]})] {
        run(&generate(text(with(keys).path()), &[]));
    }
    let folder = with(json!({"architectures": ["LlamaModel"]}));
    let output = camelid(&generate(text(folder.path()), &[])).output().expect("it runs");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && told.contains("note: config.json names the class `LlamaModel`"),
        "{told}"
    );
}
