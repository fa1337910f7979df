//! Folders as people have them, by the commands that open them: what runs, what is told beside, and one sentence for the rest.

use std::path::Path;

use serde_json::{Map, Value as Json, json};

use crate::models::{camelid, config, copy, refused, run, text};

const EMBEDDING: &str = "model.embed_tokens.weight";
const HEAD: &str = "lm_head.weight";

/// Rewrites the header of the small model's file; `data` is what follows it.
fn rewrite(folder: &Path, change: impl FnOnce(&mut Map<String, Json>, &mut Vec<u8>)) {
    let path = folder.join("model.safetensors");
    let bytes = std::fs::read(&path).expect("the file");
    let length = u64::from_le_bytes(bytes[..8].try_into().expect("eight")) as usize;
    let mut header: Map<String, Json> = serde_json::from_slice(&bytes[8..8 + length]).expect("JSON");
    header.shift_remove("__metadata__");
    let mut data = bytes[8 + length..].to_vec();
    change(&mut header, &mut data);
    let json = Json::Object(header).to_string();
    std::fs::write(path, [&(json.len() as u64).to_le_bytes()[..], json.as_bytes(), &data].concat())
        .expect("written");
}

/// The same tensors under other names.
fn renamed(name: impl Fn(&str) -> String) -> tempfile::TempDir {
    let folder = copy();
    rewrite(folder.path(), |header, _| {
        *header = std::mem::take(header).into_iter().map(|(key, entry)| (name(&key), entry)).collect();
    });
    folder
}

/// Adds a head whose numbers are the embedding's, times a factor, in F64 or F32.
fn with_head(folder: &Path, factor: f64, dtype: &str) {
    rewrite(folder, |header, data| {
        let range = &header[EMBEDDING]["data_offsets"];
        let at = |index: usize| range[index].as_u64().expect("an offset") as usize;
        let numbers = data[at(0)..at(1)]
            .chunks_exact(4)
            .map(|four| f64::from(f32::from_le_bytes(four.try_into().expect("four"))) * factor);
        let head: Vec<u8> = match dtype {
            "BF16" => numbers
                .flat_map(|number| ((number as f32).to_bits() >> 16).to_le_bytes()[..2].to_vec())
                .collect(),
            _ => numbers.flat_map(|number| (number as f32).to_le_bytes()).collect(),
        };
        let entry = json!({"dtype": dtype, "shape": header[EMBEDDING]["shape"], "data_offsets": [data.len(), data.len() + head.len()]});
        header.insert(HEAD.into(), entry);
        data.extend(head);
    });
}

/// Rounds every number of the embedding to BF16's, so that the head can be stored so.
fn round_embedding(folder: &Path) {
    rewrite(folder, |header, data| {
        let range = &header[EMBEDDING]["data_offsets"];
        let at = |index: usize| range[index].as_u64().expect("an offset") as usize;
        data[at(0)..at(1)].chunks_exact_mut(4).for_each(|four| four[..2].fill(0));
    });
}

fn generate<'a>(model: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["generate", "--model", model, "--prompt", "Once upon a time", "--max-new-tokens", "8", "--json"], more]
        .concat()
}

/// The text of a folder, and what is told on standard error.
#[track_caller]
fn generated(folder: &Path, more: &[&str]) -> (String, String) {
    let output = camelid(&generate(text(folder), more)).output().expect("it runs");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{told}");
    let report: Json = serde_json::from_slice(&output.stdout).expect("JSON");
    (report["text"].as_str().expect("a text").to_owned(), told)
}

#[track_caller]
fn told_by_all(folder: &Path, expected: &str) {
    for args in [
        vec!["families", "--model", text(folder)],
        vec!["describe", "--model", text(folder)],
        generate(text(folder), &[]),
    ] {
        let output = camelid(&args).output().expect("it runs");
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(told.contains(expected), "{args:?}: {told}");
        assert!(told.lines().count() <= 3, "{args:?}: {told}");
    }
}

#[test]
fn other_beginnings_of_names_are_read_with_a_note() {
    let (plain, _) = generated(copy().path(), &[]);
    let wrapped = |start: &'static str| move |name: &str| format!("{start}{name}");
    for start in ["module.", "_orig_mod.", "pretrained_model.", "base_model.model.", "a.b."] {
        let folder = renamed(wrapped(start));
        let (same, told) = generated(folder.path(), &[]);
        assert_eq!(same, plain, "{start}");
        let first = "model.embed_tokens.weight";
        assert!(told.contains(&format!("`{start}{first}` is read as `{first}`")), "{told}");
    }
    let bare = renamed(|name| name.strip_prefix("model.").unwrap_or(name).to_owned());
    assert_eq!(generated(bare.path(), &[]).0, plain);
    for within in ["_fsdp_wrapped_module.", "_orig_mod."] {
        let layers = renamed(|name| name.replace("self_attn.", &format!("{within}self_attn.")));
        assert_eq!(generated(layers.path(), &[]).0, plain);
        let all = renamed(|name| name.replace("model.", &format!("model.{within}")));
        assert_eq!(generated(all.path(), &[]).0, plain);
    }
}

#[test]
fn a_head_under_a_tied_flag() {
    let folder = copy();
    let (plain, _) = generated(folder.path(), &[]);
    with_head(folder.path(), 1.0, "F32");
    let (same, told) = generated(folder.path(), &[]);
    assert_eq!((same, told.contains("note")), (plain.clone(), false));
    let own = copy();
    with_head(own.path(), -1.0, "F32");
    told_by_all(own.path(), "`lm_head.weight` is another: it is kept");
    assert_ne!(generated(own.path(), &[]).0, plain);
    assert_eq!(generated(own.path(), &["--allow-tensor", HEAD]).0, plain);
    let other_type = copy();
    round_embedding(other_type.path());
    let (rounded, _) = generated(other_type.path(), &[]);
    with_head(other_type.path(), 1.0, "BF16");
    let (same, told) = generated(other_type.path(), &[]);
    assert_eq!((same, told.contains("note")), (rounded, false));
}

#[test]
fn no_head_under_an_untied_flag_names_the_flag() {
    let folder = copy();
    config(folder.path(), |config| drop(config.insert("tie_word_embeddings".into(), false.into())));
    told_by_all(folder.path(), "set `tie_word_embeddings` to true in config.json");
}

#[test]
fn a_config_alone_is_told_and_not_run() {
    let folder = copy();
    std::fs::remove_file(folder.path().join("model.safetensors")).expect("removed");
    let model = text(folder.path());
    assert!(run(&["families", "--model", model]).contains("llama2"));
    assert!(run(&["describe", "--model", model]).contains(EMBEDDING));
    assert!(refused(&generate(model, &[])).contains("no weights here"));
    let file = folder.path().join("config.json");
    assert!(run(&["describe", "--model", text(&file)]).contains(EMBEDDING));
}

#[test]
fn a_fault_of_every_layer_is_one_fault() {
    let lacking = renamed(|name| name.replace("mlp.up_proj", "mlp.upward"));
    let error = refused(&generate(text(lacking.path()), &[]));
    assert_eq!(error.lines().count(), 2, "{error}");
    assert!(error.contains("up_proj.weight` [172, 64] is missing (5 like it)"), "{error}");
    assert!(error.contains("--allow-tensor 'model.layers.*.mlp.upward.weight'"), "{error}");
}

/// The model with three numbers beside it, each a tensor of its own.
fn with_numbers(name: impl Fn(usize) -> String) -> tempfile::TempDir {
    let folder = copy();
    rewrite(folder.path(), |header, data| {
        for index in 0..3 {
            let entry = json!({"dtype": "F32", "shape": [1], "data_offsets": [data.len(), data.len() + 4]});
            header.insert(name(index), entry);
            data.extend([0; 4]);
        }
    });
    folder
}

#[test]
fn what_is_waved_through_by_a_pattern_runs() {
    let folder = with_numbers(|index| format!("draft_head.{index}.weight"));
    told_by_all(folder.path(), "--allow-tensor 'draft_head.*.weight'");
    let output = camelid(&["families", "--model", text(folder.path())]).output().expect("it runs");
    assert!(output.stdout.is_empty(), "a refusal stands alone");
    generated(folder.path(), &["--allow-tensor", "draft_head.*.weight"]);
}

#[test]
fn other_parts_of_a_model_are_set_aside_with_a_note() {
    let (plain, _) = generated(copy().path(), &[]);
    for part in ["v_head.summary", "vision_tower.patch", "model.vision_tower.patch"] {
        let folder = with_numbers(|index| format!("{part}.{index}"));
        told_by_all(
            folder.path(),
            &format!("3 tensors of other parts of the model are set aside, the first `{part}.0`"),
        );
        assert_eq!(generated(folder.path(), &[]).0, plain);
    }
}

#[test]
fn an_adapter_beside_is_told_by_all() {
    let folder = copy();
    std::fs::write(folder.path().join("adapter_config.json"), r#"{"base_model_name_or_path": "org/base"}"#)
        .expect("written");
    told_by_all(folder.path(), "an adapter of org/base lies beside the weights, and is not applied");
}

#[test]
fn matrices_of_zeros_are_told() {
    let folder = copy();
    rewrite(folder.path(), |header, data| {
        let range = &header["model.layers.4.mlp.down_proj.weight"]["data_offsets"];
        let at = |index: usize| range[index].as_u64().expect("an offset") as usize;
        data[at(0)..at(1)].fill(0);
    });
    told_by_all(
        folder.path(),
        "1 of the matrices hold zeros only, the first `model.layers.4.mlp.down_proj.weight`",
    );
}

#[test]
fn an_embedding_model_makes_no_text() {
    let folder = copy();
    std::fs::create_dir(folder.path().join("1_Pooling")).expect("a folder");
    told_by_all(folder.path(), "an embedding model");
    assert!(refused(&generate(text(folder.path()), &[])).contains("makes no text"));
    generated(folder.path(), &["--family", "llama2"]);
}

#[test]
fn a_name_of_ollamas_is_told() {
    let error = refused(&generate("hf.co/org/name-GGUF:Q4_K_M", &[]));
    assert!(error.contains("as a name of ollama's it is not looked up"), "{error}");
}
