//! `'%s: %5.2f' % (name, value)`.

use minijinja::formatting::{FormatStyle, format};
use minijinja::value::ValueKind;
use minijinja::{Error, Value};

use super::args::wrong;
use super::number;
use super::text::WIDEST;

/// A format with its values: those of a tuple by place, those of a table by name, or a single one.
pub(super) fn formatted(text: &str, values: &Value) -> Result<String, Error> {
    let args: Vec<Value> =
        if values.is_tuple() { values.try_iter()?.collect() } else { vec![values.clone()] };
    bounded(text, &args)?;
    if values.kind() == ValueKind::Map {
        return format(FormatStyle::Printf, text, &args);
    }
    let mut waiting = args.iter();
    let mut take = || {
        let value = waiting.next().cloned();
        value.ok_or_else(|| wrong(format!("{text:?} asks for more values than {}", args.len())))
    };
    let mut values = Vec::new();
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..=at]);
        let spec = &rest[at + 1..];
        let is_flag = |letter: char| matches!(letter, '#' | '0'..='9' | '-' | ' ' | '+' | '.' | '*');
        let flags = &spec[..spec.find(|letter| !is_flag(letter)).unwrap_or(spec.len())];
        let letter =
            spec[flags.len()..].chars().next().ok_or_else(|| wrong(format!("{text:?} ends within a %")))?;
        let mut flags_left = flags;
        while let Some((before, after)) = flags_left.split_once('*') {
            out.push_str(before);
            out.push_str(&take()?.to_string());
            flags_left = after;
        }
        out.push_str(flags_left);
        if letter != '%' {
            let value = take()?;
            values.push(as_asked(value, letter));
        }
        out.push(if matches!(letter, 'r' | 'a') { 's' } else { letter });
        rest = &spec[flags.len() + letter.len_utf8()..];
    }
    out.push_str(rest);
    if waiting.next().is_some() {
        return Err(wrong(format!("{text:?} asks for fewer values than {}", args.len())));
    }
    format(FormatStyle::Printf, &out, &values)
}

/// A value as its conversion takes it: quoted by `%r`, cut to a whole number by `%d`.
fn as_asked(value: Value, kind: char) -> Value {
    match (kind, number::as_float(&value)) {
        ('d' | 'i' | 'u', Some(float)) if float.is_finite() => Value::from(float as i128),
        ('s', Some(float)) => Value::from(number::float(float)),
        ('r' | 'a', Some(float)) => Value::from(number::float(float)),
        ('r' | 'a', None) => {
            // As it is printed within a list.
            let list = Value::from(vec![value]).to_string();
            Value::from(list.get(1..list.len() - 1).unwrap_or_default())
        }
        _ => value,
    }
}

/// Refuses widths that would fill the memory.
fn bounded(text: &str, args: &[Value]) -> Result<(), Error> {
    let is_wide = |width: &Value| width.as_i64().is_some_and(|width| width.abs() > WIDEST);
    let digits = text.split(|letter: char| !letter.is_ascii_digit()).any(|digits| digits.len() > 6);
    if digits || (text.contains('*') && args.iter().any(is_wide)) {
        return Err(wrong(format!("a width of more than {WIDEST} in a format")));
    }
    Ok(())
}
