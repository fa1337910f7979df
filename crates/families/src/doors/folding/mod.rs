//! A fold per word: the same function with one word at another value, and what that does to the numbers of which roles.
//!
//! ```text
//! architecture, recipe ──fold("attention.scale" → t)──→ architecture', recipe'      q ← q · scale / t
//! ```
//! The rules are functions of the architecture and of rows alone. They are applied in one order: lengths, the head, norms,
//! numbers that multiply, rotary turns, structure. A fold of [`Grade::Bytes`] moves rows; one of [`Grade::Exact`] computes, in
//! f64 with one rounding to the type that is stored; one that is [`Grade::Within`] so many tokens is another function beyond.

mod lengths;
mod numbers;
pub(crate) mod recipe;
mod rounding;
mod rules;
pub(crate) mod stream;
mod structure;
pub(crate) mod turns;
mod work;

use serde_json::Value as Json;

pub(crate) use crate::doors::folding::work::Folding;
pub use crate::doors::folding::work::{Fold, Grade};
use crate::doors::folding::work::{Wish, worse};

/// A rule: whether it could bring its word to the value wished for.
type Rule = fn(&mut Folding, &Wish<'_>) -> Option<(String, Grade)>;

/// The words that have a rule, in the order in which the rules are applied.
const RULES: [(&str, Rule); 22] = [
    ("attention.window", lengths::window),
    ("attention.chunk", lengths::chunk),
    ("attention.logn", lengths::logn),
    ("attention.temperature", lengths::temperature),
    ("attention.dual_chunk", lengths::dual_chunk),
    ("output.unit_rows", rules::unit_rows),
    ("output.tie", rules::tie),
    ("norm.kind", structure::norm_kind),
    ("norm.offset", rules::offset),
    ("embedding.scale", rules::embedding_scale),
    ("block.branch_scale", rules::branch_scale),
    ("output.scale", rules::output_scale),
    ("attention.scale", rules::score_scale),
    ("attention.kv_heads", rules::kv_heads),
    ("rope.scaling", turns::scaling),
    ("rope.theta", turns::theta),
    ("rope.round", turns::frequencies),
    ("rope.fraction", turns::fraction),
    ("rope.rest", turns::frequencies),
    ("rope.pairing", turns::pairing),
    ("mlp.kind", structure::mlp_kind),
    ("tensors.value", structure::value_bias),
];

/// Where a word stands in the order of the rules; those without a rule come last.
pub(crate) fn rank(word: &str) -> usize {
    RULES.iter().position(|(known, _)| *known == word).unwrap_or(RULES.len())
}

impl Folding {
    /// Brings a word to a value, if its rule can; a list has a value for each layer.
    pub(crate) fn fold(&mut self, word: &str, value: &Json) -> bool {
        let Some((_, rule)) = RULES.iter().find(|(known, _)| *known == word) else { return false };
        let mut tried = self.clone();
        let whole = [value.clone()];
        let wishes: Vec<(Option<usize>, &Json)> = match value {
            Json::Array(each) if is_of_layers(word) && each.len() == self.architecture.layers.len() => {
                each.iter().enumerate().map(|(layer, value)| (Some(layer), value)).collect()
            }
            _ if is_of_layers(word) => {
                (0..self.architecture.layers.len()).map(|layer| (Some(layer), &whole[0])).collect()
            }
            _ => vec![(None, &whole[0])],
        };
        let before = self.architecture.fields().get(word).cloned().unwrap_or(Json::Null);
        let mut made: Vec<(String, Grade)> = Vec::new();
        for (layer, value) in wishes {
            let Some((what, grade)) = rule(&mut tried, &Wish { layer, value }) else { return false };
            match made.iter_mut().find(|(known, _)| *known == what) {
                Some((_, known)) => *known = worse(*known, grade),
                None => made.push((what, grade)),
            }
        }
        made.retain(|(what, _)| !what.is_empty());
        let after = tried.architecture.fields().get(word).cloned().unwrap_or(Json::Null);
        // A role's own words are no field.
        let same = match word.starts_with("tensors.") {
            true => tried.architecture == self.architecture,
            false => after == before,
        };
        if made.is_empty() || same {
            return false;
        }
        tried.folds.extend(made.into_iter().map(|(what, grade)| {
            let (from, to) = (before.clone(), after.clone());
            Fold { word: word.to_owned(), what, grade, from, to }
        }));
        *self = tried;
        true
    }
}

fn is_of_layers(word: &str) -> bool {
    ["attention.", "rope.", "mlp.", "block."].iter().any(|table| word.starts_with(table))
        && !["block.layers", "block.context"].contains(&word)
}
