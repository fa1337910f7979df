//! Declaration + config.json → [`Architecture`]. Every problem is gathered, none stops the search for more.

use std::collections::BTreeSet;
use std::sync::Arc;

use minijinja::value::Value;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value as Json};

use crate::error::{Origin, Problem};
use crate::resolved::scope::Scope;
use crate::resolved::{check, config};
use crate::waist::architecture::{Architecture, Attention, Layer, Position, Stack};
use crate::waist::roles::Role;
use crate::waist::scaling;
use crate::written::declaration::Declaration;
use crate::written::expr::{Entry, Expr};
use crate::written::file::Entries;
use crate::written::formula::Formula;
use crate::written::formula::root;
use crate::written::said::plainly;
use crate::written::{slips, words};

/// More layers than any model has; a config.json that asks for more is refused before anything is laid out for it.
pub(super) const MOST_LAYERS: usize = 10_000;

/// Why a config.json did not resolve.
#[derive(Debug, Clone)]
pub struct Unresolved {
    /// Every problem.
    pub problems: Vec<Problem>,
    /// What it resolves to but for keys that nothing reads.
    pub architecture: Option<Box<Architecture>>,
    /// Where there is none: the tensors whose names are known all the same.
    pub tensors: Vec<String>,
}

impl Declaration {
    /// Resolves a config.json to plain numbers. `allowed` are keys that the user waves through, unread.
    ///
    /// # Errors
    /// [`Unresolved`], with every problem: unknown and missing keys, values of the wrong type or out of range.
    pub fn resolve(
        &self,
        config: &Map<String, Json>,
        allowed: &[String],
    ) -> Result<Architecture, Unresolved> {
        let (mut config, mut problems) = config::rename(self, config);
        config::strip(self, &mut config, allowed);
        problems.extend(config::refuse(self, &config, allowed));
        let mut resolver = Resolver { declaration: self, config: Arc::new(config), problems };
        let Some(architecture) = resolver.architecture() else {
            let tensors = resolver.names();
            return Err(Unresolved { problems: resolver.problems, architecture: None, tensors });
        };
        let unsound = check::check(self, &architecture);
        let sound = unsound.is_empty();
        let problems = [resolver.problems, unsound].concat();
        if problems.is_empty() {
            return Ok(architecture);
        }
        let architecture = sound.then(|| Box::new(architecture));
        Err(Unresolved { problems, architecture, tensors: Vec::new() })
    }

    /// Evaluates a table outside the mathematics, such as `[tokenizer]`, over a config.json.
    ///
    /// # Errors
    /// Every problem.
    pub fn evaluate<T: DeserializeOwned>(
        &self,
        table: &str,
        entries: &Entries,
        config: &Map<String, Json>,
    ) -> Result<T, Vec<Problem>> {
        let (config, problems) = config::rename(self, config);
        let mut resolver = Resolver { declaration: self, config: Arc::new(config), problems };
        let context = resolver.scope(None);
        let entries: Vec<_> = entries.iter().map(|(key, entry)| (key.as_str(), entry)).collect();
        let value = resolver.typed(table, &entries, &context);
        value.filter(|_| resolver.problems.is_empty()).ok_or(resolver.problems)
    }
}

pub(super) struct Resolver<'a> {
    pub(super) declaration: &'a Declaration,
    config: Arc<Map<String, Json>>,
    problems: Vec<Problem>,
}

impl Resolver<'_> {
    fn architecture(&mut self) -> Option<Architecture> {
        let context = self.scope(None);
        let stack_keys = words::keys_of::<Stack>();
        let stack = self.table("block", &context, |key| stack_keys.contains(key));
        let embedding = self.table("embedding", &context, |_| true);
        let norm = self.table("norm", &context, |_| true);
        let output = self.table("output", &context, |_| true);
        let has_prefix = self.declaration.words.keys().any(|word| word.starts_with("prefix."));
        let prefix = if has_prefix { self.table("prefix", &context, |_| true).map(Some) } else { Some(None) };
        let per_layer = self.table_if("per_layer", "width", &context);
        let mut tensors = self.tensors(&context, |role| !role.per_layer(), None);
        let stack: Stack = stack?;
        let mut layers = self.layers(&stack);
        let per_layer = per_layer?;
        if per_layer.is_none() {
            let all = layers.iter_mut().flatten().map(|layer: &mut Layer| &mut layer.tensors);
            all.chain(&mut tensors)
                .for_each(|tensors| tensors.retain(|named| !named.roles[0].is_of_layers()));
        }
        Some(Architecture {
            per_layer,
            embedding: embedding?,
            norm: norm?,
            output: output?,
            prefix: prefix?,
            layers: layers?,
            stack,
            tensors: tensors?,
            inert: self.declaration.unread_tensors(),
        })
    }

    fn layers(&mut self, stack: &Stack) -> Option<Vec<Layer>> {
        if stack.layers > MOST_LAYERS {
            let message = format!("{} layers; at most {MOST_LAYERS} are taken", stack.layers);
            self.value("block.layers", message);
            return None;
        }
        let mut layers = Vec::with_capacity(stack.layers);
        for index in 0..stack.layers {
            layers.push(self.layer(index)?);
        }
        Some(layers)
    }

    fn layer(&mut self, index: usize) -> Option<Layer> {
        let context = self.scope(Some(index));
        let stack_keys = words::keys_of::<Stack>();
        let block = self.table("block", &context, |key| !stack_keys.contains(key));
        let attention: Option<Attention> = self.table("attention", &context, |_| true);
        let delta = self.table_if("delta", "value_heads", &context);
        // A state turns nothing.
        let turns = attention.as_ref().is_some_and(|attention| attention.position == Position::Rope)
            && !matches!(delta, Some(Some(_)));
        let rope = if turns { self.table("rope", &context, |_| true).map(Some) } else { Some(None) };
        let latent = self.table_if("latent", "rank", &context);
        let mlp = self.table("mlp", &context, |_| true);
        let experts = self.table_if("experts", "count", &context);
        let mut layer = Layer {
            block: block?,
            attention: attention?,
            latent: latent?,
            delta: delta?,
            rope: rope?,
            mlp: mlp?,
            experts: experts?,
            tensors: Vec::new(),
        };
        layer.tensors = self.tensors(&context, Role::per_layer, Some(&layer))?;
        Some(layer)
    }

    /// A table that a layer has only where one of its words has a value.
    fn table_if<T: DeserializeOwned>(
        &mut self,
        table: &str,
        word: &str,
        context: &Value,
    ) -> Option<Option<T>> {
        let word = format!("{table}.{word}");
        let Some(entry) = self.declaration.words.get(&word) else {
            let said = self.declaration.words.keys().any(|known| known.starts_with(&format!("{table}.")));
            return if said { self.table(table, context, |_| true).map(Some) } else { Some(None) };
        };
        match entry.expr.json(context) {
            Ok(Json::Null) => Some(None),
            Ok(_) => self.table(table, context, |_| true).map(Some),
            Err(message) => {
                self.failed(&word, entry, message);
                None
            }
        }
    }

    pub(super) fn scope(&self, layer: Option<usize>) -> Value {
        Scope::names(self.declaration, self.config.clone(), layer)
    }

    fn table<T: DeserializeOwned>(
        &mut self,
        table: &str,
        context: &Value,
        mine: impl Fn(&str) -> bool,
    ) -> Option<T> {
        let declaration = self.declaration;
        let entries: Vec<(&str, &Entry)> = declaration
            .words
            .iter()
            .filter_map(|(word, entry)| Some((word.strip_prefix(table)?.strip_prefix('.')?, entry)))
            .filter(|(key, _)| mine(key))
            .collect();
        self.typed(table, &entries, context)
    }

    /// Evaluates entries and reads them as one settings struct. Null takes a key away, so that its default holds.
    fn typed<T: DeserializeOwned>(
        &mut self,
        table: &str,
        entries: &[(&str, &Entry)],
        context: &Value,
    ) -> Option<T> {
        let mut values = Map::new();
        let mut failed = false;
        for (key, entry) in entries {
            match entry.expr.json(context) {
                Ok(Json::Null) => {}
                Ok(value) => {
                    values.insert((*key).to_owned(), value);
                }
                Err(message) => {
                    failed = true;
                    self.failed(&format!("{table}.{key}"), entry, message);
                }
            }
        }
        if failed {
            return None;
        }
        let written = values.clone();
        if let Err(message) = scaling::complete(&mut values) {
            let origin =
                entries.iter().find(|(key, _)| *key == "scaling").map(|(_, entry)| entry.origin.clone());
            self.push(Problem::Value { word: format!("{table}.scaling"), message, origin });
            return None;
        }
        match serde_path_to_error::deserialize(Json::Object(values)) {
            Ok(settings) => Some(settings),
            Err(error) => {
                self.mistyped(table, entries, &written, &error);
                None
            }
        }
    }

    /// A value of the wrong type, or a word that must be said and is not.
    fn mistyped(
        &mut self,
        table: &str,
        entries: &[(&str, &Entry)],
        written: &Map<String, Json>,
        error: &serde_path_to_error::Error<serde_json::Error>,
    ) {
        let said = |key: &str| entries.iter().find(|(known, _)| *known == key).map(|(_, entry)| *entry);
        let text = error.inner().to_string();
        let path = error.path().to_string();
        let problem = match text.strip_prefix("missing field `").and_then(|rest| rest.split('`').next()) {
            Some(key) if !written.contains_key(root(&path)) => Problem::Value {
                word: format!("{table}.{key}"),
                message: said(key).map_or_else(
                    || "must be said, and no file of the family says it".into(),
                    |entry| format!("{} gives none, but there must be a value", entry.expr.written()),
                ),
                origin: said(key).map(|entry| entry.origin.clone()),
            },
            _ => {
                let key = root(&path);
                let pointer = format!("/{}", path.replace('.', "/"));
                let whole = Json::Object(written.clone());
                let value = whole.pointer(&pointer).or_else(|| written.get(key));
                let word =
                    if written.contains_key(key) { format!("{table}.{path}") } else { format!("[{table}]") };
                let origin = said(key).map(|entry| entry.origin.clone());
                Problem::Value { word, message: plainly(&text, value), origin }
            }
        };
        self.push(problem);
    }

    /// A formula failed: because of keys that are missing, where some are; else for the reason it gave.
    pub(super) fn failed(&mut self, word: &str, entry: &Entry, message: String) {
        let formulas = entry.expr.formulas();
        let missing = self.missing(formulas.iter().flat_map(|formula| formula.needs()).collect());
        if missing.is_empty() {
            let message = format!("{message}, in {}", entry.expr.written());
            self.push(Problem::Value { word: word.to_owned(), message, origin: Some(entry.origin.clone()) });
        }
        for key in missing {
            let problem = self.lacks(key, word, &entry.origin);
            self.push(problem);
        }
    }

    /// A key that nobody gives: a slip of the pen where one of nearly that name is there.
    pub(super) fn lacks(&self, key: String, word: &str, origin: &Origin) -> Problem {
        let declared = self.declaration;
        let known =
            [&declared.default, &declared.absent, &declared.lets].into_iter().flat_map(|all| all.keys());
        let known = known.chain(self.config.keys()).map(String::as_str);
        match slips::meant(&key, known) {
            Some(meant) => {
                let message = format!(
                    "its formula reads `{key}`, which is missing in config.json; is `{meant}` meant?"
                );
                Problem::Value { word: word.to_owned(), message, origin: Some(origin.clone()) }
            }
            None => Problem::MissingKey { key, word: word.to_owned(), origin: origin.clone() },
        }
    }

    /// The keys, among those that these names reach, that nobody gives a value.
    pub(super) fn missing(&self, mut names: Vec<String>) -> BTreeSet<String> {
        let (mut missing, mut seen) = (BTreeSet::new(), BTreeSet::new());
        while let Some(name) = names.pop() {
            let key = root(&name).to_owned();
            if key == "layer"
                || !seen.insert(key.clone())
                || self.config.get(&key).is_some_and(|v| !v.is_null())
            {
                continue;
            }
            let declared = self.declaration;
            let given = [&declared.lets, &declared.default, &declared.absent];
            let Some(entry) = given.into_iter().find_map(|entries| entries.get(&key)) else {
                if !self.config.contains_key(&key) {
                    missing.insert(key);
                }
                continue;
            };
            names.extend(entry.expr.formulas().into_iter().flat_map(Formula::needs));
        }
        missing
    }

    pub(super) fn value(&mut self, word: &str, message: String) {
        let origin = self.declaration.origin(word).cloned();
        self.push(Problem::Value { word: word.to_owned(), message, origin });
    }

    pub(super) fn push(&mut self, problem: Problem) {
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }
}

/// The formulas of an entry, for those who explain a declaration.
#[must_use]
pub fn formulas(expr: &Expr) -> Vec<&Formula> {
    expr.formulas()
}
