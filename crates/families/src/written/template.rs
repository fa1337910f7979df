//! Names of tensors: text in which braces hold a formula, such as `model.layers.{layer}.mlp.up_proj`; or a formula that
//! gives such a text, or none where the tensor is not there.

use std::collections::BTreeSet;

use minijinja::value::Value;
use serde_json::Value as Json;

use crate::waist::architecture::{At, By, HEAD, Per};
use crate::written::expr::{Entry, Expr};
use crate::written::formula::Formula;
use crate::written::words;

/// A tensor's name and attributes, as declared.
#[derive(Debug, Clone)]
pub(crate) struct Template {
    name: Name,
    pub(crate) by: By,
    pub(crate) per: Per,
    pub(crate) at: At,
}

#[derive(Debug, Clone)]
enum Name {
    Parts(Vec<Part>),
    /// A formula that gives the text, or none.
    Choice(Formula),
}

#[derive(Debug, Clone)]
enum Part {
    Text(String),
    Formula(Formula),
}

impl Template {
    /// Reads `"name"`, or `{ name = "…", by = …, per = …, at = … }`.
    pub(crate) fn of(entry: &Entry) -> Result<Template, String> {
        let wanted = "a tensor is a name, or { name = \"…\" } with by, per or at";
        let (name, attributes) = match &entry.expr {
            Expr::Table(table) => (table.get("name").ok_or(wanted)?, Some(table)),
            expr => (expr, None),
        };
        let name = match name {
            Expr::Literal(Json::String(name)) => Name::Parts(parts(name)?),
            Expr::Literal(Json::Null) => Name::Parts(Vec::new()),
            Expr::Formula(formula) => Name::Choice(formula.clone()),
            Expr::Literal(_) | Expr::List(_) | Expr::Table(_) => return Err(wanted.into()),
        };
        let mut template = Template { name, by: By::Rows, per: Per::Head, at: At::BeforeRope };
        for (key, value) in attributes.into_iter().flatten().filter(|(key, _)| *key != "name") {
            let text =
                value.text().ok_or_else(|| format!("`{key}` must be a word, not {}", value.written()))?;
            match key.as_str() {
                "by" => template.by = word("by", text)?,
                "per" => template.per = word("per", text)?,
                "at" => template.at = word("at", text)?,
                _ => return Err(format!("`{key}` is no attribute of a tensor; there are name, by, per, at")),
            }
        }
        Ok(template)
    }

    /// The dotted names that the name's formulas read.
    pub(crate) fn variables(&self) -> BTreeSet<String> {
        match &self.name {
            Name::Parts(parts) => read(parts),
            // The texts that it may give stand in it, braces and all.
            Name::Choice(formula) => {
                let within = formula.source().split('\'').skip(1).step_by(2);
                let within = within.filter_map(|text| parts(text).ok()).flat_map(|parts| read(&parts));
                within.chain(formula.variables().clone()).collect()
            }
        }
    }

    /// The name over a context of names; none where the tensor is not there. [`HEAD`] stays as it is.
    pub(crate) fn name(&self, context: &Value) -> Result<Option<String>, String> {
        let formula = match &self.name {
            Name::Parts(parts) => return written(parts, context).map(Some),
            Name::Choice(formula) => formula,
        };
        match formula.json(context.clone())? {
            Json::Null => Ok(None),
            Json::String(text) => written(&parts(&text)?, context).map(Some),
            other => Err(format!("\"= {}\" gives {other}, which is no name of a tensor", formula.source())),
        }
    }
}

fn written(parts: &[Part], context: &Value) -> Result<String, String> {
    let mut out = String::new();
    for part in parts {
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

/// The dotted names that the formulas of a name read.
fn read(parts: &[Part]) -> BTreeSet<String> {
    let formulas = parts.iter().filter_map(|part| match part {
        Part::Formula(formula) => Some(formula),
        Part::Text(_) => None,
    });
    formulas.flat_map(|formula| formula.variables().clone()).collect()
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
        if body[..end].trim() == "head" {
            parts.push(Part::Text(HEAD.to_owned()));
        } else {
            parts.push(Part::Formula(Formula::parse(&body[..end]).map_err(|e| format!("\"{name}\": {e}"))?));
        }
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
