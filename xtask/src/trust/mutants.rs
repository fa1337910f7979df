//! Mutation testing: the score as it was last taken (`docs/mutants.json`), and how it is taken.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

const FILE: &str = "docs/mutants.json";

/// The last run over each crate.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Score {
    /// The tool.
    pub(crate) tool: String,
    /// Crate → its score.
    pub(crate) crates: BTreeMap<String, Crate>,
}

/// The mutants of one crate.
#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Crate {
    /// What was mutated.
    pub(crate) commit: String,
    /// Those that a test failed for.
    pub(crate) killed: usize,
    /// Those that ran for ever, which a test would see too.
    pub(crate) timeout: usize,
    /// Those that do not compile: they count for nothing.
    pub(crate) unviable: usize,
    /// Those that no test saw, as cargo-mutants names them.
    pub(crate) surviving: Vec<String>,
}

impl Crate {
    /// All that compile.
    pub(crate) fn viable(&self) -> usize {
        self.killed + self.timeout + self.surviving.len()
    }

    fn add(&mut self, other: &Crate) {
        self.killed += other.killed;
        self.timeout += other.timeout;
        self.unviable += other.unviable;
        self.surviving.extend(other.surviving.iter().cloned());
    }
}

impl Score {
    /// The committed score.
    ///
    /// # Errors
    /// The file can't be read or is none.
    pub(crate) fn read(root: &Path) -> anyhow::Result<Score> {
        let path = root.join(FILE);
        let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        serde_json::from_str(&text).with_context(|| path.display().to_string())
    }

    /// All crates together.
    pub(crate) fn sum(&self) -> Crate {
        let mut sum = Crate::default();
        self.crates.values().for_each(|one| sum.add(one));
        sum
    }
}

/// Writes `docs/mutants.json` from the folders that runs of cargo-mutants left; crates that they don't tell of keep
/// their score.
///
/// # Errors
/// A folder holds no outcomes, git can't be asked, the file can't be written.
pub(crate) fn record(root: &Path, folders: &[PathBuf]) -> anyhow::Result<()> {
    let mut score = Score::read(root).unwrap_or_default();
    let mut found: BTreeMap<String, Crate> = BTreeMap::new();
    for folder in folders {
        let path = folder.join("outcomes.json");
        let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let json: Json = serde_json::from_str(&text).with_context(|| path.display().to_string())?;
        let version = json["cargo_mutants_version"].as_str().unwrap_or("of unknown version");
        score.tool = format!("cargo-mutants {version}");
        outcomes(&json).into_iter().for_each(|(name, one)| found.entry(name).or_default().add(&one));
    }
    let git = Command::new("git")
        .current_dir(root)
        .args(["rev-parse", "--short", "HEAD"])
        .output()
        .context("git")?;
    let commit = String::from_utf8(git.stdout)?.trim().to_owned();
    for (name, mut one) in found {
        one.surviving.sort();
        score.crates.insert(name, Crate { commit: commit.clone(), ..one });
    }
    std::fs::write(root.join(FILE), format!("{}\n", serde_json::to_string_pretty(&score)?))?;
    Ok(())
}

/// Crate → what one run found.
fn outcomes(json: &Json) -> BTreeMap<String, Crate> {
    let mut crates: BTreeMap<String, Crate> = BTreeMap::new();
    for outcome in json["outcomes"].as_array().into_iter().flatten() {
        let mutant = &outcome["scenario"]["Mutant"]; // the first outcome is that of the code as it is
        let (Some(package), Some(name)) = (mutant["package"].as_str(), mutant["name"].as_str()) else {
            continue;
        };
        let found = crates.entry(package.to_owned()).or_default();
        match outcome["summary"].as_str() {
            Some("CaughtMutant") => found.killed += 1,
            Some("Timeout") => found.timeout += 1,
            Some("Unviable") => found.unviable += 1,
            _ => found.surviving.push(name.to_owned()),
        }
    }
    crates
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_are_counted_and_what_is_not_known_to_be_killed_survives() {
        let mutant = |name: &str, summary: &str| serde_json::json!({ "scenario": { "Mutant": { "package": "camelid-norm", "name": name } }, "summary": summary });
        let json = serde_json::json!({ "outcomes": [
            { "scenario": "Baseline", "summary": "Success" }, mutant("a", "CaughtMutant"), mutant("b", "MissedMutant"),
            mutant("c", "Timeout"), mutant("d", "Unviable"), mutant("e", "Failure"),
        ] });
        let found = &outcomes(&json)["camelid-norm"];
        let surviving = vec!["b".to_owned(), "e".to_owned()];
        assert_eq!(*found, Crate { killed: 1, timeout: 1, unviable: 1, surviving, ..Crate::default() });
        assert_eq!(found.viable(), 4);
    }
}
