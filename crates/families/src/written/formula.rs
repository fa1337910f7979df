//! Formulas: strings that begin with `=`, written as in a spreadsheet over the keys of config.json.
//!
//! The expression after `=` is Jinja's, which is Python's in all that this field needs: `//`, `**`, `a if b else c`,
//! `key is defined`; and two filters of its own: `x | ln`, the natural logarithm, and `list | rindex(x)`,
//! the place of the last x in a list, or none. Unlike Python, `-2 ** 2` is 4 and `2 ** 3 ** 2` is 64.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use minijinja::value::{Value, ValueKind};
use minijinja::{Environment, UndefinedBehavior};
use serde_json::Value as Json;

/// Steps one formula may take; the longest of the seed takes some thirty.
const FUEL: u64 = 10_000;

/// Characters of one formula; the longest of the seed has some 400.
const LONGEST: usize = 2_000;

/// The evaluator: Jinja's own functions and tests, strict about what is undefined.
static ENGINE: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut engine = Environment::new();
    engine.set_undefined_behavior(UndefinedBehavior::Strict);
    engine.set_fuel(Some(FUEL));
    engine.add_function("refuse", |reason: String| -> Result<Value, minijinja::Error> {
        let kind = minijinja::ErrorKind::InvalidOperation;
        Err(minijinja::Error::new(kind, reason.clone()).with_source(Refused(reason)))
    });
    engine.add_filter("ln", |x: f64| x.ln());
    engine.add_filter("rindex", |list: Vec<Value>, wanted: Value| {
        list.iter().rposition(|value| *value == wanted).map_or(Value::from(()), Value::from)
    });
    engine
});

/// Names in formulas that are functions, not keys of config.json.
const FUNCTIONS: [&str; 3] = ["refuse", "range", "dict"];

/// What a formula says with `refuse('…')` where config.json leaves a doubt: why, and what would settle it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Refused(pub(crate) String);

/// A parsed formula.
#[derive(Debug, Clone, PartialEq)]
pub struct Formula {
    source: String,
    /// Dotted names that the formula reads, such as `rope_scaling.factor`.
    variables: BTreeSet<String>,
}

impl Formula {
    /// Parses the text after `=`.
    ///
    /// # Errors
    /// What Jinja's parser says.
    pub fn parse(source: &str) -> Result<Formula, String> {
        let source = source.trim().to_owned();
        if source.chars().count() > LONGEST {
            return Err(format!("a formula is longer than {LONGEST} characters"));
        }
        let expression = ENGINE.compile_expression(&source).map_err(|error| explain(&error))?;
        let mut variables: BTreeSet<String> = expression.undeclared_variables(true).into_iter().collect();
        variables.retain(|name| !FUNCTIONS.contains(&name.as_str()));
        drop(expression);
        Ok(Formula { source, variables })
    }

    /// The text after `=`.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The dotted names that the formula reads.
    #[must_use]
    pub fn variables(&self) -> &BTreeSet<String> {
        &self.variables
    }

    /// Whether it says itself, with `refuse('…')`, what is wrong.
    pub(crate) fn refuses(&self) -> bool {
        self.source.contains("refuse(")
    }

    /// The names without which the formula may fail: those whose absence it does not ask about.
    pub(crate) fn needs(&self) -> Vec<String> {
        let asks = ["is defined", "is not defined", "| default"];
        let asked = |name: &String| asks.iter().any(|ask| self.source.contains(&format!("{name} {ask}")));
        self.variables.iter().filter(|name| !asked(name)).cloned().collect()
    }

    /// The value over a context of names.
    pub(crate) fn evaluate(&self, context: Value) -> Result<Value, String> {
        let expression = ENGINE.compile_expression(&self.source).map_err(|error| explain(&error))?;
        expression.eval(context).map_err(|error| explain(&error))
    }

    /// Whether the formula holds; an error that it does not raise itself is no. `refuse` is.
    pub(crate) fn holds(&self, context: Value) -> Result<bool, Refused> {
        let Ok(expression) = ENGINE.compile_expression(&self.source) else { return Ok(false) };
        match expression.eval(context) {
            Ok(value) => Ok(value.is_true()),
            Err(error) => refused(&error).map_or(Ok(false), Err),
        }
    }

    /// The value as JSON; an undefined result is an error.
    pub(crate) fn json(&self, context: Value) -> Result<Json, String> {
        to_json(&self.evaluate(context)?)
    }
}

/// The key of config.json under which a dotted name starts.
pub(crate) fn root(name: &str) -> &str {
    name.split('.').next().unwrap_or(name)
}

/// The innermost reason, since Jinja's own texts name templates that nobody wrote.
fn explain(error: &minijinja::Error) -> String {
    let mut text = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        text = inner.downcast_ref::<minijinja::Error>().map_or_else(|| inner.to_string(), explain);
        source = inner.source();
    }
    text
}

fn refused(error: &(dyn std::error::Error + 'static)) -> Option<Refused> {
    match error.downcast_ref::<Refused>() {
        Some(refused) => Some(refused.clone()),
        None => error.source().and_then(refused),
    }
}

fn to_json(value: &Value) -> Result<Json, String> {
    match value.kind() {
        ValueKind::Undefined => {
            Err("the formula gives nothing: an undefined name, or an `if` without `else`".into())
        }
        ValueKind::None => Ok(Json::Null),
        ValueKind::Bool => Ok(Json::Bool(value.is_true())),
        ValueKind::String => Ok(Json::String(value.as_str().unwrap_or_default().to_owned())),
        ValueKind::Number => number(value),
        ValueKind::Seq => elements(value)?.iter().map(to_json).collect(),
        ValueKind::Map => elements(value)?
            .iter()
            .map(|key| {
                let name = key.as_str().ok_or_else(|| format!("the table's key {key} is not a string"))?;
                let entry = value.get_item(key).map_err(|error| explain(&error))?;
                Ok((name.to_owned(), to_json(&entry)?))
            })
            .collect::<Result<serde_json::Map<_, _>, String>>()
            .map(Json::Object),
        kind => Err(format!("the formula gives a value of a kind ({kind}) that no word takes")),
    }
}

fn elements(value: &Value) -> Result<Vec<Value>, String> {
    Ok(value.try_iter().map_err(|error| explain(&error))?.collect())
}

fn number(value: &Value) -> Result<Json, String> {
    if value.is_integer() {
        let integer = i64::try_from(value.clone()).map_err(|_| format!("{value} is out of range"))?;
        return Ok(integer.into());
    }
    let float = f64::try_from(value.clone()).map_err(|error| explain(&error))?;
    serde_json::Number::from_f64(float)
        .map(Json::Number)
        .ok_or_else(|| format!("{float} is not a finite number"))
}

#[cfg(test)]
mod tests {
    use minijinja::value::Serde;

    use super::*;

    #[track_caller]
    fn check(formula: &str, expected: Result<Json, &str>) {
        let context = Value::from(Serde(
            serde_json::json!({ "hidden_size": 64, "heads": 4, "table": { "a": 1 }, "nothing": null }),
        ));
        let got = Formula::parse(formula).and_then(|formula| formula.json(context));
        match expected {
            Ok(expected) => assert_eq!(got, Ok(expected), "{formula}"),
            Err(part) => {
                assert!(got.as_ref().is_err_and(|e| e.contains(part)), "{formula}: {got:?} lacks {part:?}");
            }
        }
    }

    #[test]
    fn formulas_are_evaluated_as_python_would() {
        check("hidden_size // heads", Ok(16.into()));
        check("16 ** -0.5", Ok(0.25.into()));
        check("'rope' if heads > 2 else 'alibi'", Ok("rope".into()));
        check(
            "{'rope_type': 'linear', 'factor': heads}",
            Ok(serde_json::json!({ "rope_type": "linear", "factor": 4 })),
        );
        check("none", Ok(Json::Null));
        check("table", Ok(serde_json::json!({ "a": 1 })));
        check("[heads, 1.5]", Ok(serde_json::json!([4, 1.5])));
        check("absent is defined", Ok(false.into()));
    }

    #[test]
    fn what_is_undefined_or_unbounded_is_an_error() {
        check("absent", Err("nothing"));
        check("absent * 2", Err("undefined"));
        check("1 if heads > 9", Err("nothing"));
        check("{'a': absent}", Err("nothing"));
        check("heads +", Err("unexpected"));
        check("10 ** 400", Err(""));
        check("1 / 0", Err(""));
        check("10.0 ** 400", Err("finite"));
    }

    #[test]
    fn the_names_a_formula_reads_are_known_before_it_runs() {
        let formula = Formula::parse("a.b if c is defined else layer").expect("it parses");
        assert_eq!(formula.variables().iter().map(String::as_str).collect::<Vec<_>>(), ["a.b", "c", "layer"]);
    }

    #[test]
    fn a_formula_has_at_most_2000_characters_within_its_blanks() {
        let refusal = Err("a formula is longer than 2000 characters".to_owned());
        for letter in ["a", "é", "語"] {
            let long = |characters: usize| format!("  '{}'  ", letter.repeat(characters - 2));
            let taken = Formula::parse(&long(2_000)).map(|formula| formula.source().chars().count());
            assert_eq!(taken, Ok(2_000), "{letter}");
            assert_eq!(Formula::parse(&long(2_001)), refusal, "{letter}");
        }
    }
}
