//! What a conversion comes to.

use serde_json::{Map, Value as Json};

use crate::doors::folding::recipe::Rearranged;
use crate::doors::folding::{Fold, Grade};
use crate::error::Problem;
use crate::waist::architecture::Architecture;

/// A checkpoint in another family's terms.
#[derive(Debug, Clone)]
pub struct Conversion {
    /// The config.json, in the target's own keys.
    pub config: Map<String, Json>,
    /// What it resolves to.
    pub architecture: Architecture,
    /// Where each tensor's rows come from.
    pub tensors: Vec<Rearranged>,
    /// What was folded, in order.
    pub folds: Vec<Fold>,
    /// How equal the result is.
    pub grade: Grade,
    /// What stands in a GGUF file beside, where it is one.
    pub gguf: Option<InFile>,
}

/// What stands in a GGUF file beside the tensors of roles.
#[derive(Debug, Clone, PartialEq)]
pub struct InFile {
    /// The metadata, without the architecture's prefix.
    pub metadata: Vec<(String, Json)>,
    /// The tensor that rotary frequencies are divided by, where there is one: its name and numbers.
    pub factors: Option<(&'static str, Vec<f32>)>,
}

/// What a user allows to happen to numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Allowed {
    /// Rows may move.
    #[default]
    Bytes,
    /// Numbers may be computed, in f64 with one rounding.
    Fold,
    /// The same, and the result may be equal for texts of some length only.
    Length,
}

impl Allowed {
    /// Whether a grade is allowed.
    #[must_use]
    pub fn takes(self, grade: Grade) -> bool {
        match grade {
            Grade::Bytes => true,
            Grade::Exact => self >= Allowed::Fold,
            Grade::Within(_) => self == Allowed::Length,
        }
    }
}

/// Tensors that nothing was there for.
pub(super) fn missing(names: Vec<String>) -> Vec<Problem> {
    names.into_iter().map(|name| Problem::MissingTensor { name, shape: None }).collect()
}
