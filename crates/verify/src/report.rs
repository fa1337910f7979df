//! What a verification found, in the form that machines read: the field names are the JSON's.

use serde::Serialize;

use crate::compare::Distance;

/// One family.
#[derive(Debug, Clone, Serialize)]
pub struct FamilyReport {
    /// The family's name.
    pub family: String,
    /// Whether something ran and all of it passed.
    pub passed: bool,
    /// The parameters of every published size.
    pub parameters: Vec<Parameters>,
    /// Every case.
    pub cases: Vec<CaseReport>,
    /// What could not run at all: its case or size, and why.
    pub errors: Vec<Failure>,
}

/// The parameters of one published size.
#[derive(Debug, Clone, Serialize)]
pub struct Parameters {
    /// The family or the form of it that declares the size.
    pub form: String,
    /// The size's name.
    pub size: String,
    /// Counted from the plan of tensors.
    pub counted: u64,
    /// Published.
    pub published: u64,
    /// Whether they are equal.
    pub equal: bool,
}

/// One case.
#[derive(Debug, Clone, Serialize)]
pub struct CaseReport {
    /// The case's folder.
    pub name: String,
    /// Whether every tap, the logits and every greedy token agree.
    pub passed: bool,
    /// The family, or the form of it, that the case was read as.
    pub form: String,
    /// Every family whose rule accepts the case's config.json.
    pub matches: Vec<String>,
    /// Every tap that the reference has.
    pub taps: Vec<TapReport>,
    /// Logits against the reference's, in f32.
    pub logits: Distance,
    /// The greedy tokens, decoded with our cache.
    pub greedy: Greedy,
    /// The greedy tokens, each computed from the whole text anew, where the reference has them.
    pub greedy_nocache: Option<Greedy>,
    /// Our relative error against the reference's own code in f64.
    pub error_vs_f64: Option<f64>,
    /// The reference's relative error against the same.
    pub reference_error_vs_f64: Option<f64>,
    /// What logits were held to.
    pub tolerance: f64,
    /// Where ours first differs, and why.
    pub first_divergence: Option<Divergence>,
}

/// One tap.
#[derive(Debug, Clone, Serialize)]
pub struct TapReport {
    /// The stage.
    pub stage: String,
    /// The layer, where it has one.
    pub layer: Option<usize>,
    /// The distance.
    #[serde(flatten)]
    pub distance: Distance,
}

/// Greedy tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Greedy {
    /// How many, from the first, are the reference's.
    pub matched: usize,
    /// How many the reference has.
    pub of: usize,
}

/// Where a run first differs from the reference.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Divergence {
    /// The layer, where the stage has one.
    pub layer: Option<usize>,
    /// The stage.
    pub stage: String,
    /// The single change to the resolved architecture that brings it into tolerance; or that none does.
    pub likely_cause: String,
}

/// Something that could not run.
#[derive(Debug, Clone, Serialize)]
pub struct Failure {
    /// The case or size.
    pub what: String,
    /// Why.
    pub message: String,
}

impl FamilyReport {
    /// 0 if something ran and all of it passed, 1 if something differed, 2 if something could not run or nothing did.
    #[must_use]
    pub fn exit_status(&self) -> u8 {
        let differs = self.parameters.iter().any(|p| !p.equal) || self.cases.iter().any(|case| !case.passed);
        match (differs, self.errors.is_empty() && !self.cases.is_empty()) {
            (_, false) => 2,
            (true, true) => 1,
            (false, true) => 0,
        }
    }
}
