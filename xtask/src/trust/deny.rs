//! `cargo deny`: licences, sources, duplicate versions; advisories where their database is at hand.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Serialize;

/// What it came to.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Checked {
    Passed,
    Failed,
    /// And why.
    NotRun(String),
}

/// Each check with what it came to.
pub(crate) fn run(root: &Path) -> Vec<(&'static str, Checked)> {
    let installed = Command::new("cargo").args(["deny", "--version"]).output();
    if !installed.is_ok_and(|output| output.status.success()) {
        let missing =
            Checked::NotRun("cargo-deny is not installed: cargo install --locked cargo-deny".to_owned());
        return ["bans licenses sources", "advisories"].map(|what| (what, missing.clone())).into();
    }
    let check = |what: &[&str]| {
        let mut deny = Command::new("cargo");
        deny.current_dir(root).args(["deny", "--locked", "--log-level", "error"]).args(what);
        match deny.status() {
            Ok(status) if status.success() => Checked::Passed,
            Ok(_) => Checked::Failed,
            Err(error) => Checked::NotRun(error.to_string()),
        }
    };
    // A fetch that failed leaves the folder without a database in it.
    let database = std::env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(std::env::home_dir()?.join(".cargo")))
        .and_then(|home| std::fs::read_dir(home.join("advisory-dbs")).ok())
        .is_some_and(|mut entries| entries.any(|entry| entry.is_ok_and(|entry| entry.path().is_dir())));
    let advisories = if database {
        check(&["--offline", "check", "advisories"])
    } else {
        Checked::NotRun("the advisory database is not at hand: cargo deny fetch".to_owned())
    };
    vec![
        ("bans licenses sources", check(&["check", "bans", "licenses", "sources"])),
        ("advisories", advisories),
    ]
}
