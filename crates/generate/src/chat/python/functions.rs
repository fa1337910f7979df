//! The functions that transformers' environment has beside Jinja's, and what operators become.

use minijinja::value::{Kwargs, Rest, ValueKind, from_args};
use minijinja::{Error, Value, functions};

use super::args::wrong;
use super::{number, printf};

pub(in crate::chat) fn raise(message: String) -> Result<String, Error> {
    Err(wrong(format!("the template refuses: {message}")))
}

pub(in crate::chat) fn now(format: &str) -> Result<String, Error> {
    let wrong = |error| wrong(format!("strftime_now({format:?}): {error}"));
    jiff::fmt::strtime::format(format, &jiff::ZonedDateTime::now()).map_err(wrong)
}

/// Python's `%`: a text is a format, and all else has a remainder.
pub(in crate::chat) fn percent(left: Value, right: Value) -> Result<Value, Error> {
    match left.as_str() {
        Some(text) => printf::formatted(text, &right).map(Value::from),
        None => remainder(&left, &right),
    }
}

fn remainder(left: &Value, right: &Value) -> Result<Value, Error> {
    let whole = |value: &Value| {
        (value.is_integer() || value.kind() == ValueKind::Bool)
            .then(|| i128::try_from(value.clone()).ok())
            .flatten()
    };
    let refused = || wrong(format!("{} % {}: there is no remainder of these", left.kind(), right.kind()));
    if let (Some(left), Some(right)) = (whole(left), whole(right)) {
        let rest =
            left.checked_rem(right).ok_or_else(|| wrong(format!("{left} % {right}: division by zero")))?;
        let below = rest != 0 && (rest < 0) != (right < 0);
        return Ok(Value::from(if below { rest + right } else { rest }));
    }
    let float = |value: &Value| number::as_float(value).or_else(|| whole(value).map(|whole| whole as f64));
    let (left, right) = (float(left).ok_or_else(refused)?, float(right).ok_or_else(refused)?);
    if right == 0.0 {
        return Err(wrong(format!("{left} % {right}: division by zero")));
    }
    let rest = left % right;
    Ok(Value::from(if rest != 0.0 && (rest < 0.0) != (right < 0.0) { rest + right } else { rest }))
}

/// What a loop goes over: everything but none, and of a known length, so that the last knows it is the last.
pub(in crate::chat) fn each(list: Value) -> Result<Value, Error> {
    if let Some(text) = list.as_str() {
        return Ok(text.chars().map(String::from).map(Value::from).collect());
    }
    if list.is_none() { Err(wrong("a loop over none")) } else { Ok(list) }
}

/// `dict(a=1)`, `dict(table, a=1)`, `dict([('a', 1)])`.
pub(in crate::chat) fn dict(value: Option<Value>, named: Kwargs) -> Result<Value, Error> {
    let pairs = value.as_ref().filter(|value| matches!(value.kind(), ValueKind::Seq | ValueKind::Iterable));
    let Some(pairs) = pairs else { return functions::dict(value, named) };
    let pair = |pair: Value| -> Result<(Value, Value), Error> {
        let parts: Vec<Value> = pair.try_iter()?.collect();
        let parts: Result<[Value; 2], _> = parts.try_into();
        parts.map(Into::into).map_err(|_| wrong(format!("dict: {pair} is no pair")))
    };
    let pairs: Result<Vec<_>, Error> = pairs.try_iter()?.map(pair).collect();
    functions::dict(Some(Value::from_pairs(pairs?)), named)
}

/// `namespace(a=1)`, `namespace(table, a=1)`.
pub(in crate::chat) fn namespace(Rest(tables): Rest<Value>, named: Kwargs) -> Result<Value, Error> {
    let table = functions::dict(tables.into_iter().next(), named)?;
    let args = [table];
    let (defaults,) = from_args(&args)?;
    functions::namespace(defaults)
}
