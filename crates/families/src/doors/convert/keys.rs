//! What a word is to config.json: a key alone, or a list with a value for each layer.

use serde_json::Value as Json;

use crate::waist::architecture::Architecture;
use crate::written::expr::Expr;

/// The key, where a formula is nothing but one.
pub(super) fn bare(expr: &Expr) -> Option<&str> {
    let Expr::Formula(formula) = expr else { return None };
    let key = formula.source();
    let is_name = key.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
    (is_name && formula.variables().contains(key) && key != "layer").then_some(key)
}

/// Whether a word's value is a list with one for each layer.
pub(super) fn is_of_each_layer(word: &str, value: &Json, architecture: &Architecture) -> bool {
    let tables = ["attention.", "rope.", "mlp.", "block.", "latent.", "delta.", "experts."];
    tables.iter().any(|table| word.starts_with(table))
        && value.as_array().is_some_and(|each| each.len() == architecture.layers.len())
}
