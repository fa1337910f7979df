//! What is said of a dump.

use camelid_families::Tap;
use serde::Serialize;

use super::precision::Precision;

/// What is said of a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Within what f32 does.
    Equal,
    /// Within what the port's precision does.
    Rounding,
    /// Further away.
    Different,
}

/// One stage, computed from the port's own input to it.
#[derive(Debug, Clone, Serialize)]
pub struct StageReport {
    /// The layer, where the stage has one.
    pub layer: Option<usize>,
    /// The stage, in the words of cases.
    pub stage: String,
    /// RMS (port − ours) / RMS ours; none where it is not finite.
    pub residual: Option<f64>,
    /// The same of our own stage, rounded as the port rounds.
    pub floor: f64,
    /// What follows.
    pub verdict: Verdict,
    /// Which it is.
    #[serde(skip)]
    pub(crate) tap: Option<Tap>,
}

/// Where a port first differs.
#[derive(Debug, Clone, Serialize)]
pub struct FirstDivergence {
    /// The layer, where the stage has one.
    pub layer: Option<usize>,
    /// The stage.
    pub stage: String,
    /// The finer stage within it, where the dump has one.
    pub within: String,
    /// The tokens that differ there, in words.
    pub tokens: String,
    /// The heads that differ, where the stage has some.
    pub heads: Option<Vec<usize>>,
    /// The words that explain it; none where no change does.
    pub causes: Vec<String>,
    /// What to tell the porter.
    pub sentence: String,
    /// How many changes were tried.
    pub tried: usize,
}

/// What a dump comes to.
#[derive(Debug, Clone, Serialize)]
pub struct TraceReport {
    /// `equal` or `differs`.
    pub verdict: &'static str,
    /// What the port was taken to compute in.
    pub precision: Precision,
    /// Every stage that the dump has, in the order of the arithmetic.
    pub stages: Vec<StageReport>,
    /// The first that differs.
    pub first_divergence: Option<FirstDivergence>,
    /// Tensors of the dump that no name knows.
    pub unmatched: Vec<String>,
    /// Whether what is equal is so only as far as this precision can tell.
    pub below_precision: bool,
    /// Where in the first stage that differs the difference is.
    #[serde(skip)]
    pub heat: Option<Heat>,
}

/// A stage's difference, for each token and each head.
#[derive(Debug, Clone)]
pub struct Heat {
    /// The token of the first row.
    pub first_token: usize,
    /// How many features a column is, where the stage has no heads.
    pub features: Option<usize>,
    /// A row for each token, a column for each head: RMS (port − ours) over RMS of all of ours.
    pub rows: Vec<Vec<f64>>,
}
