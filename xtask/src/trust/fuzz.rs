//! What the fuzz targets came to, read off the lines that `tests/fuzz.rs` prints.

use serde::Serialize;

use super::suite::{Outcome, Seen};

/// The package whose tests are the targets.
const PACKAGE: &str = "camelid-tests";

/// One target.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Target {
    /// Its name.
    pub(crate) target: String,
    /// Changed inputs that were run.
    pub(crate) executions: u64,
    /// Those among them that the parser took to the end.
    pub(crate) accepted: u64,
    /// Inputs that it begins with.
    pub(crate) seeds: u64,
    /// Inputs that once broke it, run first.
    pub(crate) known: u64,
    /// New findings: one at most, since the first ends the run.
    pub(crate) findings: u64,
}

/// The targets of a run; `names` are those there must be.
pub(crate) fn targets(seen: &Seen, names: &[String]) -> Vec<Target> {
    let read: Vec<Target> = seen.printed.iter().filter_map(|line| read(line)).collect();
    let broken = |name: &str| {
        let outcome = seen.packages.get(PACKAGE).and_then(|tests| tests.get(name));
        u64::from(outcome != Some(&Outcome::Passed))
    };
    let target = |name: &String| {
        let mut target = read.iter().find(|target| target.target == *name).cloned().unwrap_or(Target {
            target: name.clone(),
            executions: 0,
            accepted: 0,
            seeds: 0,
            known: 0,
            findings: 0,
        });
        target.findings = broken(name);
        target
    };
    names.iter().map(target).collect()
}

/// `fuzzed gguf: 1200 executions, 40 accepted, 2 seeds, 1 known findings`
fn read(line: &str) -> Option<Target> {
    let (target, rest) = line.strip_prefix("fuzzed ")?.split_once(": ")?;
    let mut numbers = rest.split(", ").map(|part| part.split(' ').next()?.parse::<u64>().ok());
    let mut next = || numbers.next().flatten();
    let (executions, accepted, seeds, known) = (next()?, next()?, next()?, next()?);
    Some(Target { target: target.to_owned(), executions, accepted, seeds, known, findings: 0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_that_did_not_pass_has_a_finding() {
        let mut seen = Seen::default();
        seen.printed.push("fuzzed gguf: 1200 executions, 40 accepted, 2 seeds, 1 known findings".to_owned());
        let tests = seen.packages.entry(PACKAGE.to_owned()).or_default();
        tests.insert("gguf".to_owned(), Outcome::Passed);
        tests.insert("case".to_owned(), Outcome::Failed);
        let names = ["case", "gguf", "pickle"].map(str::to_owned);
        let found = targets(&seen, &names).into_iter().map(|target| (target.executions, target.findings));
        assert_eq!(found.collect::<Vec<_>>(), [(0, 1), (1200, 0), (0, 1)]);
    }
}
