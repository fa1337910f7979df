//! The same function under another family's names: which rows of which tensors go where, and the config.json that says so.
//!
//! Nothing is computed. Where the numbers that both resolve to differ in more than names, the words that differ are told.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;

use serde_json::{Map, Value as Json};

use crate::architecture::{Architecture, Rope};
use crate::config;
use crate::declaration::{Declaration, root};
use crate::error::{Error, Problem};
use crate::expr::Expr;
use crate::fields::difference;
use crate::plan::Planned;
use crate::roles::Role;
use crate::scaling::Scaling;
use crate::weights::runs;

/// Keys of config.json that say whose it is, and nothing else.
const IDENTITY: [&str; 5] = ["model_type", "architectures", "auto_map", "_name_or_path", "tokenizer_class"];
/// A key is changed at most so many times in search of a config.json; each change must remove a difference.
const MOST_REPAIRS: usize = 16;

/// A tensor of the target, made of rows of the source's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rearranged {
    /// Its name.
    pub name: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// The rows, in order.
    pub pieces: Vec<Piece>,
}

/// Rows of a tensor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// The tensor's name.
    pub tensor: String,
    /// Its rows.
    pub rows: Range<usize>,
}

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
        let config = search.run(self.first_guess(source, config, architecture)).map_err(misfit)?;
        let config = self.in_own_keys(config);
        let resolved = self.resolve(&config, &[]).map_err(|unresolved| misfit(unresolved.problems))?;
        let differs = search.differences(&resolved);
        if !differs.is_empty() {
            return Err(misfit(differs.iter().map(|(word, a, b)| told(word, a, b)).collect()));
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
        let (said, _) = config::rename(source, config);
        let identity = self.matches.iter().flat_map(|rule| rule.variables().iter()).map(|name| root(name));
        let identity: BTreeSet<&str> =
            identity.filter(|key| guess.contains_key(*key)).chain(IDENTITY).collect();
        let said =
            said.into_iter().filter(|(key, _)| key == "vocab_size" || !identity.contains(key.as_str()));
        guess.extend(said);
        let fields = architecture.fields();
        for (word, entry) in &self.words {
            let (Some(key), Some(value)) = (bare(&entry.expr), fields.get(word)) else { continue };
            self.set(&mut guess, key, value.clone());
        }
        for (role, entry) in &self.bias {
            let layer = role.per_layer().then_some(0);
            let (Some(key), Some(named)) = (bare(&entry.expr), architecture.tensor(layer, *role)) else {
                continue;
            };
            self.set(&mut guess, key, named.bias.into());
        }
        guess
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
    fn run(&self, mut config: Map<String, Json>) -> Result<Map<String, Json>, Vec<Problem>> {
        for _ in 0..MOST_REPAIRS {
            let resolved = match self.target.resolve(&config, &[]) {
                Ok(resolved) => resolved,
                Err(unresolved) => {
                    self.drop_unknown(&mut config, unresolved.problems)?;
                    continue;
                }
            };
            let differs = self.differences(&resolved);
            if differs.is_empty() {
                return Ok(config);
            }
            config = self
                .repaired(&config, &differs)
                .ok_or_else(|| differs.iter().map(|(word, a, b)| told(word, a, b)).collect::<Vec<_>>())?;
        }
        Ok(config)
    }

    /// A key of the source's that means nothing to the target goes; anything else is a reason to refuse.
    fn drop_unknown(
        &self,
        config: &mut Map<String, Json>,
        problems: Vec<Problem>,
    ) -> Result<(), Vec<Problem>> {
        let unknown = problems.iter().filter_map(|problem| match problem {
            Problem::UnknownKey { key, .. } => Some(root(key).to_owned()),
            _ => None,
        });
        let unknown: Vec<String> = unknown.collect();
        if unknown.len() < problems.len() {
            return Err(problems);
        }
        for key in unknown {
            config.shift_remove(&key);
        }
        Ok(())
    }

    fn differences(&self, resolved: &Architecture) -> Differences {
        let differs = difference(&self.wanted, &normal(resolved)).into_iter();
        differs.filter(|(word, _, _)| !word.starts_with("tensors.")).collect()
    }

    /// One key changed so that fewer words differ: to the wanted number, or in the proportion that is missing.
    fn repaired(&self, config: &Map<String, Json>, differs: &Differences) -> Option<Map<String, Json>> {
        let mut best: Option<(usize, Map<String, Json>)> = None;
        for (word, wanted, got) in differs {
            for key in self.keys_of(word) {
                for value in candidates(wanted, got, config.get(&key)) {
                    let mut changed = config.clone();
                    changed.insert(key.clone(), value);
                    let Ok(resolved) = self.target.resolve(&changed, &[]) else { continue };
                    let left = self.differences(&resolved).len();
                    if left < best.as_ref().map_or(differs.len(), |(least, _)| *least) {
                        best = Some((left, changed));
                    }
                }
            }
        }
        best.map(|(_, config)| config)
    }

    /// The keys that a word's formula reads, those of the family's releases first.
    fn keys_of(&self, word: &str) -> Vec<String> {
        let formulas = self.target.words.get(word).map(|entry| entry.expr.formulas()).unwrap_or_default();
        let names = formulas.iter().flat_map(|formula| formula.variables()).map(|name| root(name).to_owned());
        let mut names: Vec<String> = names.filter(|name| name != "layer").collect();
        let (released, _) = self
            .target
            .sizes
            .first()
            .map(|size| config::rename(self.target, &size.config))
            .unwrap_or_default();
        names.sort_by_key(|name| !released.contains_key(name));
        names.dedup();
        names
    }
}

fn candidates(wanted: &Json, got: &Json, now: Option<&Json>) -> Vec<Json> {
    let mut values = vec![wanted.clone()];
    if let (Some(wanted), Some(got)) = (wanted.as_f64(), got.as_f64()) {
        let scaled = now.and_then(Json::as_f64).unwrap_or(1.0) * wanted / got;
        if scaled.is_finite() && scaled.fract() == 0.0 && scaled.abs() < 1e15 {
            values.push((scaled as i64).into());
        }
        values.extend(serde_json::Number::from_f64(scaled).map(Json::Number));
    }
    values
}

/// The key, where a formula is nothing but one.
fn bare(expr: &Expr) -> Option<&str> {
    let Expr::Formula(formula) = expr else { return None };
    let key = formula.source();
    let is_name = key.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
    (is_name && formula.variables().contains(key) && key != "layer").then_some(key)
}

fn told(word: &str, wanted: &Json, got: &Json) -> Problem {
    let message = format!("the checkpoint has {wanted}, and this family would make it {got}");
    Problem::Value { word: word.to_owned(), message, origin: None }
}

/// The same function in one way of saying it: a trained length that no scaling reads is not said, nor a scaling that does
/// nothing.
fn normal(architecture: &Architecture) -> Architecture {
    let mut normal = architecture.clone();
    for layer in &mut normal.layers {
        if let Some(rope) = &mut layer.rope {
            *rope = normal_rope(rope, layer.attention.head_dim);
        }
    }
    normal.inert.clear();
    normal
}

fn normal_rope(rope: &Rope, head_dim: usize) -> Rope {
    let mut normal = rope.clone();
    if matches!(&normal.scaling, Some(Scaling::Plain(camelid_rope::Scaling::Default {}))) {
        normal.scaling = None;
    }
    let other = Rope { context: None, ..normal.clone() };
    let of = |rope: &Rope| rope.frequencies(head_dim, 1).map(|f| (f.inverse, f.factor));
    if !normal.depends_on_length(head_dim) && of(&normal).is_ok() && of(&normal) == of(&other) {
        normal.context = None;
        normal.length = Default::default();
    }
    normal
}

/// Which rows of the source each tensor of the target is made of.
fn rearrange(from: &Architecture, to: &Architecture) -> Vec<Rearranged> {
    let mut held: HashMap<(Option<usize>, Role, bool), Vec<Piece>> = HashMap::new();
    for planned in &from.plan().tensors {
        for (role, rows) in runs(from, planned) {
            let pieces = rows.into_iter().map(|rows| Piece { tensor: planned.name.clone(), rows });
            held.insert((planned.layer, role, is_bias(planned)), pieces.collect());
        }
    }
    let plan = to.plan();
    plan.tensors
        .iter()
        .map(|planned| {
            let mut segments: Vec<(Range<usize>, Role)> = runs(to, planned)
                .into_iter()
                .flat_map(|(role, rows)| rows.into_iter().map(move |rows| (rows, role)))
                .collect();
            segments.sort_by_key(|(rows, _)| rows.start);
            let mut pieces = Vec::new();
            for (rows, role) in segments {
                if let Some(left) = held.get_mut(&(planned.layer, role, is_bias(planned))) {
                    take(left, rows.len(), &mut pieces);
                }
            }
            Rearranged { name: planned.name.clone(), shape: planned.shape.clone(), pieces }
        })
        .collect()
}

fn is_bias(planned: &Planned) -> bool {
    planned.name.ends_with(".bias")
}

/// Moves the next `count` rows over, joined to the last piece where they follow it.
fn take(left: &mut Vec<Piece>, mut count: usize, pieces: &mut Vec<Piece>) {
    while count > 0 && !left.is_empty() {
        let first = &mut left[0];
        let end = first.rows.start + count.min(first.rows.len());
        let taken = Piece { tensor: first.tensor.clone(), rows: first.rows.start..end };
        count -= taken.rows.len();
        first.rows.start = end;
        if first.rows.is_empty() {
            left.remove(0);
        }
        match pieces.last_mut() {
            Some(last) if last.tensor == taken.tensor && last.rows.end == taken.rows.start => {
                last.rows.end = taken.rows.end;
            }
            _ => pieces.push(taken),
        }
    }
}
