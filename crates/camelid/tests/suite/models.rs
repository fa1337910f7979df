//! The command, and the models that it is run on.

use std::path::{Path, PathBuf};

use assert_cmd::Command;
use serde_json::Value as Json;
use tempfile::TempDir;

/// The small trained model.
pub(crate) fn stories() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/models/stories260k"))
}

/// A case of the project's: a tiny checkpoint with random weights.
pub(crate) fn case(name: &str) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/cases")).join(name)
}

/// A copy of the small model, to be broken.
pub(crate) fn copy() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for file in ["config.json", "model.safetensors", "tokenizer.model"] {
        std::fs::copy(stories().join(file), folder.path().join(file)).expect("it is copied");
    }
    folder
}

/// The small model's config.json with changes.
pub(crate) fn config(folder: &Path, change: impl FnOnce(&mut serde_json::Map<String, Json>)) {
    let path = folder.join("config.json");
    let mut config = serde_json::from_slice(&std::fs::read(&path).expect("the file")).expect("JSON");
    change(&mut config);
    std::fs::write(path, Json::Object(config).to_string()).expect("it is written");
}

pub(crate) fn camelid(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_camelid"));
    command.args(args);
    command
}

/// Runs a command that must succeed; its standard output.
#[track_caller]
pub(crate) fn run(args: &[&str]) -> String {
    let output = camelid(args).output().expect("it runs");
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{args:?}: {error}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// Runs a command that must be refused with status 2; its standard error.
#[track_caller]
pub(crate) fn refused(args: &[&str]) -> String {
    let output = camelid(args).output().expect("it runs");
    let error = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(output.status.code(), Some(2), "{args:?}: {error}");
    assert!(!error.contains("panicked"), "{args:?}: {error}");
    error
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().expect("a path in Unicode")
}
