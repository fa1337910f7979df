//! Values of a declaration as written: literals, formulas, and lists and tables of them.

use indexmap::IndexMap;
use minijinja::value::Value;
use serde_json::Value as Json;
use toml::de::DeValue;

use crate::error::Origin;
use crate::written::formula::Formula;

/// A value as written in a family's file.
#[derive(Debug, Clone, PartialEq)]
pub enum Expr {
    /// A number, a truth value, or a string that is no formula. The string `none` stands for null, which TOML lacks.
    Literal(Json),
    /// A string that begins with `=`.
    Formula(Formula),
    /// A list, each element of which may be a formula.
    List(Vec<Expr>),
    /// An inline table, each value of which may be a formula.
    Table(IndexMap<String, Expr>),
}

/// A value with the place where it was written.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The value.
    pub expr: Expr,
    /// The file and line.
    pub origin: Origin,
}

impl Expr {
    /// Reads a TOML value.
    pub(crate) fn read(value: &DeValue<'_>) -> Result<Expr, String> {
        match value {
            DeValue::String(text) => match text.strip_prefix('=') {
                Some(formula) => {
                    Formula::parse(formula).map(Expr::Formula).map_err(|e| format!("\"{text}\": {e}"))
                }
                None if text == "none" => Ok(Expr::Literal(Json::Null)),
                None => Ok(Expr::Literal(text.as_ref().into())),
            },
            DeValue::Integer(integer) => i64::from_str_radix(integer.as_str(), integer.radix())
                .map(|integer| Expr::Literal(integer.into()))
                .map_err(|_| format!("{} is out of range for an integer", integer.as_str())),
            DeValue::Float(float) => {
                let parsed = float.as_str().parse::<f64>().ok().and_then(serde_json::Number::from_f64);
                let number = parsed.ok_or_else(|| format!("{} is not a finite number", float.as_str()))?;
                Ok(Expr::Literal(Json::Number(number)))
            }
            DeValue::Boolean(truth) => Ok(Expr::Literal(Json::Bool(*truth))),
            DeValue::Datetime(date) => Err(format!("{date}: no word takes a date; write it as a string")),
            DeValue::Array(list) => {
                list.iter().map(|v| Expr::read(v.get_ref())).collect::<Result<_, _>>().map(Expr::List)
            }
            DeValue::Table(table) => table
                .iter()
                .map(|(key, value)| Ok((key.get_ref().to_string(), Expr::read(value.get_ref())?)))
                .collect::<Result<_, _>>()
                .map(Expr::Table),
        }
    }

    /// Every formula within, in the order written.
    pub(crate) fn formulas(&self) -> Vec<&Formula> {
        match self {
            Expr::Literal(_) => Vec::new(),
            Expr::Formula(formula) => vec![formula],
            Expr::List(list) => list.iter().flat_map(Expr::formulas).collect(),
            Expr::Table(table) => table.values().flat_map(Expr::formulas).collect(),
        }
    }

    /// The value over a context of names. Null entries of a table are left out: null is how a key is taken away.
    pub(crate) fn json(&self, context: &Value) -> Result<Json, String> {
        match self {
            Expr::Literal(json) => Ok(json.clone()),
            Expr::Formula(formula) => formula.json(context.clone()),
            Expr::List(list) => list.iter().map(|expr| expr.json(context)).collect(),
            Expr::Table(table) => {
                let mut out = serde_json::Map::new();
                for (key, expr) in table {
                    let value = expr.json(context).map_err(|message| format!("{key}: {message}"))?;
                    if !value.is_null() {
                        out.insert(key.clone(), value);
                    }
                }
                Ok(Json::Object(out))
            }
        }
    }

    /// As in a family's file, for messages and for `describe`.
    #[must_use]
    pub fn written(&self) -> String {
        match self {
            Expr::Literal(Json::Null) => "\"none\"".into(),
            Expr::Literal(json) => json.to_string(),
            Expr::Formula(formula) => Json::from(format!("= {}", formula.source())).to_string(),
            Expr::List(list) => {
                format!("[{}]", list.iter().map(Expr::written).collect::<Vec<_>>().join(", "))
            }
            Expr::Table(table) => {
                let fields: Vec<_> =
                    table.iter().map(|(key, expr)| format!("{} = {}", quoted(key), expr.written())).collect();
                format!("{{ {} }}", fields.join(", "))
            }
        }
    }

    /// The formula, where it is one as a whole.
    #[must_use]
    pub fn formula(&self) -> Option<&Formula> {
        match self {
            Expr::Formula(formula) => Some(formula),
            Expr::Literal(_) | Expr::List(_) | Expr::Table(_) => None,
        }
    }

    /// The string, where it is a literal one.
    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Expr::Literal(json) => json.as_str(),
            Expr::Formula(_) | Expr::List(_) | Expr::Table(_) => None,
        }
    }

    /// The strings, where it is a list of literal ones.
    pub(crate) fn texts(&self) -> Option<Vec<&str>> {
        match self {
            Expr::List(list) => list.iter().map(Expr::text).collect(),
            Expr::Literal(_) | Expr::Formula(_) | Expr::Table(_) => None,
        }
    }
}

/// A key as TOML takes it.
fn quoted(key: &str) -> String {
    let bare = key.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_' || letter == '-');
    if bare && !key.is_empty() { key.to_owned() } else { Json::from(key).to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_as_the_same() {
        let lines = [
            r#"x = "= 'a' if kind == \"b\" else \"c\\d\"""#,
            r#"x = "a \"quoted\" \\ text""#,
            r#"x = ["= layer", 1, 2.5, true, "none", { "<s>" = 1, b-c = "= '\"'" }]"#,
            "x = '''= \"two\nlines\"'''",
        ];
        let read = |line: &str| {
            let document = toml::de::DeTable::parse(line).unwrap_or_else(|error| panic!("{line}: {error}"));
            Expr::read(document.get_ref()["x"].get_ref()).unwrap_or_else(|error| panic!("{line}: {error}"))
        };
        for line in lines {
            let expr = read(line);
            assert_eq!(read(&format!("x = {}", expr.written())), expr, "{line}");
        }
    }
}
