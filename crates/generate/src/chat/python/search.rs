//! Where one text stands in another, in letters, within a slice.

use minijinja::{Error, Value};

use super::args::{Bound, room, wrong};

/// The part of a text that `start` and `end` leave, and the letters before it. None where they leave nothing, not even an
/// empty text.
fn part<'t>(text: &'t str, bound: &Bound) -> Result<Option<(&'t str, usize)>, Error> {
    let (start, end) = (bound.integer(1)?, bound.integer(2)?);
    if start.is_none() && end.is_none() {
        return Ok(Some((text, 0)));
    }
    let length = text.chars().count() as i64;
    let place = |at: i64| if at < 0 { (at + length).max(0) } else { at };
    let (start, end) = (place(start.unwrap_or(0)), place(end.unwrap_or(length)).min(length));
    if start > end {
        return Ok(None);
    }
    let byte = |at: i64| text.char_indices().nth(at as usize).map_or(text.len(), |(byte, _)| byte);
    Ok(Some((&text[byte(start)..byte(end)], start as usize)))
}

/// `find`, `rfind`, `index`, `rindex`.
pub(super) fn find(text: &str, name: &str, args: &[Value]) -> Result<Value, Error> {
    let bound = Bound::new(name, &["sub", "start", "end"], args)?;
    let sub = bound.needed(0)?;
    let found = part(text, &bound)?.and_then(|(part, before)| {
        let at = if name.starts_with('r') { part.rfind(sub) } else { part.find(sub) };
        Some(before + part[..at?].chars().count())
    });
    match found {
        Some(at) => Ok(Value::from(at)),
        None if name.ends_with("find") => Ok(Value::from(-1)),
        None => Err(wrong(format!("{name}: {sub:?} is not in the text"))),
    }
}

pub(super) fn count(text: &str, args: &[Value]) -> Result<Value, Error> {
    let bound = Bound::new("count", &["sub", "start", "end"], args)?;
    let sub = bound.needed(0)?;
    Ok(Value::from(part(text, &bound)?.map_or(0, |(part, _)| part.matches(sub).count())))
}

/// `startswith`, `endswith`: one text, or any of a tuple.
pub(super) fn edge(text: &str, name: &str, args: &[Value]) -> Result<Value, Error> {
    let bound = Bound::new(name, &["prefix", "start", "end"], args)?;
    let asked = bound.given(0).ok_or_else(|| wrong(format!("{name} needs a text")))?;
    let any: Vec<Value> = if asked.is_tuple() { asked.try_iter()?.collect() } else { vec![asked.clone()] };
    let Some((part, _)) = part(text, &bound)? else { return Ok(Value::from(false)) };
    for edge in any {
        let edge = edge.as_str().ok_or_else(|| wrong(format!("{name}: {edge} is no text")))?;
        if if name == "startswith" { part.starts_with(edge) } else { part.ends_with(edge) } {
            return Ok(Value::from(true));
        }
    }
    Ok(Value::from(false))
}

/// `replace`, at most so many times.
pub(super) fn replace(text: &str, args: &[Value]) -> Result<Value, Error> {
    let bound = Bound::new("replace", &["old", "new", "count"], args)?;
    let (old, new) = (bound.needed(0)?, bound.needed(1)?);
    let times = bound.integer(2)?.filter(|times| *times >= 0);
    room(text.len().saturating_add(text.matches(old).count().saturating_mul(new.len())))?;
    Ok(Value::from(
        times.map_or_else(|| text.replace(old, new), |times| text.replacen(old, new, times as usize)),
    ))
}
