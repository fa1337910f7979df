//! In which words and roles two architectures differ, where names and packing do not count.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use crate::doors::folding::turns::is_list;
use crate::error::Problem;
use crate::waist::architecture::{Architecture, Rope};
use crate::waist::fields::difference;
use crate::waist::named::{Named, write_roles};
use crate::waist::roles::Role;
use crate::waist::scaling::Scaling;

/// A word, what the checkpoint has, and what the target would make of it.
pub(super) type Differences = Vec<(String, Json, Json)>;

/// The words that differ, tensors aside.
pub(super) fn differences(wanted: &Architecture, resolved: &Architecture) -> Differences {
    let differs = difference(&normal(wanted), &normal(resolved)).into_iter();
    differs.filter(|(word, _, _)| !word.starts_with("tensors.")).collect()
}

/// A word, what the checkpoint has and what the target would make of it, as a problem.
pub(super) fn told(word: &str, wanted: &Json, got: &Json) -> Problem {
    Problem::Value { word: word.to_owned(), message: both(word, wanted, got), origin: None }
}

/// What the checkpoint has of a word, and what the target would make of it.
pub(super) fn both(word: &str, wanted: &Json, got: &Json) -> String {
    let say = |value: &Json| match value {
        Json::Null => "none".to_owned(),
        // What is said of a tensor is prose, not a value.
        Json::String(text) if word.starts_with("tensors.") => text.clone(),
        other => other.to_string(),
    };
    format!("the checkpoint has {}, and this family would make it {}", say(wanted), say(got))
}

/// The same function in one way of saying it: a trained length that no scaling reads is not said, nor a scaling that does
/// nothing.
pub(super) fn normal(architecture: &Architecture) -> Architecture {
    let mut normal = architecture.clone();
    for layer in &mut normal.layers {
        let head_dim = layer.turning_dim();
        if let Some(rope) = &mut layer.rope {
            *rope = normal_rope(rope, head_dim);
        }
    }
    normal.inert.clear();
    normal
}

/// An attribute as a family's file writes it.
fn written(attribute: &impl serde::Serialize) -> String {
    serde_json::to_value(attribute).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
}

fn normal_rope(rope: &Rope, head_dim: usize) -> Rope {
    let mut normal = rope.clone();
    if matches!(&normal.scaling, Some(Scaling::Plain(camelid_rope::Scaling::Default {}))) {
        normal.scaling = None;
    }
    // What this leaves as it is says something in every case.
    let Rope {
        theta: _,
        pairing: _,
        fraction: _,
        rest: _,
        context: _,
        scaling: _,
        length: _,
        axes: _,
        round: _,
    } = rope;
    // One list for every length, with its own factor, knows no length.
    if is_list(&normal) {
        normal.context = None;
        normal.length = Default::default();
    }
    let other = Rope { context: None, ..normal.clone() };
    let of = |rope: &Rope| rope.frequencies(head_dim, 1).map(|f| (f.inverse, f.factor));
    if !normal.depends_on_length(head_dim) && of(&normal).is_ok() && of(&normal) == of(&other) {
        normal.context = None;
        normal.length = Default::default();
    }
    normal
}

/// The roles that one has and the other has not, or has otherwise: with a bias, or a norm of another kind.
pub(super) fn structure(a: &Architecture, b: &Architecture) -> Differences {
    let (a, b) = (roles(a), roles(b));
    let of = |roles: &BTreeMap<String, BTreeSet<String>>, role: &String| {
        roles
            .get(role)
            .map_or(Json::Null, |says| says.iter().cloned().collect::<Vec<_>>().join(", or ").into())
    };
    let all: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
    let differ = all.into_iter().filter(|role| a.get(*role) != b.get(*role));
    differ.map(|role| (role.clone(), of(&a, role), of(&b, role))).collect()
}

/// What is said of each role beside names and packing.
fn roles(architecture: &Architecture) -> BTreeMap<String, BTreeSet<String>> {
    let layers = architecture.layers.iter().flat_map(|layer| &layer.tensors);
    let mut out: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for named in architecture.tensors.iter().chain(layers) {
        let own = named.roles.iter().filter(|role| **role != Role::Output || !architecture.output.tie);
        for role in own {
            // Names and packing are what conversion changes; all else must be the same.
            let Named { roles: _, name: _, bias, by, per, at, suffix: _, lies, unit, eps, offset, factor } =
                named;
            let mut says = String::from(if *bias { "a tensor with a bias" } else { "a tensor" });
            // Tensors of experts are passed on whole.
            if role.is_of_experts() {
                let each = if named.is_per_expert() { "one for each" } else { "stacked" };
                says += &format!(
                    ", {each}, {}, by {}, {}",
                    write_roles(&named.roles),
                    written(by),
                    written(lies)
                );
            }
            if *unit {
                says += " without weight";
            }
            for (what, number) in [("eps", *eps), ("offset", *offset), ("times", Some(*factor))] {
                if let Some(number) = number.filter(|number| what != "times" || *number != 1.0) {
                    says += &format!(", {what} {number}");
                }
            }
            if matches!(role, Role::QueryNorm | Role::KeyNorm | Role::ValueNorm) {
                says += &format!(", per {}, at {}", written(per), written(at));
            }
            out.entry(format!("tensors.{role}")).or_default().insert(says);
        }
    }
    out
}
