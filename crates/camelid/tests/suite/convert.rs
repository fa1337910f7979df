//! `camelid convert`: there and back.

use serde_json::Value as Json;

use crate::models::{case, refused, run, stories, text};

/// Converts a case to a family and back; every file of weights must be equal byte for byte, and both read as one function.
#[track_caller]
fn there_and_back(from: &str, to: &str, back: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let (source, there, again) = (case(from), folder.path().join("there"), folder.path().join("again"));
    run(&["convert", "--model", text(&source), "--to", to, "--out", text(&there)]);
    run(&["convert", "--model", text(&there), "--family", to, "--to", back, "--out", text(&again)]);
    let weights =
        |folder: &std::path::Path| std::fs::read(folder.join("model.safetensors")).expect("the weights");
    assert!(weights(&source) == weights(&again), "{from} → {to} → {back}");
    let words = |folder: &std::path::Path, family: &str| {
        let report = run(&["describe", "--model", text(folder), "--family", family, "--json"]);
        let report: Json = serde_json::from_str(&report).expect("JSON");
        let words = report["words"].as_object().expect("words").clone();
        // What no scaling reads is not said by every family.
        words
            .into_iter()
            .filter(|(word, _)| !word.starts_with("tensors.") && word != "rope.context")
            .collect::<Vec<_>>()
    };
    assert_eq!(words(&source, back), words(&again, back));
    assert_eq!(words(&source, back), words(&there, to));
}

#[test]
fn exact_conversions_come_back_byte_for_byte() {
    there_and_back("yi/remote-ln12", "llama2", "yi");
    there_and_back("llama2/gqa-bf16", "yi", "llama2");
    there_and_back("baichuan1/7b-base", "llama1", "baichuan1");
    there_and_back("glm4-hf/base", "glm4", "glm4-hf");
    there_and_back("glm4/remote-ratio500", "glm4-hf", "glm4");
    there_and_back("glm4/remote-ratio1", "glm4-hf", "glm4");
}

#[test]
fn what_can_t_be_said_exactly_is_refused_with_the_words_in_the_way() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("out");
    let refused = |from: &str, to: &str| {
        refused(&["convert", "--model", text(&case(from)), "--to", to, "--out", text(&out)])
    };
    let error = refused("baichuan2/7b-base", "llama2");
    assert!(
        error.contains("output.unit_rows: the checkpoint has true, and this family would make it false"),
        "{error}"
    );
    let error = refused("gemma2/softcap", "llama3");
    for word in ["attention.softcap", "attention.window", "norm.offset", "embedding.scale"] {
        assert!(error.contains(word), "{error} lacks {word}");
    }
    let error = refused("qwen2/gqa", "llama2");
    assert!(error.contains("tensors.query"), "{error}");
    assert!(!out.exists(), "nothing is left");
}

#[test]
fn the_tokenizer_goes_along_and_the_converted_model_says_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("out");
    run(&["convert", "--model", text(stories()), "--to", "llama2", "--out", text(&out)]);
    let said = |model: &std::path::Path| {
        let args = [
            "generate",
            "--model",
            text(model),
            "--prompt",
            "Once upon a time",
            "--max-new-tokens",
            "20",
            "--json",
        ];
        let report: Json = serde_json::from_str(&run(&args)).expect("JSON");
        report["text"].clone()
    };
    assert_eq!(said(&out), said(stories()));
    let bytes =
        |folder: &std::path::Path| std::fs::read(folder.join("tokenizer.model")).expect("the tokenizer");
    assert_eq!(bytes(&out), bytes(stories()));
}

#[test]
fn a_folder_that_holds_a_checkpoint_is_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("config.json"), "{}").expect("written");
    let source = case("baichuan1/7b-base");
    let error =
        refused(&["convert", "--model", text(&source), "--to", "llama1", "--out", text(folder.path())]);
    assert!(error.contains("it is there already"), "{error}");
}
