//! Names of tensors: text in which braces hold a formula, such as `model.layers.{layer}.mlp.up_proj`.

use std::collections::BTreeSet;

use minijinja::value::Value;
use serde_json::Value as Json;

use crate::waist::architecture::{At, By, Per, Suffix};
use crate::written::expr::{Entry, Expr};
use crate::written::formula::Formula;
use crate::written::words;

/// A tensor's name and attributes, as declared.
#[derive(Debug, Clone)]
pub(crate) struct Template {
    parts: Vec<Part>,
    pub(crate) suffix: Suffix,
    pub(crate) by: By,
    pub(crate) per: Per,
    pub(crate) at: At,
}

#[derive(Debug, Clone)]
enum Part {
    Text(String),
    Formula(Formula),
}

impl Template {
    /// Reads `"name"`, or `{ name = "…", suffix = …, by = …, per = …, at = … }`.
    pub(crate) fn of(entry: &Entry) -> Result<Template, String> {
        let wanted = "a tensor is a name, or { name = \"…\" } with suffix, by, per or at";
        let (name, attributes) = match &entry.expr {
            Expr::Literal(Json::String(name)) => (name.clone(), None),
            Expr::Literal(Json::Null) => (String::new(), None),
            Expr::Table(table) => {
                let name = table.get("name").and_then(Expr::text).ok_or(wanted)?;
                (name.to_owned(), Some(table))
            }
            Expr::Literal(_) | Expr::Formula(_) | Expr::List(_) => return Err(wanted.into()),
        };
        let mut template = Template {
            parts: parts(&name)?,
            suffix: Suffix::default(),
            by: By::default(),
            per: Per::default(),
            at: At::default(),
        };
        for (key, value) in attributes.into_iter().flatten() {
            let text =
                value.text().ok_or_else(|| format!("`{key}` must be a word, not {}", value.written()))?;
            match key.as_str() {
                "name" => {}
                "suffix" => template.suffix = word("suffix", text)?,
                "by" => template.by = word("by", text)?,
                "per" => template.per = word("per", text)?,
                "at" => template.at = word("at", text)?,
                _ => {
                    return Err(format!(
                        "`{key}` is no attribute of a tensor; there are name, suffix, by, per, at"
                    ));
                }
            }
        }
        Ok(template)
    }

    /// The dotted names that the name's formulas read.
    pub(crate) fn variables(&self) -> BTreeSet<String> {
        let formulas = self.parts.iter().filter_map(|part| match part {
            Part::Formula(formula) => Some(formula),
            Part::Text(_) => None,
        });
        formulas.flat_map(|formula| formula.variables().clone()).collect()
    }

    /// The name over a context of names.
    pub(crate) fn name(&self, context: &Value) -> Result<String, String> {
        let mut out = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Formula(formula) => match formula.json(context.clone())? {
                    Json::String(text) => out.push_str(&text),
                    Json::Number(number) if number.is_i64() => out.push_str(&number.to_string()),
                    other => {
                        return Err(format!(
                            "{{{}}} gives {other}, which is no part of a name",
                            formula.source()
                        ));
                    }
                },
            }
        }
        Ok(out)
    }
}

fn word<T: serde::de::DeserializeOwned>(key: &str, text: &str) -> Result<T, String> {
    serde_json::from_value(Json::String(text.to_owned())).map_err(|_| {
        let known = words::tensor_attributes().get(key).map(|names| names.join(", ")).unwrap_or_default();
        format!("{key} = \"{text}\": there are {known}")
    })
}

/// Splits a name at its braces. A brace within quotes belongs to the formula.
fn parts(name: &str) -> Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    let mut rest = name;
    while let Some(start) = rest.find('{') {
        parts.push(Part::Text(rest[..start].to_owned()));
        let body = &rest[start + 1..];
        let end = closing(body).ok_or_else(|| format!("\"{name}\": a brace is not closed"))?;
        parts.push(Part::Formula(Formula::parse(&body[..end]).map_err(|e| format!("\"{name}\": {e}"))?));
        rest = &body[end + 1..];
    }
    parts.push(Part::Text(rest.to_owned()));
    Ok(parts)
}

fn closing(body: &str) -> Option<usize> {
    let mut quote = None;
    body.char_indices().find_map(|(at, letter)| {
        match (quote, letter) {
            (None, '}') => return Some(at),
            (None, '\'' | '"') => quote = Some(letter),
            (Some(open), _) if open == letter => quote = None,
            _ => {}
        }
        None
    })
}
