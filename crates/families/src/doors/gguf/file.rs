//! What a file's metadata say, in the terms of a family's formulas.

use camelid_checkpoint::gguf::{Metadata, Value as Meta};
use minijinja::Value;
use minijinja::value::Serde;
use serde_json::{Map, Value as Json, json};

use super::words::globs;
use crate::doors::open::Allow;
use crate::error::{Error, Problem};
use crate::written::declaration::Declaration;
use crate::written::expr::{Entry, Expr};

/// What formulas and messages need of a file.
pub(super) struct File<'a> {
    pub(super) place: String,
    pub(super) metadata: &'a Metadata,
    pub(super) architecture: &'a str,
    pub(super) names: Vec<&'a str>,
    /// The lists that rotary frequencies are divided by, by what formulas call them.
    pub(super) divisors: Vec<(&'static str, Json)>,
}

impl File<'_> {
    /// The config.json that the metadata amount to. A key whose formula gives none is left out.
    pub(super) fn config(&self, family: &Declaration, allow: &Allow) -> Result<Map<String, Json>, Error> {
        let reads: Vec<String> = family
            .gguf
            .config
            .values()
            .flat_map(|entry| entry.expr.formulas())
            .flat_map(|formula| formula.variables().clone())
            .collect();
        let mut problems = self.unread(family, &reads, allow)?;
        let context = Value::from(Serde(&self.context(&reads)));
        let mut config = Map::new();
        for (key, entry) in &family.gguf.config {
            match entry.expr.json(&context) {
                Ok(Json::Null) => {}
                Ok(value) => {
                    config.insert(key.clone(), value);
                }
                Err(message) => problems.push(Problem::Value {
                    word: format!("gguf.config.{key}"),
                    message: format!("{message}, in {}", entry.expr.written()),
                    origin: Some(entry.origin.clone()),
                }),
            }
        }
        if problems.is_empty() {
            return Ok(config);
        }
        Err(Error::Misfit { place: self.place.clone(), family: family.name.clone(), problems })
    }

    /// The names that formulas see: everything that is no list, and the lists that they read.
    fn context(&self, reads: &[String]) -> Json {
        let mut root = json!({ "arch": {}, "general": {}, "tokenizer": {}, "tensors": self.names });
        for (name, list) in &self.divisors {
            put(&mut root, name, list.clone());
        }
        for (key, value) in self.metadata.iter() {
            let Some(path) = self.path(key) else { continue };
            if matches!(value, Meta::Array(_)) && !reads.contains(&path) {
                continue;
            }
            if let Some(value) = value.to_json() {
                put(&mut root, &path, if path.starts_with("arch.") { one_for_all(value) } else { value });
            }
        }
        for path in reads {
            put(&mut root, path, Json::Null);
        }
        root
    }

    /// A metadata key as formulas call it.
    fn path(&self, key: &str) -> Option<String> {
        match key.strip_prefix(self.architecture).and_then(|rest| rest.strip_prefix('.')) {
            Some(rest) => Some(format!("arch.{rest}")),
            None => (key.starts_with("general.") || key.starts_with("tokenizer.")).then(|| key.to_owned()),
        }
    }

    /// Metadata under the architecture's prefix that no formula reads, and that is not declared inert.
    fn unread(&self, family: &Declaration, reads: &[String], allow: &Allow) -> Result<Vec<Problem>, Error> {
        let inert = globs(family)?;
        let neutral = &family.gguf.neutral;
        let keys = self.metadata.iter().filter_map(|(key, value)| Some((key, self.path(key)?, value)));
        let keys = keys.filter(|(_, path, _)| path.starts_with("arch."));
        let unread = keys.filter(|(key, path, value)| {
            let read = |name: &String| {
                path.strip_prefix(name.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            };
            !reads.iter().any(read)
                && !neutral.get(path).is_some_and(|entry| is_one_of(value, &entry.expr))
                && !inert.iter().any(|glob| glob.matches(path))
                && !allow.keys.iter().any(|k| k == key)
        });
        Ok(unread
            .map(|(key, path, value)| Problem::Value {
                word: "gguf".into(),
                message: told(key, value, neutral.get(&path)),
                origin: None,
            })
            .collect())
    }
}

/// Puts a value at a dotted path; what stands there stays.
fn put(root: &mut Json, path: &str, value: Json) {
    let Json::Object(table) = root else { return };
    match path.split_once('.') {
        None => {
            table.entry(path).or_insert(value);
        }
        Some((key, rest)) => put(table.entry(key).or_insert_with(|| Json::Object(Map::new())), rest, value),
    }
}

/// What is wrong with a metadata key that nothing reads.
fn told(key: &str, value: &Meta, neutral: Option<&Entry>) -> String {
    let value = value.to_json().map_or_else(|| "?".into(), |value| value.to_string());
    match neutral {
        Some(entry) => format!(
            "the metadata key `{key}` is {value}, which is not done here; files where it is {} are read",
            entry.expr.written()
        ),
        None => format!(
            "the metadata key `{key}` = {value} is not known: no formula of [gguf.config] reads it, and [gguf] ignore does \
             not name it"
        ),
    }
}

/// A list with a number for each layer, where all are the same, as that number.
fn one_for_all(value: Json) -> Json {
    match value {
        Json::Array(list)
            if !list.is_empty() && list.iter().all(|item| item.is_number() && *item == list[0]) =>
        {
            list[0].clone()
        }
        other => other,
    }
}

/// Whether a value is the one of `wanted`, or one of its list.
fn is_one_of(value: &Meta, wanted: &Expr) -> bool {
    let Some(value) = value.to_json().map(one_for_all) else { return false };
    let same = |wanted: &Json| match (value.as_f64(), wanted.as_f64()) {
        (Some(value), Some(wanted)) => value == wanted,
        (None, _) | (_, None) => value == *wanted,
    };
    match wanted {
        Expr::Literal(wanted) => same(wanted),
        Expr::List(list) => list.iter().any(|item| is_literal(item, same)),
        Expr::Formula(_) | Expr::Table(_) => false,
    }
}

fn is_literal(item: &Expr, same: impl Fn(&Json) -> bool) -> bool {
    match item {
        Expr::Literal(wanted) => same(wanted),
        Expr::List(_) | Expr::Formula(_) | Expr::Table(_) => false,
    }
}
