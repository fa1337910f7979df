//! Texts into parts: at a separator, at white space, at line ends.

use minijinja::value::Tuple;
use minijinja::{Error, Value};

use super::args::{Bound, wrong};
use super::kinds::is_space;

/// `split`, `rsplit`.
pub(super) fn split(text: &str, name: &str, args: &[Value]) -> Result<Value, Error> {
    let bound = Bound::new(name, &["sep", "maxsplit"], args)?;
    let most = bound.integer(1)?.and_then(|most| usize::try_from(most).ok()).unwrap_or(usize::MAX);
    let from_the_right = name == "rsplit";
    let mut parts: Vec<&str> = match (bound.text(0)?, from_the_right) {
        (Some(""), _) => return Err(wrong(format!("{name}: the separator is empty"))),
        (Some(sep), false) => text.splitn(most.saturating_add(1), sep).collect(),
        (Some(sep), true) => text.rsplitn(most.saturating_add(1), sep).collect(),
        (None, false) => words(text, most),
        (None, true) => words_from_the_right(text, most),
    };
    if from_the_right {
        parts.reverse();
    }
    Ok(parts.into_iter().map(Value::from).collect())
}

fn words(text: &str, most: usize) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = text.trim_start_matches(is_space);
    while !rest.is_empty() {
        let end = if parts.len() == most { None } else { rest.find(is_space) };
        let (word, after) = rest.split_at(end.unwrap_or(rest.len()));
        parts.push(word);
        rest = after.trim_start_matches(is_space);
    }
    parts
}

/// The last word first.
fn words_from_the_right(text: &str, most: usize) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = text.trim_end_matches(is_space);
    while !rest.is_empty() {
        let space = rest.char_indices().rev().find(|(_, letter)| is_space(*letter));
        let start = space.filter(|_| parts.len() != most).map_or(0, |(at, letter)| at + letter.len_utf8());
        parts.push(&rest[start..]);
        rest = rest[..start].trim_end_matches(is_space);
    }
    parts
}

/// `splitlines`, at all line ends that Python knows.
pub(super) fn lines(text: &str, args: &[Value]) -> Result<Value, Error> {
    let keep = Bound::new("splitlines", &["keepends"], args)?.truth(0);
    let mut parts = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let end =
            |c: char| matches!(c, '\n'..='\r' | '\u{1c}'..='\u{1e}' | '\u{85}' | '\u{2028}' | '\u{2029}');
        let at = rest.find(end).unwrap_or(rest.len());
        let length = match &rest[at..] {
            after if after.starts_with("\r\n") => 2,
            after => after.chars().next().map_or(0, char::len_utf8),
        };
        parts.push(&rest[..if keep { at + length } else { at }]);
        rest = &rest[at + length..];
    }
    Ok(parts.into_iter().map(Value::from).collect())
}

/// `partition`, `rpartition`: what stands before, the separator, what stands after.
pub(super) fn partition(text: &str, name: &str, args: &[Value]) -> Result<Value, Error> {
    let bound = Bound::new(name, &["sep"], args)?;
    let sep = bound.needed(0)?;
    if sep.is_empty() {
        return Err(wrong(format!("{name}: the separator is empty")));
    }
    let last = name == "rpartition";
    let cut = if last { text.rsplit_once(sep) } else { text.split_once(sep) };
    let parts = match cut {
        Some((before, after)) => [before, sep, after],
        None if last => ["", "", text],
        None => [text, "", ""],
    };
    Ok(Value::from(Tuple::new(parts.map(Value::from).to_vec())))
}
