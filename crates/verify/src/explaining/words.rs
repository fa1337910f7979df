//! How a diagnosis is told.

use camelid_families::Tap;

use super::cause::Explanation;
use crate::changes::{Change, short};
use crate::locating::Fault;
use crate::told::{Divergence, Fault as Whose, Spread, stage_name};

/// A difference with the tokens and heads that it touches; without one, it is at the logits.
pub(crate) struct Located<'a> {
    pub(crate) fault: Option<&'a Fault>,
    pub(crate) spread: Option<Spread>,
}

impl Located<'_> {
    pub(crate) fn divergence(
        self,
        fault: Whose,
        components: Vec<&'static str>,
        likely_cause: String,
        causes: Option<&Explanation>,
    ) -> Divergence {
        let tap = self.fault.and_then(|fault| fault.tap);
        Divergence {
            layer: tap.and_then(|tap| tap.layer),
            stage: stage(tap).to_owned(),
            likely_cause,
            causes: causes.map(|found| found.changes.iter().map(Change::label).collect()).unwrap_or_default(),
            fault,
            components,
            first_token: self.spread.as_ref().and_then(|spread| spread.tokens.first().copied()),
            heads: self.spread.as_ref().and_then(|spread| spread.heads.clone().map(|(which, _)| which)),
            extent: self.spread.as_ref().map(Spread::words),
            step: None,
            within: None,
            relative: self.fault.map(|fault| fault.distance.relative),
            tried: causes.map_or(0, |causes| causes.tried),
        }
    }
}

/// A stage in the words of the cases.
pub(crate) fn stage(tap: Option<Tap>) -> &'static str {
    tap.map_or("logits", |tap| stage_name(tap.stage))
}

/// `mlp of layer 2`.
pub(crate) fn place(tap: Option<Tap>) -> String {
    match tap.and_then(|tap| tap.layer) {
        Some(layer) => format!("{} of layer {layer}", stage(tap)),
        None => stage(tap).to_owned(),
    }
}

/// `crate a`, or `crate a or crate b`.
pub(crate) fn either(crates: &[&str]) -> String {
    let named: Vec<String> = crates.iter().map(|name| format!("`{name}`")).collect();
    format!("crate {}", named.join(" or "))
}

/// To six digits.
pub(crate) fn number(x: f64) -> String {
    short(&serde_json::json!(x))
}

/// Every change of an explanation, each against what stood before it.
pub(crate) fn all(found: &Explanation, verb: &str) -> String {
    let told = found.changes.iter().zip(&found.before);
    let told: Vec<String> = told.map(|(change, before)| change.against(before, verb)).collect();
    match told.as_slice() {
        [only] => only.clone(),
        many => format!("{} ({} changes together)", many.join("; and "), many.len()),
    }
}
