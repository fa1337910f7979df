//! The config.json that a family resolves to wanted numbers, if there is one.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Map, Value as Json};

use crate::doors::convert::keys::is_of_each_layer;
use crate::doors::convert::told::{Differences, differences, structure};
use crate::error::Problem;
use crate::resolved::config;
use crate::resolved::scope::Scope;
use crate::waist::architecture::Architecture;
use crate::written::declaration::Declaration;
use crate::written::expr::Entry;
use crate::written::formula::root;

/// Looks for the config.json that a family resolves to the wanted numbers.
pub(super) struct Search<'a> {
    pub(super) target: &'a Declaration,
    pub(super) wanted: &'a Architecture,
}

/// The nearest that was found.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) config: Map<String, Json>,
    pub(super) architecture: Architecture,
    /// The words that are not as wanted.
    pub(super) differs: Differences,
}

impl Search<'_> {
    /// The nearest config.json to be had from some guesses, the first of which that says all is taken.
    ///
    /// # Errors
    /// None of the guesses resolves: why the first does not.
    pub(super) fn nearest(&self, guesses: Vec<Map<String, Json>>) -> Result<Found, Vec<Problem>> {
        let (mut best, mut refused): (Option<Found>, Option<Vec<Problem>>) = (None, None);
        for guess in guesses {
            match self.from(guess) {
                Ok(found) => {
                    let done = found.differs.is_empty();
                    if best.as_ref().is_none_or(|best| found.differs.len() < best.differs.len()) {
                        best = Some(found);
                    }
                    if done {
                        break;
                    }
                }
                Err(problems) => {
                    refused.get_or_insert(problems);
                }
            }
        }
        best.ok_or(refused.unwrap_or_default())
    }

    fn from(&self, guess: Map<String, Json>) -> Result<Found, Vec<Problem>> {
        let as_it_is = self.target.resolve(&guess, &[]).ok();
        if let Some(architecture) = as_it_is.filter(|is| differences(self.wanted, is).is_empty()) {
            return Ok(Found { config: guess, architecture, differs: Vec::new() });
        }
        let mut config = self.repaired(guess);
        if let Err(unresolved) = self.target.resolve(&config, &[]) {
            self.drop_unknown(&mut config, unresolved.problems)?;
        }
        let architecture = self.target.resolve(&config, &[]).map_err(|unresolved| unresolved.problems)?;
        let differs = differences(self.wanted, &architecture);
        Ok(Found { config, architecture, differs })
    }

    /// A key of the source's that the target's releases do not have goes, where the target does not read it or would have it
    /// otherwise: what it says is compared all the same. Anything else is a reason to refuse.
    fn drop_unknown(
        &self,
        config: &mut Map<String, Json>,
        problems: Vec<Problem>,
    ) -> Result<(), Vec<Problem>> {
        let released = self.released();
        let unknown = problems.iter().filter_map(|problem| match problem {
            Problem::UnknownKey { key, .. } | Problem::Required { key, .. } => Some(root(key)),
            Problem::MissingKey { .. }
            | Problem::Renamed { .. }
            | Problem::Value { .. }
            | Problem::MissingTensor { .. }
            | Problem::SurplusTensor { .. }
            | Problem::WrongTensor { .. }
            | Problem::MissingHead { .. }
            | Problem::Untied { .. }
            | Problem::MissingRole { .. } => None,
        });
        let unknown: Vec<String> =
            unknown.filter(|key| !released.contains_key(*key)).map(str::to_owned).collect();
        if unknown.len() < problems.len() {
            return Err(problems);
        }
        for key in unknown {
            config.shift_remove(&key);
        }
        Ok(())
    }

    /// Takes out what changes nothing and neither the source's config.json nor the target's releases have; the class stays,
    /// by which other programs know the model.
    pub(super) fn without_surplus(
        &self,
        mut config: Map<String, Json>,
        said: &Map<String, Json>,
    ) -> Map<String, Json> {
        let released = self.released();
        let keys: Vec<String> = config.keys().cloned().collect();
        let known =
            |key: &String| key == "architectures" || said.contains_key(key) || released.contains_key(key);
        for key in keys.iter().filter(|key| !known(key)) {
            let mut fewer = config.clone();
            fewer.shift_remove(key);
            let same = self.target.resolve(&fewer, &[]).is_ok_and(|resolved| self.is_said_by(&resolved));
            if same && self.target.accepts(&fewer) == self.target.accepts(&config) {
                config = fewer;
            }
        }
        config
    }

    /// Whether every word and every role is as wanted.
    fn is_said_by(&self, resolved: &Architecture) -> bool {
        differences(self.wanted, resolved).is_empty() && structure(self.wanted, resolved).is_empty()
    }

    /// The keys of the target's releases, as its formulas call them.
    fn released(&self) -> Map<String, Json> {
        let sizes = self.target.sizes.iter().flat_map(|size| config::rename(self.target, &size.config).0);
        sizes.collect()
    }

    /// Where a word would be another number: one key of its formula is changed, to the wanted number or in the proportion
    /// that is missing, if that makes it right.
    fn repaired(&self, mut config: Map<String, Json>) -> Map<String, Json> {
        let fields = self.wanted.fields();
        // A key that is nothing but another word's value says that, whatever else is made of it.
        let taken = |word: &str, key: &str| {
            let others = self.target.words.iter().filter(|(other, _)| *other != word);
            let mut others = others.filter(|(_, entry)| self.target.key(&entry.expr) == Some(key));
            others.any(|(other, _)| fields.get(other).is_some_and(|value| !value.is_null()))
        };
        for (word, wanted) in fields.clone() {
            let Some(entry) = self.target.words.get(&word) else { continue };
            let each = is_of_each_layer(&word, &wanted, self.wanted);
            let now = self.evaluate(entry, &config, each);
            if wanted.is_null() || same(now.as_ref(), &wanted) {
                continue;
            }
            let keys = self.keys_of(&word).into_iter().filter(|key| !taken(&word, key));
            let changes = keys.flat_map(|key| {
                let values = candidates(&wanted, now.as_ref(), config.get(&key), each);
                values.into_iter().map(move |value| (key.clone(), value))
            });
            let right = changes.map(|(key, value)| {
                let mut changed = config.clone();
                changed.insert(key, value);
                changed
            });
            let right =
                right.into_iter().find(|changed| same(self.evaluate(entry, changed, each).as_ref(), &wanted));
            config = right.unwrap_or(config);
        }
        config
    }

    /// A word's value: for the first layer, or a list with that of each.
    fn evaluate(&self, entry: &Entry, config: &Map<String, Json>, each: bool) -> Option<Json> {
        let config = Arc::new(config.clone());
        let of = |layer| entry.expr.json(&Scope::names(self.target, Arc::clone(&config), Some(layer))).ok();
        if !each {
            return of(0);
        }
        (0..self.wanted.layers.len()).map(of).collect::<Option<Vec<_>>>().map(Json::Array)
    }

    /// The keys that a word's formula reads, those of the family's releases first.
    fn keys_of(&self, word: &str) -> Vec<String> {
        let said = |entry: &Entry| -> Vec<String> {
            let names = entry.expr.formulas().into_iter().flat_map(|formula| formula.variables());
            names.map(|name| root(name).to_owned()).collect()
        };
        let mut open = self.target.words.get(word).map(said).unwrap_or_default();
        let (mut names, mut seen) = (Vec::new(), BTreeSet::new());
        while let Some(name) = open.pop() {
            if name == "layer" || !seen.insert(name.clone()) {
                continue;
            }
            // What the declaration calls by a name of its own is no key; what it is made of may be.
            match self.target.lets.get(&name) {
                Some(entry) => open.extend(said(entry)),
                None => names.push(name),
            }
        }
        names.sort();
        let released = self.released();
        names.sort_by_key(|name| !released.contains_key(name));
        names.dedup();
        names
    }
}

fn candidates(wanted: &Json, got: Option<&Json>, now: Option<&Json>, each: bool) -> Vec<Json> {
    if each {
        // A key that all layers read, of which some make nothing.
        let mut values: Vec<Json> = Vec::new();
        for value in wanted.as_array().into_iter().flatten().filter(|value| !value.is_null()) {
            if !values.contains(value) {
                values.push(value.clone());
            }
        }
        return values;
    }
    let mut values = vec![wanted.clone()];
    if let (Some(wanted), Some(got)) = (wanted.as_f64(), got.and_then(Json::as_f64)) {
        let scaled = now.and_then(Json::as_f64).unwrap_or(1.0) * wanted / got;
        if scaled.is_finite() && scaled.fract() == 0.0 && scaled.abs() < 1e15 {
            values.push((scaled as i64).into());
        }
        // In proportion, or in inverse proportion, which may miss by a rounding.
        let inverse = now.and_then(Json::as_f64).unwrap_or(1.0) * got / wanted;
        let near = [scaled, inverse, inverse.next_up(), inverse.next_down()];
        // A scale that is one over the root of a whole number.
        let square = now.and_then(Json::as_f64).unwrap_or(1.0) * (got / wanted).powi(2);
        if square.is_finite() && (square - square.round()).abs() < 1e-6 && square.abs() < 1e15 {
            values.push((square.round() as i64).into());
        }
        values.extend(near.into_iter().filter_map(serde_json::Number::from_f64).map(Json::Number));
    }
    values
}

fn same(a: Option<&Json>, b: &Json) -> bool {
    a.is_some_and(|a| a == b || matches!((a.as_f64(), b.as_f64()), (Some(a), Some(b)) if a == b))
}
