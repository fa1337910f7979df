//! A function in the making, and how equal it still is to what it was made of.

use serde_json::Value as Json;

use crate::doors::folding::recipe::Recipe;
use crate::waist::architecture::Architecture;
use crate::waist::named::Named;
use crate::waist::roles::Role;

/// How equal a result is to what it was made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Grade {
    /// Rows move, no number changes.
    #[default]
    Bytes,
    /// The same function; numbers were computed in f64 and rounded once.
    Exact,
    /// The same function for texts of at most so many tokens. (The fewer, the lower it ranks.)
    Within(usize),
}

/// One fold that was made.
#[derive(Debug, Clone, PartialEq)]
pub struct Fold {
    /// The word that has another value now.
    pub word: String,
    /// What was done, in a line.
    pub what: String,
    /// What it costs.
    pub grade: Grade,
    /// What the word was.
    pub from: Json,
    /// What it is now.
    pub to: Json,
}

/// A function in the making: its words, its numbers, and what was done to them.
#[derive(Debug, Clone)]
pub(crate) struct Folding {
    pub(crate) architecture: Architecture,
    pub(crate) recipe: Recipe,
    pub(crate) folds: Vec<Fold>,
}

/// What a word of one layer, or of all, should be.
pub(crate) struct Wish<'a> {
    pub(crate) layer: Option<usize>,
    pub(crate) value: &'a Json,
}

impl Folding {
    pub(crate) fn new(architecture: Architecture) -> Folding {
        let recipe = Recipe::of(&architecture);
        Folding { architecture, recipe, folds: Vec::new() }
    }

    /// Says whether a role has a bias; what shares a tensor with it keeps its own word.
    pub(crate) fn say_bias(&mut self, layer: Option<usize>, role: Role, bias: bool) {
        let tensors = match layer {
            Some(layer) => &mut self.architecture.layers[layer].tensors,
            None => &mut self.architecture.tensors,
        };
        let alone = |named: Named| -> Vec<Named> {
            if !named.roles.contains(&role) || named.bias == bias {
                return vec![named];
            }
            let of = |other: Role| Named {
                roles: vec![other],
                bias: if other == role { bias } else { named.bias },
                ..named.clone()
            };
            named.roles.iter().copied().map(of).collect()
        };
        *tensors = std::mem::take(tensors).into_iter().flat_map(alone).collect();
    }

    /// The grade of all that was done.
    pub(crate) fn grade(&self) -> Grade {
        self.folds.iter().fold(Grade::Bytes, |grade, fold| worse(grade, fold.grade))
    }
}

/// The grade of two things that were done.
pub(crate) fn worse(a: Grade, b: Grade) -> Grade {
    match (a, b) {
        (Grade::Within(a), Grade::Within(b)) => Grade::Within(a.min(b)),
        (a, b) => a.max(b),
    }
}
