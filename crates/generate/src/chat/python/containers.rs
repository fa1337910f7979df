//! The methods of Python's `list`, `tuple` and `dict` that read; those that write are refused, as transformers' sandbox does.

use minijinja::{Error, Value};

use super::args::{Bound, wrong};

const WRITING: [&str; 12] = [
    "append",
    "extend",
    "insert",
    "remove",
    "pop",
    "clear",
    "sort",
    "reverse",
    "update",
    "setdefault",
    "popitem",
    "add",
];

pub(super) fn of_list(value: &Value, name: &str, args: &[Value]) -> Option<Result<Value, Error>> {
    match name {
        "index" => Some(index(value, args)),
        "copy" => Some(Bound::new(name, &[], args).map(|_| value.clone())),
        name => refused(name, "list"),
    }
}

pub(super) fn of_table(value: &Value, name: &str, args: &[Value]) -> Option<Result<Value, Error>> {
    match name {
        "copy" => Some(Bound::new(name, &[], args).and_then(|_| copy(value))),
        name => refused(name, "table"),
    }
}

fn refused(name: &str, of: &str) -> Option<Result<Value, Error>> {
    let writes = WRITING.contains(&name);
    writes.then(|| Err(wrong(format!("`{name}` would change a {of}, which a chat template may not do"))))
}

fn index(value: &Value, args: &[Value]) -> Result<Value, Error> {
    let bound = Bound::new("index", &["value", "start", "end"], args)?;
    let wanted = bound.given(0).cloned().unwrap_or_default();
    let length = value.len().unwrap_or_default() as i64;
    let place = |at: Option<i64>, default: i64| match at {
        Some(at) if at < 0 => (at + length).max(0),
        Some(at) => at,
        None => default,
    };
    let (start, end) = (place(bound.integer(1)?, 0), place(bound.integer(2)?, length));
    let found = value.try_iter()?.zip(0i64..).find(|(item, at)| *at >= start && *at < end && *item == wanted);
    found.map(|(_, at)| Value::from(at)).ok_or_else(|| wrong(format!("index: {wanted} is not in the list")))
}

fn copy(value: &Value) -> Result<Value, Error> {
    let keys = value.try_iter()?;
    let pairs: Result<Vec<_>, Error> = keys.map(|key| Ok((key.clone(), value.get_item(&key)?))).collect();
    Ok(Value::from_pairs(pairs?))
}
