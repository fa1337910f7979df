//! Runs the README's test command and reads what each test of each package came to.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};
use cargo_metadata::Message;

/// What a test came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Outcome {
    Passed,
    Ignored,
    Failed,
}

/// All that was seen.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Whether cargo itself says that all passed.
    pub(crate) passed: bool,
    /// Package → the last part of a test's name → the worst of what came of it.
    pub(crate) packages: BTreeMap<String, BTreeMap<String, Outcome>>,
    /// Package → how many tests passed, were ignored, failed; doc tests among them.
    pub(crate) counts: BTreeMap<String, [usize; 3]>,
    /// What tests print, line by line.
    pub(crate) printed: Vec<String>,
    /// Whether what failed is being told.
    failing: bool,
}

/// Builds and runs every test, each fuzz target for so long.
///
/// # Errors
/// Cargo can't be run, or the tests do not build.
pub(crate) fn run(root: &Path, features: Option<&str>, fuzz_seconds: f64) -> anyhow::Result<Seen> {
    let programs = build(root, features)?;
    let (reader, writer) = std::io::pipe()?;
    let mut cargo = test(root, features);
    cargo
        .args(["--no-fail-fast", "--", "--show-output"])
        .env("CAMELID_FUZZ_SECONDS", fuzz_seconds.to_string());
    cargo.env("CARGO_TERM_COLOR", "never");
    // One pipe for both, so that what cargo says of a program stands before what the program says.
    let mut child = cargo.stdout(writer.try_clone()?).stderr(writer).spawn()?;
    drop(cargo);
    let mut seen = Seen::default();
    let mut package = String::new();
    for line in BufReader::new(reader).split(b'\n') {
        let line = String::from_utf8_lossy(&line?).into_owned();
        if let Some(next) = heading(&line, &programs) {
            anstream::eprintln!("{}", line.trim_start());
            package = next;
        } else {
            seen.line(&package, line);
        }
    }
    seen.passed = child.wait()?.success();
    Ok(seen)
}

/// The README's test command, with these features.
fn test(root: &Path, features: Option<&str>) -> Command {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(root).args(["test", "--workspace", "--release", "--locked"]);
    if let Some(features) = features {
        cargo.args(["--features", features]);
    }
    cargo
}

/// Builds the tests; the program of each → its package.
fn build(root: &Path, features: Option<&str>) -> anyhow::Result<BTreeMap<PathBuf, String>> {
    let mut cargo = test(root, features);
    cargo.args(["--no-run", "--message-format=json-render-diagnostics"]);
    let mut child = cargo.stdout(Stdio::piped()).spawn()?;
    let stdout = child.stdout.take().context("cargo's output")?;
    let mut programs = BTreeMap::new();
    for message in Message::parse_stream(BufReader::new(stdout)) {
        let Message::CompilerArtifact(artifact) = message? else { continue };
        if let Some(path) = artifact.executable {
            // `path+file:///…/crates/norm#camelid-norm@0.1.0`
            let id = artifact.package_id.repr;
            let name = id.rsplit('#').next().and_then(|id| id.split('@').next()).unwrap_or(&id);
            let folder = artifact.manifest_path.parent().and_then(|folder| folder.file_name());
            let name = if name.contains('.') { folder.unwrap_or(name) } else { name };
            programs.insert(path.into_std_path_buf(), name.to_owned());
        }
    }
    if !child.wait()?.success() {
        bail!("the tests do not build");
    }
    Ok(programs)
}

/// The package whose tests follow: `Running tests/laws.rs (target/release/deps/laws-0123)`, `Doc-tests camelid_norm`.
fn heading(line: &str, programs: &BTreeMap<PathBuf, String>) -> Option<String> {
    let line = line.trim_start();
    if let Some(name) = line.strip_prefix("Doc-tests ") {
        return Some(name.replace('_', "-"));
    }
    let path = line.strip_prefix("Running ")?.rsplit('(').next()?.trim_end_matches(')');
    let known = programs.iter().find(|(program, _)| program.ends_with(path));
    known.map(|(_, package)| package.clone())
}

impl Seen {
    fn line(&mut self, package: &str, line: String) {
        let Some((name, outcome)) = result(&line) else {
            // What failed is shown as the harness shows it.
            self.failing = line == "failures:" || (self.failing && !line.starts_with("test result"));
            if self.failing || line.starts_with("error") {
                anstream::eprintln!("{line}");
            }
            self.printed.push(line);
            return;
        };
        self.counts.entry(package.to_owned()).or_default()[outcome as usize] += 1;
        let short = name.rsplit("::").next().unwrap_or(name).to_owned();
        let tests = self.packages.entry(package.to_owned()).or_default();
        let worst = tests.entry(short).or_insert(outcome);
        *worst = outcome.max(*worst);
        if outcome == Outcome::Failed {
            anstream::eprintln!("{package}: {line}");
        }
    }
}

/// `test laws::a_law ... ok`
fn result(line: &str) -> Option<(&str, Outcome)> {
    let (name, outcome) = line.strip_prefix("test ")?.rsplit_once(" ... ")?;
    let outcome = match outcome.split([',', ' ']).next()? {
        "ok" => Outcome::Passed,
        "ignored" => Outcome::Ignored,
        "FAILED" => Outcome::Failed,
        _ => return None,
    };
    Some((name.split(" - ").next().unwrap_or(name), outcome))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_test_harness_are_read() {
        assert_eq!(result("test laws::a_law ... ok"), Some(("laws::a_law", Outcome::Passed)));
        assert_eq!(result("test a_law - should panic ... ok"), Some(("a_law", Outcome::Passed)));
        assert_eq!(result("test a ... ignored, needs a network"), Some(("a", Outcome::Ignored)));
        assert_eq!(result("test a ... FAILED"), Some(("a", Outcome::Failed)));
        assert_eq!(result("test result: ok. 3 passed"), None);
    }

    #[test]
    fn a_program_s_heading_names_its_package() {
        let programs =
            BTreeMap::from([(PathBuf::from("/w/target/release/deps/laws-12"), "camelid-rope".to_owned())]);
        let check = |line, expected: Option<&str>| assert_eq!(heading(line, &programs).as_deref(), expected);
        check("     Running tests/laws.rs (target/release/deps/laws-12)", Some("camelid-rope"));
        check("   Doc-tests camelid_norm", Some("camelid-norm"));
        check("running 3 tests", None);
    }

    #[test]
    fn the_worst_of_two_equal_names_counts() {
        let mut seen = Seen::default();
        for line in ["test a::law ... FAILED", "test b::law ... ok", "fuzzed gguf: 3 executions"] {
            seen.line("camelid-norm", line.to_owned());
        }
        assert_eq!(seen.packages["camelid-norm"]["law"], Outcome::Failed);
        assert_eq!(seen.counts["camelid-norm"], [1, 0, 1]);
        assert_eq!(seen.printed, ["fuzzed gguf: 3 executions"]);
    }
}
