//! Names of tensors: text in which braces hold a formula, such as `model.layers.{layer}.mlp.up_proj`; or a formula that
//! gives such a text, or none where the tensor is not there.

use std::collections::BTreeSet;

use indexmap::IndexMap;
use minijinja::value::Value;
use serde_json::Value as Json;

use crate::waist::named::{At, By, Lies, Named, Per, Suffix};
use crate::waist::roles::Role;
use crate::written::expr::{Entry, Expr};
use crate::written::formula::Formula;
use crate::written::words;

/// A tensor's name and attributes, as declared.
#[derive(Debug, Clone)]
pub(crate) struct Template {
    name: Name,
    by: By,
    per: Per,
    at: At,
    lies: Lies,
    suffix: Suffix,
    /// `when`, `unit`, `eps`, `offset`, `factor`: what may be a formula.
    values: IndexMap<String, Expr>,
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
    /// Reads `"name"`, or `{ name = "…", by = …, … }`; a norm that is `unit` has no name.
    pub(crate) fn of(entry: &Entry) -> Result<Template, String> {
        let wanted = "a tensor is a name, or { name = \"…\" } with attributes";
        let (name, attributes) = match &entry.expr {
            Expr::Table(table) if !table.contains_key("name") && table.contains_key("unit") => {
                (&Expr::Literal(Json::Null), Some(table))
            }
            Expr::Table(table) => (table.get("name").ok_or(wanted)?, Some(table)),
            expr => (expr, None),
        };
        let name = match name {
            Expr::Literal(Json::String(name)) => Name::Parts(parts(name)?),
            Expr::Literal(Json::Null) => Name::Parts(Vec::new()),
            Expr::Formula(formula) => Name::Choice(formula.clone()),
            Expr::Literal(_) | Expr::List(_) | Expr::Table(_) => return Err(wanted.into()),
        };
        let mut template = Template {
            name,
            by: By::default(),
            per: Per::default(),
            at: At::default(),
            lies: Lies::default(),
            suffix: Suffix::default(),
            values: IndexMap::new(),
        };
        for (key, value) in attributes.into_iter().flatten().filter(|(key, _)| *key != "name") {
            template.attribute(key, value)?;
        }
        Ok(template)
    }

    fn attribute(&mut self, key: &str, value: &Expr) -> Result<(), String> {
        let known = words::tensor_attributes();
        match key {
            "when" | "unit" | "eps" | "offset" | "factor" => {
                self.values.insert(key.to_owned(), value.clone());
                return Ok(());
            }
            _ if !known.contains_key(key) => {
                let known: Vec<_> = known.keys().copied().collect();
                let message = format!("`{key}` is no attribute of a tensor; there are name, ");
                return Err(message + &known.join(", "));
            }
            _ => {}
        }
        // The word `none` is null everywhere else.
        let text = match value {
            Expr::Literal(Json::Null) => "none",
            _ => value.text().ok_or_else(|| format!("`{key}` must be a word, not {}", value.written()))?,
        };
        match key {
            "suffix" => self.suffix = word("suffix", text)?,
            "by" => self.by = word("by", text)?,
            "per" => self.per = word("per", text)?,
            "at" => self.at = word("at", text)?,
            _ => self.lies = word("lies", text)?,
        }
        Ok(())
    }

    /// The tensor over a context of names; none where `when` says that there is none, or a norm that is not `unit` has no name.
    pub(crate) fn named(&self, roles: &[Role], context: &Value) -> Result<Option<Named>, String> {
        if !self.truth("when", context)?.unwrap_or(true) {
            return Ok(None);
        }
        let unit = self.truth("unit", context)?.unwrap_or(false);
        let name = if unit { String::new() } else { self.name(context)? };
        if !unit && name.is_empty() {
            return Ok(None);
        }
        if unit && !roles.iter().all(|role| role.is_norm()) {
            return Err("only a norm can be without a weight".into());
        }
        let &Template { name: _, by, per, at, lies, suffix, values: _ } = self;
        Ok(Some(Named {
            roles: roles.to_vec(),
            name,
            bias: false,
            by,
            per,
            at,
            suffix,
            lies,
            unit,
            eps: self.number("eps", context)?,
            offset: self.number("offset", context)?,
            factor: self.number("factor", context)?.unwrap_or(1.0),
        }))
    }

    fn truth(&self, key: &str, context: &Value) -> Result<Option<bool>, String> {
        match self.value(key, context)? {
            Json::Null => Ok(None),
            Json::Bool(truth) => Ok(Some(truth)),
            other => Err(format!("`{key}` is {other}, which is neither true nor false")),
        }
    }

    fn number(&self, key: &str, context: &Value) -> Result<Option<f64>, String> {
        match self.value(key, context)? {
            Json::Null => Ok(None),
            other => {
                other.as_f64().map(Some).ok_or_else(|| format!("`{key}` is {other}, which is no number"))
            }
        }
    }

    fn value(&self, key: &str, context: &Value) -> Result<Json, String> {
        self.values.get(key).map_or(Ok(Json::Null), |expr| {
            expr.json(context).map_err(|message| format!("{message}, in {key} = {}", expr.written()))
        })
    }

    /// The dotted names that the name's formulas read.
    pub(crate) fn variables(&self) -> BTreeSet<String> {
        let named = match &self.name {
            Name::Parts(parts) => read(parts),
            // The texts that it may give stand in it, braces and all.
            Name::Choice(formula) => {
                let within = formula.source().split('\'').skip(1).step_by(2);
                let within = within.filter_map(|text| parts(text).ok()).flat_map(|parts| read(&parts));
                within.chain(formula.variables().clone()).collect()
            }
        };
        let attributes = self.values.values().flat_map(Expr::formulas);
        let attributes = attributes.flat_map(|formula| formula.variables().clone());
        named.into_iter().chain(attributes).filter(|name| name != "expert" && name != "head").collect()
    }

    /// The name over a context of names; empty where the tensor is not there.
    pub(crate) fn name(&self, context: &Value) -> Result<String, String> {
        let formula = match &self.name {
            Name::Parts(parts) => return written(parts, context),
            Name::Choice(formula) => formula,
        };
        match formula.json(context.clone())? {
            Json::Null => Ok(String::new()),
            Json::String(text) => written(&parts(&text)?, context),
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
