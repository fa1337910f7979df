//! Folders and files as people have them: what opens, and what is told in one sentence.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use camelid_checkpoint::Checkpoint;

mod support;
use support::{Folder, ones, safetensors};

const CONFIG: (&str, &[u8]) = ("config.json", br#"{"hidden_size": 8}"#);
const INDEX: &str = "model.safetensors.index.json";
const SHARDS: [&str; 2] = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];

#[track_caller]
fn names(checkpoint: &Checkpoint) -> Vec<&str> {
    checkpoint.tensors().map(|tensor| tensor.name()).collect()
}

#[test]
fn a_whole_set_needs_no_index() {
    let folder = Folder::new(&[CONFIG, (SHARDS[0], &ones(&["a"])), (SHARDS[1], &ones(&["b"]))]);
    assert_eq!(names(&folder.open().unwrap()), ["a", "b"]);
    std::fs::remove_file(folder.file(SHARDS[0])).unwrap();
    folder.refused(&[SHARDS[1], "of which model-00001-of-00002.safetensors is missing"]);
}

#[test]
fn a_file_stands_for_its_folder() {
    let other = ("other.safetensors", &ones(&["other"])[..]);
    let folder = Folder::new(&[CONFIG, ("model.safetensors", &ones(&["main"])), other]);
    let opened = |name: &str| Checkpoint::open(folder.file(name)).unwrap();
    for (name, expected) in
        [("config.json", "main"), ("model.safetensors", "main"), ("other.safetensors", "other")]
    {
        assert_eq!((names(&opened(name)), opened(name).path()), (vec![expected], folder.path()));
    }
    let index = br#"{"weight_map": {"a": "one.safetensors", "b": "two.safetensors"}}"#;
    let (one, two) = (ones(&["a"]), ones(&["b"]));
    let folder = Folder::new(&[CONFIG, (INDEX, index), ("one.safetensors", &one), ("two.safetensors", &two)]);
    assert_eq!(names(&Checkpoint::open(folder.file(INDEX)).unwrap()), ["a", "b"]);
    let folder = Folder::new(&[CONFIG, (SHARDS[0], &ones(&["a"])), (SHARDS[1], &ones(&["b"]))]);
    assert_eq!(names(&Checkpoint::open(folder.file(SHARDS[1])).unwrap()), ["a", "b"]);
    let alone = Folder::new(&[other]);
    let error = Checkpoint::open(alone.file(other.0)).unwrap_err().to_string();
    assert!(error.contains("weights without a config.json beside them"), "{error}");
}

#[test]
fn downloads_that_did_not_end() {
    let model = ones(&["a"]);
    for ending in [".aria2", ".incomplete", ".part", ".crdownload"] {
        let beside = format!("model.safetensors{ending}");
        let folder = Folder::new(&[CONFIG, ("model.safetensors", &model), (&beside, b"")]);
        folder.refused(&["model.safetensors: a download that did not end", &beside]);
        Folder::new(&[CONFIG, (&beside, b"")]).refused(&[&beside, "a download that did not end"]);
        let other = format!("tokenizer.json{ending}");
        Folder::new(&[CONFIG, ("model.safetensors", &model), (&other, b"")]).open().unwrap();
    }
    let folder = Folder::new(&[CONFIG]);
    let cache = folder.file(".cache/huggingface/download");
    std::fs::create_dir_all(&cache).unwrap();
    std::fs::write(cache.join("model.safetensors.4f2a.incomplete"), b"").unwrap();
    folder.refused(&["model.safetensors.4f2a.incomplete: a download that did not end"]);
}

#[test]
fn what_is_something_else_is_told_by_its_first_bytes() {
    let check = |bytes: &[u8], told: &str| {
        for name in ["model.safetensors", "pytorch_model.bin", "x.gguf"] {
            let folder = Folder::new(&[CONFIG, (name, bytes)]);
            for path in [folder.path().to_owned(), folder.file(name)] {
                let error = Checkpoint::open(path).unwrap_err().to_string();
                assert!(
                    error.contains(name) && error.contains(told) && error.lines().count() == 1,
                    "{error}"
                );
            }
        }
    };
    check(b"version https://git-lfs.github.com/spec/v1\noid sha256:44\nsize 49\n", "a Git LFS pointer");
    check(b"<!DOCTYPE html>\n<html><head><title>403</title></head></html>", "a web page");
    check(b"", "an empty file");
    check(&[0; 100], "a file of zeros");
    check(b"Entry not found", "text that begins \"Entry not found\"");
    check(b"../../blobs/0123456789abcdef", "the text of a link");
    check(b"\x1f\x8b\x08\0\0\0\0\0\0\0", "an archive (gzip)");
    check(b"tjgg\x03\0\0\0\0\0\0\0", "a GGML file");
}

#[test]
fn layouts_of_other_programs_are_named() {
    let check = |files: &[&str], told: &str| {
        let files: Vec<(&str, &[u8])> = files.iter().map(|name| (*name, &b"\xff\xfe"[..])).collect();
        let error = Folder::new(&[&[CONFIG], &files[..]].concat()).open().unwrap_err().to_string();
        assert!(error.contains(told) && error.lines().count() == 1, "{error}");
    };
    check(&["model.onnx"], "an ONNX model");
    check(&["openvino_model.xml", "openvino_model.bin"], "an OpenVINO model");
    check(&["model.bin", "shared_vocabulary.json"], "a CTranslate2 model");
    check(&["consolidated.00.pth", "params.json"], "Meta's own format");
    check(&["consolidated.safetensors", "params.json"], "their maker's own program");
    check(&["lit_model.pth"], "a LitGPT checkpoint");
    check(&["flax_model.msgpack"], "a Flax model");
    check(&["model.weights.h5"], "a Keras model");
    check(&["adapter_model.safetensors"], "an adapter; merge it");
}

#[test]
fn an_adapter_names_its_base_and_is_no_weights() {
    let says = ("adapter_config.json", &br#"{"base_model_name_or_path": "org/base"}"#[..]);
    let adapter = ("adapter_model.safetensors", &ones(&["a"])[..]);
    Folder::new(&[CONFIG, says, adapter])
        .refused(&["an adapter of org/base; merge it into its base model first"]);
    let beside =
        Folder::new(&[CONFIG, says, adapter, ("model.safetensors", &ones(&["main"]))]).open().unwrap();
    assert_eq!(names(&beside), ["main"]);
    assert!(beside.notes()[0].contains("an adapter of org/base lies beside the weights, and is not applied"));
}

#[test]
fn empty_weights_are_passed_over() {
    let empty = safetensors(r#"{"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}"#, 0);
    let folder = Folder::new(&[CONFIG, ("model.safetensors", &empty)]);
    folder.refused(&["model.safetensors: its tensors are empty", "zero_to_fp32.py"]);
    std::fs::write(folder.file("model.fp16.safetensors"), ones(&["a"])).unwrap();
    let opened = folder.open().unwrap();
    assert_eq!(opened.tensor("a").unwrap().shape(), [1]);
    assert!(opened.notes()[0].contains("its tensors are empty"));
}

#[test]
fn quantised_weights_are_told_in_one_sentence() {
    let entry = |name: &str| format!(r#""{name}":{{"dtype":"I32","shape":[1],"data_offsets":[0,4]}}"#);
    let file = safetensors(&format!("{{{}}}", entry("model.layers.0.q_proj.qweight")), 4);
    let config: (&str, &[u8]) =
        ("config.json", br#"{"quantization_config": {"quant_method": "gptq", "bits": 4}}"#);
    Folder::new(&[config, ("model.safetensors", &file)])
        .refused(&["the weights are quantised (gptq, 4 bits), in a form that is not read"]);
    Folder::new(&[config, ("model.safetensors", &ones(&["model.norm.weight"]))]).open().unwrap();
}

#[test]
fn what_lies_below_is_named() {
    let folder = Folder::new(&[]);
    let model = folder.file("one/step/model");
    std::fs::create_dir_all(&model).unwrap();
    std::fs::write(model.join("config.json"), b"{}").unwrap();
    std::fs::write(model.join("model.safetensors"), ones(&["a"])).unwrap();
    folder.refused(&["no weights here; name ", "one/step/model"]);
    std::fs::write(folder.file("one/x.gguf"), b"GGUF").unwrap();
    folder.refused(&["name one of those below, such as ", "one/x.gguf", "one/step/model"]);
}

#[test]
fn a_models_folder_in_the_hubs_cache_is_its_snapshot() {
    let folder = Folder::new(&[]);
    let snapshot = folder.file("models--org--name/snapshots/0a1b");
    std::fs::create_dir_all(&snapshot).unwrap();
    std::fs::write(snapshot.join("config.json"), b"{}").unwrap();
    std::fs::write(snapshot.join("model.safetensors"), ones(&["a"])).unwrap();
    let model = folder.file("models--org--name");
    assert_eq!(Checkpoint::open(&model).unwrap().path(), snapshot);
    std::fs::create_dir_all(model.join("snapshots/ffff")).unwrap();
    std::fs::create_dir(model.join("refs")).unwrap();
    std::fs::write(model.join("refs/main"), "0a1b\n").unwrap();
    assert_eq!(Checkpoint::open(&model).unwrap().path(), snapshot);
}

#[test]
fn an_ollama_manifest_names_its_model() {
    let folder = Folder::new(&[]);
    for part in ["blobs", "manifests/registry/library/tiny"] {
        std::fs::create_dir_all(folder.file(part)).unwrap();
    }
    std::fs::write(folder.file("blobs/sha256-0a"), b"GGUF").unwrap();
    let manifest = folder.file("manifests/registry/library/tiny/latest");
    let layer = r#"{"mediaType": "application/vnd.ollama.image.model", "digest": "sha256:0a"}"#;
    std::fs::write(&manifest, format!(r#"{{"layers": [{layer}]}}"#)).unwrap();
    let error = Checkpoint::open(&manifest).unwrap_err().to_string();
    assert!(
        error.contains("a manifest of ollama's; name the model's file, ")
            && error.contains("blobs/sha256-0a"),
        "{error}"
    );
    folder.refused(&["no weights here; name ", "blobs/sha256-0a"]);
}

#[test]
fn a_tensor_of_a_type_that_is_not_read_does_not_refuse_the_file() {
    let header = r#"{"a":{"dtype":"F8_E8M0","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"F4","shape":[4],"data_offsets":[4,6]}}"#;
    let folder = Folder::new(&[CONFIG, ("model.safetensors", &safetensors(header, 6))]);
    let checkpoint = folder.open().unwrap();
    let tensor = checkpoint.tensor("b").unwrap();
    assert_eq!((tensor.dtype().to_string().as_str(), tensor.byte_len()), ("F4", 2));
    assert!(tensor.to_f32().is_err() && tensor.bytes().unwrap().len() == 2);
}
