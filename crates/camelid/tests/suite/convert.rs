//! `camelid convert`: there and back.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value as Json, json};

use crate::models::{case, config, copy, refused, run, stories, text};

/// Converts a case to a family and back; every file of weights must be equal byte for byte, and both read as one function.
#[track_caller]
fn there_and_back(from: &str, to: &str, back: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let (source, there, again) = (case(from), folder.path().join("there"), folder.path().join("again"));
    run(&["convert", "--model", text(&source), "--to", to, "--out", text(&there)]);
    run(&["convert", "--model", text(&there), "--family", to, "--to", back, "--out", text(&again)]);
    same_tensors(&source, &again);
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

/// Name → type, shape and bytes of every tensor of a folder's one file, those aside that no family reads.
fn tensors(folder: &Path) -> BTreeMap<String, (Json, Vec<u8>)> {
    let file = std::fs::read(folder.join("model.safetensors")).expect("the weights");
    let length = u64::from_le_bytes(file[..8].try_into().expect("eight bytes")) as usize;
    let header: Json = serde_json::from_slice(&file[8..8 + length]).expect("JSON");
    let entries = header.as_object().expect("a table").iter().filter(|(name, _)| *name != "__metadata__");
    let at = |entry: &Json, side: usize| entry["data_offsets"][side].as_u64().expect("an offset") as usize;
    let bytes = |entry: &Json| file[8 + length + at(entry, 0)..8 + length + at(entry, 1)].to_vec();
    let said = |entry: &Json| Json::from(vec![entry["dtype"].clone(), entry["shape"].clone()]);
    entries.map(|(name, entry)| (name.clone(), (said(entry), bytes(entry)))).collect()
}

/// Every tensor is equal byte for byte; what no family reads does not go along to another and back.
#[track_caller]
fn same_tensors(source: &Path, result: &Path) {
    let (mut source, result) = (tensors(source), tensors(result));
    source.retain(|name, _| !name.ends_with("inv_freq"));
    assert!(source.keys().eq(result.keys()), "{:?} and {:?}", source.keys(), result.keys());
    for (name, tensor) in &source {
        assert!(tensor == &result[name], "{name}");
    }
}

fn read(folder: &Path, file: &str) -> Json {
    serde_json::from_slice(&std::fs::read(folder.join(file)).expect("the file")).expect("JSON")
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
    let error = refused("qwen2/gqa", "yi");
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

#[test]
fn a_family_converts_to_itself_whatever_its_layers_and_its_sizes() {
    for name in [
        "gemma2/softcap",
        "gemma2/stdcap",
        "baichuan1/13b-h5",
        "baichuan1/13b-h6",
        "baichuan2/13b-h5",
        "qwen2/dca",
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let (source, out) = (case(name), folder.path().join("out"));
        let family = name.split('/').next().expect("a family");
        let args =
            ["convert", "--model", text(&source), "--family", family, "--to", family, "--out", text(&out)];
        assert!(run(&args).contains("bytes: rows moved, no number changed"), "{name}");
        same_tensors(&source, &out);
        assert_eq!(read(&source, "config.json"), read(&out, "config.json"), "{name}");
    }
}

#[test]
fn a_result_says_its_class_and_names_no_code_of_its_source() {
    let folder = tempfile::tempdir().expect("a folder");
    let (source, out) = (folder.path().join("source"), folder.path().join("out"));
    std::fs::create_dir(&source).expect("a folder");
    for file in ["config.json", "model.safetensors"] {
        std::fs::copy(case("glm4/remote-ratio1").join(file), source.join(file)).expect("copied");
    }
    let said = json!({"auto_map": {"AutoTokenizer": ["tokenization_chatglm.ChatGLM4Tokenizer", null]}, "tokenizer_class": "ChatGLM4Tokenizer", "model_max_length": 64});
    std::fs::write(source.join("tokenizer_config.json"), said.to_string()).expect("written");
    run(&["convert", "--model", text(&source), "--to", "glm4-hf", "--out", text(&out)]);
    let config = read(&out, "config.json");
    assert_eq!(config["architectures"], json!(["GlmForCausalLM"]));
    assert!(config.get("auto_map").is_none() && config.get("torch_dtype").is_some(), "{config}");
    assert_eq!(read(&out, "tokenizer_config.json"), json!({"model_max_length": 64}));
    assert!(tensors(&out).keys().all(|name| !name.contains("inv_freq")));
}

#[test]
fn every_reason_is_told_at_once_with_what_would_allow_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("out");
    let error =
        refused(&["convert", "--model", text(&case("qwen1/base")), "--to", "llama2", "--out", text(&out)]);
    for told in ["attention.logn", "rope.scaling", "--allow length"] {
        assert!(error.contains(told), "{error} lacks {told}");
    }
    let error =
        refused(&["convert", "--model", text(&case("minicpm/gqa")), "--to", "llama2", "--out", text(&out)]);
    for told in ["embedding.scale", "block.branch_scale", "output.scale", "--allow fold", "--to granite"] {
        assert!(error.contains(told), "{error} lacks {told}");
    }
    assert!(std::fs::read_dir(folder.path()).expect("the folder").next().is_none(), "nothing is left");
}

#[test]
fn an_engine_gets_the_form_with_the_least_loss_and_the_record_says_which() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("out");
    let source = case("minicpm/gqa");
    let args = ["convert", "--model", text(&source), "--for", "transformers", "--out", text(&out), "--json"];
    let report: Json = serde_json::from_str(&run(&args)).expect("JSON");
    assert_eq!((&report["family"], &report["grade"]), (&json!("granite"), &json!("bytes")));
    assert_eq!(report["source"]["family"], "minicpm");
    assert!(report["source"]["sha256"]["model.safetensors"].as_str().expect("a sum").len() == 64);
    assert!(report["proof"]["logits"].as_f64().expect("a figure") < 2e-5, "{report}");
    assert_eq!(report, read(&out, "camelid-conversion.json"));
}

#[test]
fn a_length_becomes_the_context() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("out");
    let source = case("llama2/dynamic");
    let args = ["convert", "--model", text(&source), "--for", "llama.cpp", "--out", text(&out)];
    assert!(refused(&args).contains("--allow length"));
    let file = folder.path().join("model.gguf");
    let args = [
        "convert",
        "--model",
        text(&source),
        "--to-gguf",
        "--allow",
        "length",
        "--out",
        text(&file),
        "--json",
    ];
    let report: Json = serde_json::from_str(&run(&args)).expect("JSON");
    assert_eq!((&report["grade"], &report["within"]), (&json!("within"), &json!(32)));
    let described = run(&["describe", "--model", text(&file), "--json"]);
    let described: Json = serde_json::from_str(&described).expect("JSON");
    assert_eq!(described["words"]["block.context"], 32);
}

#[test]
fn gguf_files_are_written_and_read_back_as_the_same_function() {
    for (name, form) in [
        ("llama2/bias", "llama"),
        ("llama3/3.1-rope", "llama"),
        ("llama3/3.2-tied", "llama"),
        ("qwen2/yarn", "llama"),
        ("chatglm3/base", "llama"),
        ("chatglm2/kvc", "llama"),
        ("glm4-hf/base", "llama"),
        ("baichuan2/7b-base", "llama"),
        ("minicpm/gqa", "granite"),
        ("gemma1/mqa", "gemma"),
        ("gemma2/softcap", "gemma2"),
        ("yi/remote-ln12", "llama"),
        ("baichuan1/13b-h5", "refact"),
        ("baichuan1/13b-h6", "refact"),
        ("baichuan2/13b-h5", "refact"),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let (file, back) = (folder.path().join("model.gguf"), folder.path().join("back"));
        let family = name.split('/').next().expect("a family");
        let source = case(name);
        let args = [
            "convert",
            "--model",
            text(&source),
            "--family",
            family,
            "--to-gguf",
            "--allow",
            "fold",
            "--out",
            text(&file),
        ];
        let said = run(&args);
        assert!(
            said.contains(&format!("architecture `{form}`")) && said.contains("read back and run"),
            "{name}: {said}"
        );
        let (to, allow) = match form {
            "llama" => ("llama2", "bytes"),
            "refact" => ("baichuan1", "bytes"),
            "gemma" => ("gemma1", "fold"),
            "gemma2" => ("gemma2", "fold"),
            form => (form, "bytes"),
        };
        let args = [
            "convert",
            "--model",
            text(&file),
            "--family",
            to,
            "--to",
            to,
            "--allow",
            allow,
            "--out",
            text(&back),
        ];
        assert!(run(&args).contains("read back and run"), "{name}");
    }
}

#[test]
fn a_gguf_file_has_the_vocabulary_of_its_source() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("stories.gguf");
    run(&["convert", "--model", text(stories()), "--to-gguf", "--out", text(&file)]);
    let said = |model: &Path| {
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
    assert_eq!(said(&file), said(stories()));
}

#[test]
fn a_folder_keeps_the_vocabulary_of_its_source_whatever_family_it_looks_like() {
    // As many pieces as Yi has, in Llama's form.
    let source = copy();
    config(source.path(), |config| {
        config.insert("bos_token_id".into(), 1.into());
    });
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("out");
    run(&["convert", "--model", text(source.path()), "--to", "granite", "--out", text(&out)]);
    let args = [
        "generate",
        "--model",
        text(&out),
        "--prompt",
        "Once upon a time",
        "--max-new-tokens",
        "5",
        "--json",
    ];
    let report: Json = serde_json::from_str(&run(&args)).expect("JSON");
    let args = [
        "generate",
        "--model",
        text(source.path()),
        "--prompt",
        "Once upon a time",
        "--max-new-tokens",
        "5",
        "--json",
    ];
    let before: Json = serde_json::from_str(&run(&args)).expect("JSON");
    assert_eq!(report["text"], before["text"]);
}

#[test]
fn a_narrower_type_is_consent_to_round_and_says_how_far() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("out");
    let source = case("llama2/gqa");
    let args = [
        "convert",
        "--model",
        text(&source),
        "--to",
        "llama2",
        "--dtype",
        "bf16",
        "--out",
        text(&out),
        "--json",
    ];
    let report: Json = serde_json::from_str(&run(&args)).expect("JSON");
    let rounded = report["rounded"].as_array().expect("a list");
    assert!(
        rounded.len() > 10 && rounded.iter().all(|it| it["by"].as_f64().is_some_and(|by| by < 4e-3)),
        "{report}"
    );
    assert_eq!(read(&out, "config.json")["torch_dtype"], "bfloat16");
}
