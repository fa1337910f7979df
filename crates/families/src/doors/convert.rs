//! The same function under another family's names: which rows of which tensors go where, and the config.json that says so.
//!
//! Nothing is computed. Where the numbers that both resolve to differ in more than names, the words that differ are told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Map, Value as Json};

use crate::doors::rearrange::{Rearranged, rearrange};
use crate::error::{Error, Problem};
use crate::resolved::config;
use crate::resolved::scope::Scope;
use crate::waist::architecture::{Architecture, Rope};
use crate::waist::fields::difference;
use crate::waist::named::{Named, write_roles};
use crate::waist::roles::Role;
use crate::waist::scaling::Scaling;
use crate::written::declaration::Declaration;
use crate::written::expr::{Entry, Expr};
use crate::written::formula::root;

/// Keys of config.json that say whose it is, and nothing else.
const IDENTITY: [&str; 5] = ["model_type", "architectures", "auto_map", "_name_or_path", "tokenizer_class"];

/// A checkpoint in another family's terms.
#[derive(Debug, Clone)]
pub struct Conversion {
    /// The config.json, in the target's own keys.
    pub config: Map<String, Json>,
    /// What it resolves to.
    pub architecture: Architecture,
    /// Where each tensor's rows come from.
    pub tensors: Vec<Rearranged>,
}

impl Declaration {
    /// This family's form of a checkpoint of the family `source` that resolved to `architecture`.
    ///
    /// # Errors
    /// [`Error::Misfit`] with every word that this family would make another.
    pub fn converted(
        &self,
        source: &Declaration,
        config: &Map<String, Json>,
        architecture: &Architecture,
    ) -> Result<Conversion, Error> {
        let misfit =
            |problems| Error::Misfit { place: "config.json".into(), family: self.name.clone(), problems };
        let search = Search { target: self, wanted: normal(architecture) };
        let found = search.run(self.first_guess(source, config, architecture)).map_err(misfit)?;
        let config = self.in_own_keys(search.without_surplus(found, &config::rename(source, config).0));
        let resolved = self.resolve(&config, &[]).map_err(|unresolved| misfit(unresolved.problems))?;
        let differs = search.differences(&resolved).into_iter().chain(structure(architecture, &resolved));
        let differs: Vec<Problem> = differs.map(|(word, a, b)| told(&word, &a, &b)).collect();
        if !differs.is_empty() {
            return Err(misfit(differs));
        }
        if !self.accepts(&config) {
            let rule = self.matches.as_ref().map(|rule| rule.source()).unwrap_or_default();
            let message = format!("its rule, {rule}, does not accept the converted config.json");
            return Err(misfit(vec![Problem::Value { word: "match".into(), message, origin: None }]));
        }
        let tensors = rearrange(architecture, &resolved);
        Ok(Conversion { config, architecture: resolved, tensors })
    }

    /// The release's keys, under those of the source that mean the same, under those whose word is a bare key.
    fn first_guess(
        &self,
        source: &Declaration,
        config: &Map<String, Json>,
        architecture: &Architecture,
    ) -> Map<String, Json> {
        let release = self.sizes.first().map(|size| size.config.clone()).unwrap_or_default();
        let (mut guess, _) = config::rename(self, &release);
        let said = config::rename(source, config).0;
        let identity = self.matches.iter().flat_map(|rule| rule.variables().iter()).map(|name| root(name));
        let identity: BTreeSet<&str> =
            identity.filter(|key| guess.contains_key(*key)).chain(IDENTITY).collect();
        let said =
            said.into_iter().filter(|(key, _)| key == "vocab_size" || !identity.contains(key.as_str()));
        guess.extend(said);
        if let Some(class) = self.classes.first().filter(|_| !guess.contains_key("architectures")) {
            guess.insert("architectures".into(), vec![class.as_str()].into());
        }
        let fields = architecture.fields();
        for (word, entry) in &self.words {
            let (Some(key), Some(value)) = (self.key(&entry.expr), fields.get(word)) else { continue };
            self.set(&mut guess, key, value.clone());
        }
        for (role, entry) in &self.bias {
            let layer = role.per_layer().then_some(0);
            let (Some(key), Some(named)) = (self.key(&entry.expr), architecture.tensor(layer, *role)) else {
                continue;
            };
            self.set(&mut guess, key, named.bias.into());
        }
        guess
    }

    /// The key of config.json, where a formula is nothing but one; a name of the declaration's own is none.
    fn key<'e>(&self, expr: &'e Expr) -> Option<&'e str> {
        bare(expr).filter(|name| !self.lets.contains_key(*name))
    }

    fn set(&self, config: &mut Map<String, Json>, key: &str, value: Json) {
        let is_default =
            self.default.get(key).is_some_and(|entry| entry.expr == Expr::Literal(value.clone()));
        if value.is_null() && is_default {
            config.shift_remove(key);
        } else {
            config.insert(key.to_owned(), value);
        }
    }

    /// Undoes the renames of keys that this family's own releases spell otherwise.
    fn in_own_keys(&self, mut config: Map<String, Json>) -> Map<String, Json> {
        for (from, entry) in &self.rename {
            let released = self.sizes.iter().any(|size| size.config.contains_key(from));
            let Some(to) = entry.expr.text().filter(|_| released) else { continue };
            if let Some(value) = config.shift_remove(to) {
                config.insert(from.clone(), value);
            }
        }
        config
    }
}

/// Looks for the config.json that a family resolves to the wanted numbers.
struct Search<'a> {
    target: &'a Declaration,
    wanted: Architecture,
}

type Differences = Vec<(String, Json, Json)>;

impl Search<'_> {
    fn run(&self, config: Map<String, Json>) -> Result<Map<String, Json>, Vec<Problem>> {
        let mut config = self.repaired(config);
        if let Err(unresolved) = self.target.resolve(&config, &[]) {
            self.drop_unknown(&mut config, unresolved.problems)?;
        }
        let resolved = self.target.resolve(&config, &[]).map_err(|unresolved| unresolved.problems)?;
        let differs = self.differences(&resolved);
        if differs.is_empty() {
            return Ok(config);
        }
        Err(differs.iter().map(|(word, wanted, got)| told(word, wanted, got)).collect())
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
    fn without_surplus(&self, mut config: Map<String, Json>, said: &Map<String, Json>) -> Map<String, Json> {
        let released = self.released();
        let keys: Vec<String> = config.keys().cloned().collect();
        let known =
            |key: &String| key == "architectures" || said.contains_key(key) || released.contains_key(key);
        for key in keys.iter().filter(|key| !known(key)) {
            let mut fewer = config.clone();
            fewer.shift_remove(key);
            let same =
                self.target.resolve(&fewer, &[]).is_ok_and(|resolved| self.differences(&resolved).is_empty());
            if same && self.target.accepts(&fewer) == self.target.accepts(&config) {
                config = fewer;
            }
        }
        config
    }

    /// The keys of the target's releases, as its formulas call them.
    fn released(&self) -> Map<String, Json> {
        let sizes = self.target.sizes.iter().flat_map(|size| config::rename(self.target, &size.config).0);
        sizes.collect()
    }

    fn differences(&self, resolved: &Architecture) -> Differences {
        let differs = difference(&self.wanted, &normal(resolved)).into_iter();
        differs.filter(|(word, _, _)| !word.starts_with("tensors.")).collect()
    }

    /// Where a word would be another number: one key of its formula is changed, to the wanted number or in the proportion
    /// that is missing, if that makes it right.
    fn repaired(&self, mut config: Map<String, Json>) -> Map<String, Json> {
        for (word, wanted) in self.wanted.fields() {
            let Some(entry) = self.target.words.get(&word) else { continue };
            let now = evaluate(self.target, entry, &config);
            if wanted.is_null() || same(now.as_ref(), &wanted) {
                continue;
            }
            let changes = self.keys_of(&word).into_iter().flat_map(|key| {
                let values = candidates(&wanted, now.as_ref(), config.get(&key));
                values.into_iter().map(move |value| (key.clone(), value))
            });
            let right = changes.map(|(key, value)| {
                let mut changed = config.clone();
                changed.insert(key, value);
                changed
            });
            let right = right
                .into_iter()
                .find(|changed| same(evaluate(self.target, entry, changed).as_ref(), &wanted));
            config = right.unwrap_or(config);
        }
        config
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

fn candidates(wanted: &Json, got: Option<&Json>, now: Option<&Json>) -> Vec<Json> {
    let mut values = vec![wanted.clone()];
    if let (Some(wanted), Some(got)) = (wanted.as_f64(), got.and_then(Json::as_f64)) {
        let scaled = now.and_then(Json::as_f64).unwrap_or(1.0) * wanted / got;
        if scaled.is_finite() && scaled.fract() == 0.0 && scaled.abs() < 1e15 {
            values.push((scaled as i64).into());
        }
        values.extend(serde_json::Number::from_f64(scaled).map(Json::Number));
    }
    values
}

/// A word's value for the first layer.
fn evaluate(target: &Declaration, entry: &Entry, config: &Map<String, Json>) -> Option<Json> {
    entry.expr.json(&Scope::names(target, Arc::new(config.clone()), Some(0))).ok()
}

fn same(a: Option<&Json>, b: &Json) -> bool {
    a.is_some_and(|a| a == b || matches!((a.as_f64(), b.as_f64()), (Some(a), Some(b)) if a == b))
}

/// The key, where a formula is nothing but one.
fn bare(expr: &Expr) -> Option<&str> {
    let Expr::Formula(formula) = expr else { return None };
    let key = formula.source();
    let is_name = key.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
    (is_name && formula.variables().contains(key) && key != "layer").then_some(key)
}

fn told(word: &str, wanted: &Json, got: &Json) -> Problem {
    let say = |value: &Json| match value {
        Json::Null => "none".to_owned(),
        // What is said of a tensor is prose, not a value.
        Json::String(text) if word.starts_with("tensors.") => text.clone(),
        other => other.to_string(),
    };
    let message = format!("the checkpoint has {}, and this family would make it {}", say(wanted), say(got));
    Problem::Value { word: word.to_owned(), message, origin: None }
}

/// The same function in one way of saying it: a trained length that no scaling reads is not said, nor a scaling that does
/// nothing.
fn normal(architecture: &Architecture) -> Architecture {
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
    let other = Rope { context: None, ..normal.clone() };
    let of = |rope: &Rope| rope.frequencies(head_dim, 1).map(|f| (f.inverse, f.factor));
    if !normal.depends_on_length(head_dim) && of(&normal).is_ok() && of(&normal) == of(&other) {
        normal.context = None;
        normal.length = Default::default();
    }
    normal
}

/// The roles that one has and the other has not, or has otherwise: with a bias, or a norm of another kind.
fn structure(a: &Architecture, b: &Architecture) -> Differences {
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
