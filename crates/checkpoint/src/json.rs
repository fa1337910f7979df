//! JSON objects from disk: config.json and its like.
//!
//! Stricter than most readers in one way: a key that stands twice in one object is refused, at any depth, where others
//! silently take the last. `NaN` and `Infinity`, which Python writes and JSON does not have, are refused by name: no
//! setting of these families is ever one of them.

use std::fmt;
use std::path::Path;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use crate::folder::things::told;
use crate::{Error, Mapping, Source};

/// The largest file that is read as JSON: 64 MiB; real ones have a few kilobytes, a `tokenizer.json` up to 30 MB.
pub const JSON_LIMIT: u64 = 64 << 20;

/// Reads a file that holds one JSON object, such as `generation_config.json` or `tokenizer_config.json`.
///
/// # Errors
/// [`Error::Io`], [`Error::NotAFile`], [`Error::TooLarge`] beyond [`JSON_LIMIT`]; [`Error::Json`] with line and column
/// for what is no JSON object, repeats a key, or holds `NaN` or `Infinity`.
pub fn read_json(path: &Path) -> Result<Map<String, Value>, Error> {
    let source = Source::open(path, Mapping::Read)?;
    if source.len() > JSON_LIMIT {
        return Err(Error::TooLarge { path: path.to_owned(), bytes: source.len(), limit: JSON_LIMIT });
    }
    parse_json(path, &source.read(0..source.len())?)
}

/// As [`read_json`], over bytes; `path` is for messages only.
///
/// # Errors
/// [`Error::Json`].
pub fn parse_json(path: &Path, bytes: &[u8]) -> Result<Map<String, Value>, Error> {
    let wrong = |problem: String| Error::Json { path: path.to_owned(), problem };
    // Some editors begin a file with a byte-order mark, which means nothing.
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = Strict
        .deserialize(&mut deserializer)
        .and_then(|value| deserializer.end().map(|()| value))
        .map_err(|error| match told(bytes).filter(|_| !bytes.trim_ascii_start().starts_with(b"{")) {
            Some(told) if !bytes.is_empty() => wrong(format!("no JSON, but {told}")),
            Some(_) | None => wrong(explain(&error, bytes)),
        })?;
    match value {
        Value::Object(map) => Ok(map),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Err(wrong("holds no JSON object".to_owned()))
        }
    }
}

/// The parser's message; where it stopped at one of Python's three words, that word's name.
fn explain(error: &serde_json::Error, bytes: &[u8]) -> String {
    let (line, column) = (error.line(), error.column());
    let text = bytes.split(|&byte| byte == b'\n').nth(line.saturating_sub(1)).unwrap_or_default();
    // The parser stops at the letter that disappoints it: `N`, `I`, or the `I` after a minus.
    let rest = text.get(column.saturating_sub(1)..).unwrap_or_default();
    for word in ["NaN", "Infinity"] {
        if rest.starts_with(word.as_bytes()) {
            return format!("{word} is not JSON, and no setting may be it, at line {line} column {column}");
        }
    }
    error.to_string()
}

/// Builds a [`Value`], refusing repeated keys. Depth is bounded by the parser, at 128.
#[derive(Clone, Copy)]
struct Strict;

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = items.next_element_seed(Strict)? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            if map.contains_key(&key) {
                return Err(A::Error::custom(format_args!("key {key:?} stands twice")));
            }
            let value = entries.next_value_seed(Strict)?;
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}
