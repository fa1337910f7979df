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
    check(&["gemma1", "--case", &case("llama1/base")], 1, &["FAILED", "1 + w", "embedding.scale"]);
    check(&["yi", "--case", &case("llama1/base")], 0, &["read as yi; by its config.json it is llama1"]);
}

#[test]
fn what_does_not_load_ends_with_2_and_names_every_key_and_tensor() {
    let missing = [
        "query_pre_attn_scalar",
        "attn_logit_softcapping",
        "final_logit_softcapping",
        "sliding_window",
        "hidden_activation",
        "model.layers.0.pre_feedforward_layernorm.weight",
        "model.layers.1.post_feedforward_layernorm.weight",
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
