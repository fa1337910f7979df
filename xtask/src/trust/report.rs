//! Everything that is reported, and which of it stands in the way of trust.

use serde::Serialize;

use super::deny::Checked;
use super::fuzz;
use super::mutants;
use super::suite::{Outcome, Seen};

/// Everything that is reported.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) passed: bool,
    pub(super) laws: Vec<Law>,
    pub(super) tests: Vec<Tests>,
    pub(super) fuzz: Vec<fuzz::Target>,
    pub(super) deny: Vec<(&'static str, Checked)>,
    pub(super) mutants: Option<mutants::Score>,
}

/// A law and what it came to.
#[derive(Debug, Serialize)]
pub(super) struct Law {
    pub(super) law: String,
    #[serde(rename = "crate")]
    pub(super) package: String,
    pub(super) cases: u64,
    pub(super) outcome: String,
}

/// The tests of a crate, its laws and doc tests among them.
#[derive(Debug, Serialize)]
pub(super) struct Tests {
    #[serde(rename = "crate")]
    pub(super) package: String,
    pub(super) passed: usize,
    pub(super) ignored: usize,
    pub(super) failed: usize,
}

/// How the outcome of a law begins that does not run for want of a feature.
pub(super) const NEEDS: &str = "not run: needs the feature ";

impl Law {
    pub(super) fn of(seen: &Seen, package: &str, law: String, cases: u64) -> Law {
        let outcome = match seen.packages.get(package).and_then(|tests| tests.get(&law)) {
            Some(Outcome::Passed) => "passed",
            Some(Outcome::Failed) => "failed",
            Some(Outcome::Ignored) | None => "not run",
        };
        Law { law, package: package.to_owned(), cases, outcome: outcome.to_owned() }
    }

    pub(super) fn passed(&self) -> bool {
        self.outcome == "passed"
    }

    /// Whether it stands in the way of an exit status of 0.
    pub(super) fn fails(&self) -> bool {
        !self.passed() && !self.outcome.starts_with(NEEDS)
    }
}
