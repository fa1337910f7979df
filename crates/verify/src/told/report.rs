//! What a verification found, in the form that machines read: the field names are the JSON's.

use serde::Serialize;

use super::distance::{Distance, NOISE};
use super::stages::{DECODED, TOLERANCE};

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
    /// The proof of its declaration, where one was asked for.
    #[serde(flatten)]
    pub proof: Option<ProofReport>,
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
    /// The largest relative error of the logits that they are chosen from, against the reference's, where it has them.
    pub greedy_error: Option<f64>,
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
    /// Our relative error against the same network in f64, where the distance alone is out of tolerance.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_vs_f64: Option<f64>,
    /// The reference's relative error against the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference_error_vs_f64: Option<f64>,
}

impl TapReport {
    /// Whether ours is the reference's value: within the tolerance, or as near to the value in f64 as logits must be.
    #[must_use]
    pub fn equal(&self) -> bool {
        let settled = self.error_vs_f64.zip(self.reference_error_vs_f64);
        self.distance.relative <= TOLERANCE
            || settled.is_some_and(|(ours, theirs)| theirs <= NOISE && ours <= TOLERANCE.max(2.0 * theirs))
    }
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
    /// The stage; `decode` where the prompt agrees and what is decoded from it does not.
    pub stage: String,
    /// The single change to the resolved architecture that brings it into tolerance, the component whose code is wrong; or
    /// that neither was found.
    pub likely_cause: String,
    /// The words (or slips outside the schema) that `likely_cause` names, where it names any.
    pub causes: Vec<String>,
    /// Whose fault it is.
    pub fault: Fault,
    /// The crates whose code stands at the stage, the likeliest first, where the code is wrong.
    pub components: Vec<&'static str>,
    /// The first token that differs there.
    pub first_token: Option<usize>,
    /// The heads that differ, where that can be told.
    pub heads: Option<Vec<usize>>,
    /// Tokens and heads in words.
    pub extent: Option<String>,
    /// In decoding, the first step that differs, from 0.
    pub step: Option<usize>,
    /// In decoding, the stage within the step.
    pub within: Option<String>,
    /// How far apart the values at the stage are, each computed from the same input.
    pub relative: Option<f64>,
    /// How many changes were tried.
    pub tried: usize,
}

/// Whose fault a difference is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// A component computes something else than the declaration says.
    Code,
    /// The declaration (or the checkpoint's layout) says something else than the reference computes.
    Declaration,
    /// Both.
    Both,
    /// Nobody's: every stage agrees by itself.
    Rounding,
}

/// Whether every word of a declaration bites.
#[derive(Debug, Clone, Serialize)]
pub struct ProofReport {
    /// Every change of every word.
    pub proof: Vec<Proof>,
    /// Changes for which some case fails, at the component that was changed.
    pub proved: usize,
    /// Changes that can't be loaded: no proof, and no way to go wrong unseen.
    pub refused: usize,
    /// Changes that nothing tells apart, known ones among them.
    pub unproved: usize,
}

/// One change of one word.
#[derive(Debug, Clone, Serialize)]
pub struct Proof {
    /// The word.
    pub word: String,
    /// The change, by name.
    pub change: String,
    /// The value before and after, in the case that tells.
    pub detail: Option<String>,
    /// What came of it.
    pub outcome: Outcome,
    /// The case, or the component vector, that fails for it.
    pub case: Option<String>,
    /// The layer that differs first, where the stage has one.
    pub layer: Option<usize>,
    /// The stage that differs first.
    pub stage: Option<String>,
    /// Why it is unproved, where that is known.
    pub reason: Option<String>,
}

/// What came of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Some case fails, at the component that was changed.
    Differs,
    /// It can't be loaded.
    Refused,
    /// Some case fails, but first at a component that was not changed.
    Misplaced,
    /// Every case passes all the same.
    Unproved,
}

impl ProofReport {
    pub(crate) fn of(proof: Vec<Proof>) -> ProofReport {
        let count = |outcome| proof.iter().filter(|proof| proof.outcome == outcome).count();
        ProofReport {
            proved: count(Outcome::Differs),
            refused: count(Outcome::Refused),
            unproved: count(Outcome::Unproved) + count(Outcome::Misplaced),
            proof,
        }
    }

    /// What is unproved for no known reason.
    pub fn open(&self) -> impl Iterator<Item = &Proof> {
        self.proof.iter().filter(|proof| match proof.outcome {
            Outcome::Differs | Outcome::Refused => false,
            Outcome::Misplaced => true,
            Outcome::Unproved => proof.reason.is_none(),
        })
    }

    /// The reasons that were needed.
    pub(crate) fn reasons(&self) -> impl Iterator<Item = &str> {
        self.proof.iter().filter_map(|proof| proof.reason.as_deref())
    }
}

/// Something that could not run.
#[derive(Debug, Clone, Serialize)]
pub struct Failure {
    /// The case or size.
    pub what: String,
    /// Why.
    pub message: String,
}

impl CaseReport {
    /// Whether the prompt itself differs, at a tap or in its logits.
    #[must_use]
    pub fn prompt_differs(&self) -> bool {
        let close = self.taps.iter().all(TapReport::equal);
        // A reference whose logits are far from its own in f64 computes something else: it is compared itself.
        let is_noise = self.reference_error_vs_f64.is_some_and(|theirs| theirs <= NOISE);
        let exact = self.error_vs_f64.filter(|_| is_noise);
        !close || exact.unwrap_or(self.logits.relative) > self.tolerance
    }
}

impl CaseReport {
    /// Whether what is decoded over the cache differs: a token, or the logits by far.
    #[must_use]
    pub fn decoding_differs(&self) -> bool {
        let far = self.greedy_error.is_some_and(|error| error > DECODED * self.tolerance);
        self.greedy.matched < self.greedy.of || far
    }
}

impl FamilyReport {
    pub(crate) fn new(family: &str) -> FamilyReport {
        FamilyReport {
            family: family.to_owned(),
            passed: false,
            parameters: Vec::new(),
            cases: Vec::new(),
            errors: Vec::new(),
            proof: None,
        }
    }

    /// 0 if something ran and all of it passed, 1 if something differed, 2 if something could not run or nothing did.
    #[must_use]
    pub fn exit_status(&self) -> u8 {
        let unproved = self.proof.as_ref().is_some_and(|proof| proof.open().next().is_some());
        let differs = unproved
            || self.parameters.iter().any(|p| !p.equal)
            || self.cases.iter().any(|case| !case.passed);
        match (differs, self.errors.is_empty() && !self.cases.is_empty()) {
            (_, false) => 2,
            (true, true) => 1,
            (false, true) => 0,
        }
    }
}
