//! The methods of Python's `str`.

use minijinja::{Error, Value};

use super::args::{Bound, room, wrong};
use super::kinds::is_space;
use super::{kinds, search, split};

/// Widths beyond this are a slip of the pen, or a trap.
pub(super) const WIDEST: i64 = 1 << 20;

/// A method of a text; none where Python has none of this name, or the engine has it as Python does.
pub(super) fn method(text: &str, name: &str, args: &[Value]) -> Option<Result<Value, Error>> {
    Some(match name {
        "strip" | "lstrip" | "rstrip" => strip(text, name, args),
        "removeprefix" | "removesuffix" => removed(text, name, args),
        "split" | "rsplit" => split::split(text, name, args),
        "splitlines" => split::lines(text, args),
        "partition" | "rpartition" => split::partition(text, name, args),
        "find" | "rfind" | "index" | "rindex" => search::find(text, name, args),
        "count" => search::count(text, args),
        "startswith" | "endswith" => search::edge(text, name, args),
        "replace" => search::replace(text, args),
        "center" | "ljust" | "rjust" => padded(text, name, args),
        "zfill" => zfill(text, args),
        "expandtabs" => expandtabs(text, args),
        "join" => join(text, args),
        "translate" => translate(text, args),
        "title" => plain(name, args, || title(text).into()),
        "swapcase" => plain(name, args, || swapcase(text).into()),
        "casefold" => plain(name, args, || casefold(text).into()),
        "capitalize" => plain(name, args, || capitalize(text).into()),
        name if kinds::is_known(name) => plain(name, args, || kinds::holds(name, text).into()),
        _ => return None,
    })
}

fn plain(name: &str, args: &[Value], value: impl FnOnce() -> Value) -> Result<Value, Error> {
    Bound::new(name, &[], args).map(|_| value())
}

fn strip(text: &str, name: &str, args: &[Value]) -> Result<Value, Error> {
    let bound = Bound::new(name, &["chars"], args)?;
    let chars = bound.text(0)?;
    Ok(Value::from(stripped(text, chars, name != "rstrip", name != "lstrip")))
}

/// A text without the given letters, or white space, at its ends.
pub(in crate::chat) fn stripped<'t>(text: &'t str, chars: Option<&str>, left: bool, right: bool) -> &'t str {
    let goes = |letter: char| chars.map_or_else(|| is_space(letter), |chars| chars.contains(letter));
    let text = if left { text.trim_start_matches(goes) } else { text };
    if right { text.trim_end_matches(goes) } else { text }
}

fn removed(text: &str, name: &str, args: &[Value]) -> Result<Value, Error> {
    let bound = Bound::new(name, &["affix"], args)?;
    let affix = bound.needed(0)?;
    let rest = if name == "removeprefix" { text.strip_prefix(affix) } else { text.strip_suffix(affix) };
    Ok(Value::from(rest.unwrap_or(text)))
}

/// The letters that are lacking to a width.
fn lacking(text: &str, bound: &Bound) -> Result<usize, Error> {
    let width = bound.integer(0)?.ok_or_else(|| wrong("a width is needed"))?;
    if width > WIDEST {
        return Err(wrong(format!("a width of {width} is more than {WIDEST}")));
    }
    Ok((width.max(0) as usize).saturating_sub(text.chars().count()))
}

fn padded(text: &str, name: &str, args: &[Value]) -> Result<Value, Error> {
    let bound = Bound::new(name, &["width", "fillchar"], args)?;
    let lacks = lacking(text, &bound)?;
    let fill = bound.text(1)?.unwrap_or(" ");
    if fill.chars().count() != 1 {
        return Err(wrong(format!("{name}: {fill:?} is not one letter")));
    }
    let left = match name {
        "ljust" => 0,
        "rjust" => lacks,
        // Of an odd number, Python puts the one more to the left where the width is odd.
        _ => lacks / 2 + (lacks & (lacks + text.chars().count()) & 1),
    };
    Ok(Value::from(format!("{}{text}{}", fill.repeat(left), fill.repeat(lacks - left))))
}

fn zfill(text: &str, args: &[Value]) -> Result<Value, Error> {
    let bound = Bound::new("zfill", &["width"], args)?;
    let zeros = "0".repeat(lacking(text, &bound)?);
    let (sign, digits) = text.split_at(usize::from(text.starts_with(['+', '-'])));
    Ok(Value::from(format!("{sign}{zeros}{digits}")))
}

fn expandtabs(text: &str, args: &[Value]) -> Result<Value, Error> {
    let bound = Bound::new("expandtabs", &["tabsize"], args)?;
    let size = bound.integer(0)?.unwrap_or(8).clamp(0, 256) as usize;
    let (mut out, mut column) = (String::new(), 0);
    for letter in text.chars() {
        match letter {
            '\t' if size > 0 => {
                let spaces = size - column % size;
                out.extend(std::iter::repeat_n(' ', spaces));
                column += spaces;
            }
            '\t' => {}
            letter => {
                out.push(letter);
                column = if matches!(letter, '\n' | '\r') { 0 } else { column + 1 };
            }
        }
    }
    Ok(Value::from(out))
}

fn join(text: &str, args: &[Value]) -> Result<Value, Error> {
    let bound = Bound::new("join", &["iterable"], args)?;
    let list = bound.given(0).ok_or_else(|| wrong("join needs a list"))?;
    let part = |item: Value| {
        let part = item.as_str().map(str::to_owned);
        part.ok_or_else(|| wrong(format!("join: {item} is no text")))
    };
    joined(list.try_iter()?.map(part), text).map(Value::from)
}

/// Parts with a text between them.
pub(super) fn joined(
    parts: impl Iterator<Item = Result<String, Error>>,
    between: &str,
) -> Result<String, Error> {
    let mut out = String::new();
    for (index, part) in parts.enumerate() {
        let part = part?;
        room(out.len() + part.len() + between.len())?;
        if index > 0 {
            out.push_str(between);
        }
        out.push_str(&part);
    }
    Ok(out)
}

/// Letters by a table of numbers: to a letter's number, to a text, or to nothing.
fn translate(text: &str, args: &[Value]) -> Result<Value, Error> {
    let bound = Bound::new("translate", &["table"], args)?;
    let table = bound.given(0).ok_or_else(|| wrong("translate needs a table"))?;
    let mut out = String::new();
    for letter in text.chars() {
        let to = table.get_item(&Value::from(letter as u32))?;
        match (to.as_str(), u32::try_from(to.clone()).ok().and_then(char::from_u32)) {
            (Some(text), _) => {
                room(out.len() + text.len())?;
                out.push_str(text);
            }
            (None, Some(other)) => out.push(other),
            (None, None) if to.is_none() => {}
            (None, None) => out.push(letter),
        }
    }
    Ok(Value::from(out))
}

fn is_cased(letter: char) -> bool {
    letter.is_lowercase() || letter.is_uppercase()
}

/// A letter after none begins a word.
fn title(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut inside = false;
    for letter in text.chars() {
        if inside {
            out.extend(letter.to_lowercase());
        } else {
            out.push_str(&capital(letter));
        }
        inside = is_cased(letter);
    }
    out
}

/// A letter at the beginning of a word: only the first of several becomes large.
fn capital(letter: char) -> String {
    let mut upper = letter.to_uppercase();
    let first = upper.next().into_iter();
    first.chain(upper.flat_map(char::to_lowercase)).collect()
}

fn capitalize(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| capital(first) + &letters.as_str().to_lowercase()).unwrap_or_default()
}

fn swapcase(text: &str) -> String {
    let swap = |letter: char| -> String {
        if letter.is_uppercase() { letter.to_lowercase().collect() } else { letter.to_uppercase().collect() }
    };
    text.chars().map(swap).collect()
}

/// For comparison without case: by way of the large letter, as Unicode's full folding nearly always does.
fn casefold(text: &str) -> String {
    let fold = |letter: char| -> String {
        match letter {
            'ı' => "ı".to_owned(),
            letter => letter.to_uppercase().flat_map(char::to_lowercase).collect(),
        }
    };
    text.chars().map(fold).collect()
}
