//! The exit statuses of `camelid verify`: 0 passed, 1 differed, 2 could not run.

use std::path::{Path, PathBuf};

use assert_cmd::Command;

fn cases() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/cases")
}

fn verify(args: &[&str]) -> Command {
    let mut command = Command::cargo_bin("camelid").expect("the command is built");
    command.arg("verify").args(args).env("CAMELID_CASES", cases());
    command
}

/// What was printed, with what status.
fn check(args: &[&str], status: i32, says: &[&str]) {
    let output = verify(args).output().expect("it runs");
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8(text).expect("text");
    assert_eq!(output.status.code(), Some(status), "{args:?}: {text}");
    for word in says {
        assert!(text.contains(word), "{args:?} does not say `{word}`: {text}");
    }
    assert!(!text.contains('\u{1b}'), "colour, but this is no terminal");
}

fn case(name: &str) -> String {
    cases().join(name).display().to_string()
}

#[test]
fn a_family_that_equals_its_original_ends_with_0() {
    check(&["gemma1"], 0, &["ok", "as published", "taps within", "16 of 16 greedy tokens"]);
    check(&["llama1", "--prove"], 0, &["changes differ", "block.context"]);
}

#[test]
fn a_case_of_another_family_that_loads_ends_with_1_and_the_cause() {
    // What the two families' config classes have other defaults for is said.
    let folder = tempfile::tempdir().expect("a folder");
    for entry in std::fs::read_dir(case("llama1/base")).expect("a case") {
        let entry = entry.expect("an entry");
        std::fs::copy(entry.path(), folder.path().join(entry.file_name())).expect("copied");
    }
    let path = folder.path().join("config.json");
    let mut config: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&path).expect("config.json")).expect("JSON");
    config["num_key_value_heads"] = config["num_attention_heads"].clone();
    let number = |key: &str| config[key].as_u64().expect("a number");
    config["head_dim"] = (number("hidden_size") / number("num_attention_heads")).into();
    std::fs::remove_file(&path).expect("it was copied");
    std::fs::write(&path, config.to_string()).expect("written");
    let saying = folder.path().display().to_string();
    check(&["gemma1", "--case", &saying], 1, &["FAILED", "1 + w", "embedding.scale"]);
    check(&["yi", "--case", &case("llama1/base")], 0, &["read as yi; by its config.json it is llama1"]);
}

/// A copy of a case of which numbers of the reference are changed.
fn bent(name: &str, change: impl Fn(&str, &mut [f64])) -> tempfile::TempDir {
    use camelid::checkpoint::{Dtype, Mapping, Source, Tensor, read_safetensors, write_safetensors};
    let folder = tempfile::tempdir().expect("a folder");
    for entry in std::fs::read_dir(case(name)).expect("a case") {
        let entry = entry.expect("an entry");
        std::fs::copy(entry.path(), folder.path().join(entry.file_name())).expect("copied");
    }
    let path = folder.path().join("reference.safetensors");
    let source = Source::open(&path, Mapping::Read).expect("the reference");
    let tensors = read_safetensors(&source.into()).expect("tensors");
    let changed = tensors.iter().map(|tensor| {
        let Ok(mut values) = tensor.to_f64() else { return tensor.clone() };
        change(tensor.name(), &mut values);
        let bytes: Vec<u8> = values.iter().flat_map(|x| x.to_le_bytes()).collect();
        Tensor::from_bytes(tensor.name(), Dtype::F64, tensor.shape(), bytes.into()).expect("a tensor")
    });
    let changed: Vec<Tensor> = changed.collect();
    std::fs::remove_file(&path).expect("it was copied");
    write_safetensors(&path, &changed).expect("written");
    folder
}

#[test]
fn a_reference_that_overflows_is_located_and_no_word_is_blamed() {
    let folder = bent("llama3/base", |name, values| {
        let size = values.len();
        match name {
            // The last token's, and from there on everything.
            "attention.1" => values[size - 1] = f64::NAN,
            "hidden.layer.1" | "mlp.1" | "hidden.final_norm" | "logits" => {
                values[size - 1] = f64::INFINITY;
            }
            _ => {}
        }
    });
    let case = folder.path().display().to_string();
    let said = ["FAILED", "not finite", "attention of layer 1", "alone"];
    check(&["llama3", "--case", &case], 1, &said);
    // What others are judged by must be finite itself.
    let judge = bent("llama3/base", |name, values| {
        if name == "logits_f64" {
            values[0] = f64::NAN;
        }
    });
    check(&["llama3", "--case", &judge.path().display().to_string()], 2, &["logits_f64", "finite"]);
}

#[test]
fn what_does_not_load_ends_with_2_and_names_every_key_and_each_tensor_once() {
    let missing = [
        "model.layers.0.self_attn.q_proj.weight",
        "model.layers.0.pre_feedforward_layernorm.weight",
        "model.layers.0.post_feedforward_layernorm.weight",
        "like it",
    ];
    check(&["gemma2", "--case", &case("llama3/base")], 2, &missing);
    check(&["gemma2", "--json", "--case", &case("llama3/base")], 2, &missing);
    check(&["no-such-family"], 2, &["no family is called `no-such-family`"]);
    check(&["llama1", "--case", "/no/such/case"], 2, &["/no/such/case"]);
    check(&["--spec", "/no/such/file.toml"], 2, &["/no/such/file.toml"]);
    check(&[], 2, &["required", "NAME"]);
}

#[test]
fn a_key_or_a_tensor_is_waved_through_by_name() {
    let folder = tempfile::tempdir().expect("a folder");
    for entry in std::fs::read_dir(cases().join("llama1/base")).expect("the case") {
        let entry = entry.expect("readable");
        std::fs::copy(entry.path(), folder.path().join(entry.file_name())).expect("copied");
    }
    let config = folder.path().join("config.json");
    let text = std::fs::read_to_string(&config).expect("read");
    std::fs::write(&config, text.replacen('{', "{\"of_my_own\": 7,", 1)).expect("written");
    let path = folder.path().display().to_string();
    check(&["llama1", "--case", &path], 2, &["of_my_own"]);
    check(&["llama1", "--case", &path, "--allow-key", "of_my_own"], 0, &["ok"]);
}

/// A folder of vocabularies that holds one small model under the name of a family, with what the reference made of it.
fn vocabularies(change: impl Fn(&str) -> String) -> tempfile::TempDir {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tokenizers/tests/data");
    let read = |name: &str| std::fs::read_to_string(data.join(name)).expect("the tokenizers' own data");
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["llama1", "parity"] {
        std::fs::create_dir(folder.path().join(name)).expect("made");
    }
    std::fs::copy(data.join("bpe.model"), folder.path().join("llama1/tokenizer.model")).expect("copied");
    let texts = read("strings.jsonl");
    std::fs::write(folder.path().join("corpus.jsonl"), &texts).expect("written");
    let field = |line: &str, key: &str| {
        let object: serde_json::Value = serde_json::from_str(line).expect("JSON");
        object.get(key).cloned()
    };
    let ids = read("bpe.ids.jsonl");
    let lines = texts.lines().zip(ids.lines()).enumerate().map(|(at, (text, ids))| {
        let decoded = field(ids, "decoded").or_else(|| field(text, "text"));
        serde_json::json!({ "text_index": at, "ids": field(ids, "ids"), "decoded": decoded }).to_string()
    });
    let parity = lines.collect::<Vec<_>>().join("\n");
    std::fs::write(folder.path().join("parity/llama1.spm.jsonl"), change(&parity)).expect("written");
    folder
}

#[test]
fn a_family_s_tokenizer_is_compared_where_its_vocabulary_is_at_hand() {
    let folder = vocabularies(str::to_owned);
    let path = folder.path().display().to_string();
    let line = ["tokenizer llama1.spm", "301/301 strings equal", "MB/s"];
    check(&["llama1", "--vocabularies", &path], 0, &line);
    check(&["llama1", "--vocabularies", &path, "--json"], 0, &["\"tokenizer\": [", "\"equal\": 301"]);
    check(&["gemma1", "--vocabularies", &path], 0, &["NOT RUN tokenizer"]);
    check(&["llama1", "--vocabularies", "/no/such/folder"], 0, &["NOT RUN tokenizer"]);
    let wrong = vocabularies(|parity| parity.replacen("[406,517]", "[406,516]", 1));
    let path = wrong.path().display().to_string();
    check(&["llama1", "--vocabularies", &path], 1, &["FAILED tokenizer llama1.spm", "300/301", "516"]);
}
