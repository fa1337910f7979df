//! JSON as Python's `json.dumps` writes it.

use std::fmt::Write as _;

use minijinja::value::{Kwargs, ValueKind};
use minijinja::{Error, Value};

use super::args::{Bound, room, wrong};
use super::number;

/// A list or table may hold others this deep.
const DEEPEST: usize = 128;

struct Style {
    ascii: bool,
    indent: Option<String>,
    item: String,
    key: String,
    sorted: bool,
}

/// transformers' `tojson(ensure_ascii=False, indent=None, separators=None, sort_keys=False)`.
pub(in crate::chat) fn to_json(value: &Value, args: Vec<Value>, named: &Kwargs) -> Result<String, Error> {
    let bound = Bound::of("tojson", &["ensure_ascii", "indent", "separators", "sort_keys"], args, named)?;
    let indent = match bound.given(1) {
        Some(text) if text.as_str().is_some() => text.as_str().map(str::to_owned),
        Some(_) => bound.integer(1)?.map(|width| " ".repeat(width.clamp(0, 80) as usize)),
        None => None,
    };
    let [item, key] = match bound.given(2) {
        Some(pair) => separators(pair)?,
        None => [if indent.is_some() { "," } else { ", " }, ": "].map(str::to_owned),
    };
    let style = Style { ascii: bound.truth(0), indent, item, key, sorted: bound.truth(3) };
    let mut out = String::new();
    style.write(value, 0, &mut out)?;
    Ok(out)
}

fn separators(pair: &Value) -> Result<[String; 2], Error> {
    let parts: Option<Vec<String>> = pair.try_iter()?.map(|part| part.as_str().map(str::to_owned)).collect();
    parts.and_then(|parts| parts.try_into().ok()).ok_or_else(|| {
        wrong(format!("tojson: separators = {pair}; two texts are needed, such as (',', ':')"))
    })
}

impl Style {
    fn write(&self, value: &Value, depth: usize, out: &mut String) -> Result<(), Error> {
        if depth > DEEPEST {
            return Err(wrong(format!("tojson: more than {DEEPEST} lists and tables in one another")));
        }
        room(out.len())?;
        match value.kind() {
            ValueKind::None => out.push_str("null"),
            ValueKind::Bool => out.push_str(if value.is_true() { "true" } else { "false" }),
            ValueKind::Number => out.push_str(&written(value)),
            ValueKind::String => self.text(value.as_str().unwrap_or_default(), out),
            ValueKind::Seq => {
                let items: Vec<_> = value.try_iter()?.map(|item| (None, item)).collect();
                return self.enclosed(['[', ']'], items, depth, out);
            }
            ValueKind::Map => {
                let items = self.entries(value)?;
                return self.enclosed(['{', '}'], items, depth, out);
            }
            kind => return Err(cannot(kind)),
        }
        Ok(())
    }

    /// The entries of a table; of keys that are spelled alike, the last one's value in the first one's place.
    fn entries(&self, table: &Value) -> Result<Vec<(Option<String>, Value)>, Error> {
        let mut entries = Vec::new();
        for key in table.try_iter()? {
            let item = table.get_item(&key)?;
            let spelled = match (key.as_str(), key.kind()) {
                (Some(text), _) => text.to_owned(),
                (None, ValueKind::None) => "null".into(),
                (None, ValueKind::Bool) => if key.is_true() { "true" } else { "false" }.into(),
                (None, ValueKind::Number) => written(&key),
                (None, kind) => return Err(wrong(format!("tojson: a {kind} can't be a key"))),
            };
            entries.push((Some(spelled), item));
        }
        if self.sorted {
            entries.sort_by(|(a, _), (b, _)| a.cmp(b));
        }
        Ok(entries)
    }

    fn enclosed(
        &self,
        [open, close]: [char; 2],
        items: Vec<(Option<String>, Value)>,
        depth: usize,
        out: &mut String,
    ) -> Result<(), Error> {
        let indent = self.indent.as_ref().filter(|_| !items.is_empty());
        let line = |depth: usize, out: &mut String| {
            if let Some(indent) = indent {
                out.push('\n');
                (0..depth).for_each(|_| out.push_str(indent));
            }
        };
        out.push(open);
        for (index, (key, item)) in items.into_iter().enumerate() {
            if index > 0 {
                out.push_str(&self.item);
            }
            line(depth + 1, out);
            if let Some(key) = key {
                self.text(&key, out);
                out.push_str(&self.key);
            }
            self.write(&item, depth + 1, out)?;
        }
        line(depth, out);
        out.push(close);
        Ok(())
    }

    fn text(&self, text: &str, out: &mut String) {
        out.push('"');
        for letter in text.chars() {
            match letter {
                '"' => out.push_str("\\\""),
                '\\' => out.push_str("\\\\"),
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\t' => out.push_str("\\t"),
                '\u{8}' => out.push_str("\\b"),
                '\u{c}' => out.push_str("\\f"),
                letter if letter < ' ' || (self.ascii && !matches!(letter, ' '..='~')) => {
                    for unit in letter.encode_utf16(&mut [0; 2]) {
                        let _ = write!(out, "\\u{unit:04x}"); // a String takes everything
                    }
                }
                letter => out.push(letter),
            }
        }
        out.push('"');
    }
}

fn written(value: &Value) -> String {
    number::as_float(value).map_or_else(
        || value.to_string(),
        |value| match number::float(value).as_str() {
            "nan" => "NaN".into(),
            "inf" => "Infinity".into(),
            "-inf" => "-Infinity".into(),
            finite => finite.to_owned(),
        },
    )
}

fn cannot(kind: ValueKind) -> Error {
    wrong(format!("tojson: a {kind} can't be written as JSON"))
}
