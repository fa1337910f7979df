//! `attention.temperature`: queries that grow with their place.

use serde::{Deserialize, Serialize};

/// How a query grows with its place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Temperature {
    /// What the logarithm is multiplied by.
    pub beta: f64,
    /// Places of one step.
    pub length: usize,
    /// What the first place counts as: 0 or 1.
    #[serde(default)]
    pub from: usize,
}
