//! How a declaration reads config.json: rename, then require and refuse what nothing reads.

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json};

use crate::error::Problem;
use crate::written::declaration::Declaration;
use crate::written::expr::Expr;
use crate::written::formula::Formula;
use crate::written::formula::root;

/// Takes a text model's table out of a larger one's, and moves older and newer spellings to those that the formulas read. A table that is emptied vanishes.
pub(crate) fn rename(
    declaration: &Declaration,
    config: &Map<String, Json>,
) -> (Map<String, Json>, Vec<Problem>) {
    let mut config = declaration.unwrap.config(config);
    let mut problems = Vec::new();
    for (from, entry) in &declaration.rename {
        let to = entry.expr.text().unwrap_or(from);
        let Some(value) = take(&mut config, from) else { continue };
        match look(&config, to) {
            None | Some(Json::Null) => put(&mut config, to, value),
            Some(there) if *there == value || value.is_null() => {}
            // Nobody reads it, so it does not matter which of the two is right.
            Some(_) if inert(declaration, to) => {}
            Some(there) => {
                let message = format!(
                    "`{from}` = {value} and `{to}` = {there} say the same thing differently; remove the one that is wrong"
                );
                problems.push(Problem::Renamed { message });
            }
        }
    }
    (config, problems)
}

fn inert(declaration: &Declaration, key: &str) -> bool {
    let matches = |text: &String| glob::Pattern::new(text).is_ok_and(|glob| glob.matches(key));
    !declaration.require.contains_key(key)
        && !declaration.reads().contains(key)
        && declaration.inert_keys.iter().any(matches)
}

/// Every glob of keys that are inert in this config.json.
fn globs(declaration: &Declaration, config: &Map<String, Json>) -> Vec<glob::Pattern> {
    let context = minijinja::Value::from(minijinja::value::Serde(config));
    let holds = |condition: &Formula| condition.evaluate(context.clone()).is_ok_and(|value| value.is_true());
    let here =
        declaration.inert_when.iter().filter(|(condition, _)| holds(condition)).flat_map(|(_, keys)| keys);
    let all = declaration.inert_keys.iter().chain(here);
    all.filter_map(|text| glob::Pattern::new(text).ok()).collect()
}

/// Takes out what is inert, or waved through, within a table, so that the rest of the table can be read whole.
pub(crate) fn strip(declaration: &Declaration, config: &mut Map<String, Json>, allowed: &[String]) {
    for path in declaration.inert_keys.iter().chain(allowed).filter(|path| path.contains('.')) {
        take(config, path);
    }
}

/// Refuses every key that is neither read, nor required, nor inert, save those that the user waved through.
pub(crate) fn refuse(
    declaration: &Declaration,
    config: &Map<String, Json>,
    allowed: &[String],
) -> Vec<Problem> {
    let reads = declaration.reads();
    let inert = globs(declaration, config);
    let mut problems = Vec::new();
    let refusal = Refusal { declaration, reads: &reads, inert: &inert, allowed };
    for (key, value) in config {
        refusal.check(key, value, &mut problems);
    }
    for name in declaration.lets.keys().filter(|name| config.contains_key(*name)) {
        let message = format!("`{name}` is a name that the declaration uses for itself");
        problems.push(Problem::Renamed { message });
    }
    problems
}

struct Refusal<'a> {
    declaration: &'a Declaration,
    reads: &'a BTreeSet<String>,
    inert: &'a [glob::Pattern],
    allowed: &'a [String],
}

impl Refusal<'_> {
    fn check(&self, key: &str, value: &Json, problems: &mut Vec<Problem>) {
        if self.reads.contains(key) || self.allowed.iter().any(|allowed| allowed == key) {
            return;
        }
        if let Some(entry) = self.declaration.require.get(key) {
            if !value.is_null() && !allows(&entry.expr, value) {
                let required = format!("{} ({})", entry.expr.written(), entry.origin);
                problems.push(Problem::Required { key: key.into(), value: value.to_string(), required });
            }
            return;
        }
        if self.inert.iter().any(|glob| glob.matches(key)) {
            return;
        }
        // A table of which only parts are read is checked part by part.
        let within = format!("{key}.");
        if let (Json::Object(table), true) = (value, self.reads.iter().any(|name| name.starts_with(&within)))
        {
            for (part, value) in table {
                self.check(&format!("{within}{part}"), value, problems);
            }
            return;
        }
        let null_of_a_read_table = value.is_null() && self.reads.iter().any(|name| root(name) == key);
        if !null_of_a_read_table {
            problems.push(Problem::UnknownKey { key: key.into(), value: value.to_string() });
        }
    }
}

fn allows(required: &Expr, value: &Json) -> bool {
    match required {
        Expr::Literal(one) => same(one, value),
        Expr::List(many) => many.iter().any(|one| allows(one, value)),
        Expr::Table(table) if table.is_empty() => value.as_object().is_some_and(Map::is_empty),
        Expr::Formula(_) | Expr::Table(_) => false,
    }
}

/// Equal, where 1 and 1.0 are.
fn same(a: &Json, b: &Json) -> bool {
    a == b || matches!((a.as_f64(), b.as_f64()), (Some(a), Some(b)) if a == b)
}

fn look<'a>(config: &'a Map<String, Json>, path: &str) -> Option<&'a Json> {
    let mut keys = path.split('.');
    let first = config.get(keys.next()?)?;
    keys.try_fold(first, |value, key| value.as_object()?.get(key))
}

fn take(config: &mut Map<String, Json>, path: &str) -> Option<Json> {
    match path.split_once('.') {
        None => config.shift_remove(path),
        Some((key, rest)) => {
            let table = config.get_mut(key)?.as_object_mut()?;
            let value = take(table, rest)?;
            if table.is_empty() {
                config.shift_remove(key);
            }
            Some(value)
        }
    }
}

fn put(config: &mut Map<String, Json>, path: &str, value: Json) {
    match path.split_once('.') {
        None => {
            config.insert(path.to_owned(), value);
        }
        Some((key, rest)) => {
            let table = config.entry(key).or_insert_with(|| Json::Object(Map::new()));
            if table.is_null() {
                *table = Json::Object(Map::new());
            }
            if let Json::Object(table) = table {
                put(table, rest, value);
            }
        }
    }
}
