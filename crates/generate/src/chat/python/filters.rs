//! Filters and tests of Jinja that the engine lacks, or has otherwise.

use std::fmt::{self, Write as _};

use minijinja::value::{Kwargs, Rest, ValueKind};
use minijinja::{Environment, Error, State, Value, filters, tests};
use minijinja_contrib::{filters as more, globals};

use super::args::{Bound, room, wrong};
use super::text::joined;
use super::{functions, json, number, text};

/// Adds them all.
pub(in crate::chat) fn add(environment: &mut Environment<'_>) {
    environment.add_filter("tojson", |value: Value, Rest(args): Rest<Value>, named: Kwargs| {
        json::to_json(&value, args, &named)
    });
    environment.add_filter("trim", trim);
    environment.add_filter("default", default);
    environment.add_filter("d", default);
    environment.add_filter("int", int);
    environment.add_filter("float", float);
    environment.add_filter("string", |value: Value| printed(&value));
    environment.add_filter("indent", indent);
    environment.add_filter("dictsort", dictsort);
    environment.add_filter("center", center);
    environment.add_filter("list", list);
    environment.add_filter("join", join);
    environment.add_filter("pprint", |value: Value| printed(&value));
    environment.add_filter("forceescape", |state: &mut State<'_, '_>, value: Value| {
        filters::escape(state, &Value::from(printed(&value)?))
    });
    environment.add_filter("wordcount", wordcount);
    environment.add_filter("striptags", more::striptags);
    environment.add_filter("truncate", truncate);
    environment.add_filter("filesizeformat", more::filesizeformat);
    environment.add_function("cycler", |Rest(items): Rest<Value>| globals::cycler(items));
    environment.add_function("joiner", globals::joiner);
    environment.add_function("dict", functions::dict);
    environment.add_function("namespace", functions::namespace);
    environment.add_test("iterable", |value: Value| !value.is_none() && tests::is_iterable(&value));
    environment.add_test("sequence", is_sequence);
    environment.add_test("callable", |value: Value| value.kind() == ValueKind::Plain);
    environment.add_test("odd", |value: Value| parity(&value).map(|rest| rest == 1));
    environment.add_test("even", |value: Value| parity(&value).map(|rest| rest == 0));
}

/// A value as `{{ … }}` prints it, refused where that is a text without end.
pub(in crate::chat) fn printed(value: &Value) -> Result<String, Error> {
    if let Some(text) = value.as_str() {
        return Ok(text.to_owned());
    }
    if let Some(float) = number::as_float(value) {
        return Ok(number::float(float));
    }
    let mut out = Limited(String::new());
    match write!(out, "{value}") {
        Ok(()) => Ok(out.0),
        Err(_) => Err(room(usize::MAX).err().unwrap_or_else(|| wrong("a value can't be printed"))),
    }
}

/// A text that stops growing.
struct Limited(String);

impl fmt::Write for Limited {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        room(self.0.len() + text.len()).map_err(|_| fmt::Error)?;
        self.0.push_str(text);
        Ok(())
    }
}

fn trim(value: Value, Rest(args): Rest<Value>, named: Kwargs) -> Result<String, Error> {
    let bound = Bound::of("trim", &["chars"], args, &named)?;
    Ok(text::stripped(&printed(&value)?, bound.text(0)?, true, true).to_owned())
}

fn default(value: Value, Rest(args): Rest<Value>, named: Kwargs) -> Result<Value, Error> {
    let bound = Bound::of("default", &["default_value", "boolean"], args, &named)?;
    let missing = value.is_undefined() || (bound.truth(1) && !value.is_true());
    Ok(if missing { bound.any(0).unwrap_or_else(|| Value::from("")) } else { value })
}

/// `int(default=0, base=10)`: what is no number is the default.
fn int(value: Value, Rest(args): Rest<Value>, named: Kwargs) -> Result<Value, Error> {
    let bound = Bound::of("int", &["default", "base"], args, &named)?;
    let otherwise = bound.any(0).unwrap_or_else(|| Value::from(0));
    let base = bound.integer(1)?.unwrap_or(10);
    let Some(text) = value.as_str() else {
        if value.kind() == ValueKind::Bool {
            return Ok(Value::from(i64::from(value.is_true())));
        }
        let whole = number::as_float(&value)
            .filter(|float| float.is_finite())
            .map(|float| Value::from(float as i128));
        return Ok(whole.unwrap_or(if value.is_integer() { value } else { otherwise }));
    };
    let digits = number::cleaned(text).unwrap_or_default();
    let (sign, plain) = digits.strip_prefix('-').map_or((1, digits.as_str()), |rest| (-1, rest));
    let prefix = match base {
        2 => "0b",
        8 => "0o",
        16 => "0x",
        _ => "",
    };
    let plain = plain.strip_prefix(prefix).unwrap_or(plain);
    let whole = u32::try_from(base).ok().filter(|base| (2..=36).contains(base));
    let whole = whole.and_then(|base| i128::from_str_radix(plain, base).ok()).map(|whole| sign * whole);
    let float = || digits.parse::<f64>().ok().filter(|float| float.is_finite()).map(|float| float as i128);
    Ok(whole.or_else(float).map_or(otherwise, Value::from))
}

fn float(value: Value, Rest(args): Rest<Value>, named: Kwargs) -> Result<Value, Error> {
    let bound = Bound::of("float", &["default"], args, &named)?;
    let read = match (value.as_str(), value.kind()) {
        (Some(text), _) => number::cleaned(text).and_then(|text| text.parse::<f64>().ok()),
        (None, ValueKind::Bool) => Some(f64::from(u8::from(value.is_true()))),
        (None, _) => f64::try_from(value.clone()).ok(),
    };
    Ok(read.map_or_else(|| bound.any(0).unwrap_or_else(|| Value::from(0.0)), Value::from))
}

/// `indent(width=4, first=False, blank=False)`, where a width may be a text.
fn indent(value: Value, Rest(args): Rest<Value>, named: Kwargs) -> Result<String, Error> {
    let bound = Bound::of("indent", &["width", "first", "blank"], args, &named)?;
    let width = match bound.given(0).and_then(Value::as_str) {
        Some(text) => text.to_owned(),
        None => " ".repeat(bound.integer(0)?.unwrap_or(4).clamp(0, 1 << 16) as usize),
    };
    let source = printed(&value)? + "\n"; // as Jinja does it, so that an end of line stays one
    let lines: Vec<&str> = source.lines().collect();
    room(source.len().saturating_add(lines.len().saturating_mul(width.len())))?;
    let mut out = String::new();
    for (index, line) in lines.iter().enumerate() {
        if index > 0 {
            out.push('\n');
        }
        let indents = if index == 0 { bound.truth(1) } else { bound.truth(2) || !line.is_empty() };
        if indents {
            out.push_str(&width);
        }
        out.push_str(line);
    }
    Ok(out)
}

fn dictsort(value: Value, Rest(args): Rest<Value>, named: Kwargs) -> Result<Value, Error> {
    let bound = Bound::of("dictsort", &["case_sensitive", "by", "reverse"], args, &named)?;
    let names = ["case_sensitive", "by", "reverse"].into_iter().zip(0..);
    let named: Kwargs = names.filter_map(|(name, place)| Some((name, bound.given(place)?.clone()))).collect();
    filters::dictsort(&value, named)
}

fn center(value: Value, width: Option<i64>) -> Result<Value, Error> {
    text::method(&printed(&value)?, "center", &[Value::from(width.unwrap_or(80))]).unwrap_or(Ok(value))
}

fn list(value: Value) -> Result<Value, Error> {
    if value.is_none() {
        return Err(wrong("list: none is no list"));
    }
    Ok(Value::from(value.try_iter()?.collect::<Vec<_>>()))
}

/// `join(d='', attribute=None)`.
fn join(value: Value, Rest(args): Rest<Value>, named: Kwargs) -> Result<String, Error> {
    let bound = Bound::of("join", &["d", "attribute"], args, &named)?;
    if value.is_none() {
        return Err(wrong("join: none is no list"));
    }
    let part = |item: Value| match bound.given(1) {
        Some(path) => printed(&attribute(&item, path)?),
        None => printed(&item),
    };
    let between = bound.given(0).map(printed).transpose()?.unwrap_or_default();
    joined(value.try_iter()?.map(part), &between)
}

/// `a.b.0` of a value.
fn attribute(value: &Value, path: &Value) -> Result<Value, Error> {
    let Some(path) = path.as_str() else { return value.get_item(path) };
    path.split('.').try_fold(value.clone(), |value, part| match part.parse::<usize>() {
        Ok(index) => value.get_item_by_index(index),
        Err(_) => value.get_attr(part),
    })
}

fn wordcount(value: Value) -> Result<usize, Error> {
    let is_word = |letter: char| letter == '_' || letter.is_alphanumeric();
    Ok(printed(&value)?.split(|letter| !is_word(letter)).filter(|word| !word.is_empty()).count())
}

/// `truncate(length=255, killwords=False, end='...', leeway=5)`.
fn truncate(value: Value, Rest(args): Rest<Value>, named: Kwargs) -> Result<String, Error> {
    let bound = Bound::of("truncate", &["length", "killwords", "end", "leeway"], args, &named)?;
    let size =
        |place: usize, default: i64| bound.integer(place).map(|n| n.unwrap_or(default).max(0) as usize);
    let (length, leeway, end) = (size(0, 255)?, size(3, 5)?, bound.text(2)?.unwrap_or("..."));
    let text = printed(&value)?;
    if text.chars().count() <= length.saturating_add(leeway) {
        return Ok(text);
    }
    let kept: String = text.chars().take(length.saturating_sub(end.chars().count())).collect();
    let kept =
        if bound.truth(1) { &kept } else { kept.rsplit_once(' ').map_or(kept.as_str(), |(whole, _)| whole) };
    Ok(format!("{kept}{end}"))
}

/// What has a length and items: texts and tables too.
fn is_sequence(value: Value) -> bool {
    let iterates = matches!(value.kind(), ValueKind::Iterable) && value.len().is_some();
    iterates
        || matches!(value.kind(), ValueKind::Seq | ValueKind::Map | ValueKind::String | ValueKind::Undefined)
}

fn parity(value: &Value) -> Result<i64, Error> {
    let whole = i64::try_from(value.clone()).map(|whole| whole.rem_euclid(2));
    whole.map_err(|_| wrong(format!("{value} is no whole number, neither odd nor even")))
}
