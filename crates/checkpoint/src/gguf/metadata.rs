//! The typed keys and values at the head of a GGUF file.

use std::collections::BTreeMap;

use super::cursor::Cursor;
use crate::Error;

/// Arrays within arrays, at most; none are known in real files.
const DEEPEST: usize = 4;

/// The metadata of a GGUF file, by key: `general.architecture`, `llama.block_count`, `tokenizer.ggml.tokens`, ….
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metadata {
    values: BTreeMap<String, Value>,
}

/// A value: integers widened to 64 bits, everything else as written.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Any unsigned integer.
    Unsigned(u64),
    /// Any signed integer.
    Signed(i64),
    /// Single precision.
    F32(f32),
    /// Double precision.
    F64(f64),
    /// True or false.
    Bool(bool),
    /// Text.
    String(String),
    /// Many of one type.
    Array(Array),
}

/// Many values of one type.
#[derive(Clone, Debug, PartialEq)]
pub enum Array {
    /// Unsigned integers.
    Unsigned(Vec<u64>),
    /// Signed integers.
    Signed(Vec<i64>),
    /// Single precision.
    F32(Vec<f32>),
    /// Double precision.
    F64(Vec<f64>),
    /// True or false.
    Bool(Vec<bool>),
    /// Texts, such as a vocabulary.
    String(Vec<String>),
    /// Arrays.
    Array(Vec<Array>),
}

impl Metadata {
    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.values.get(key)
    }

    /// Keys and values, in the order of the keys.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Value)> {
        self.values.iter().map(|(key, value)| (key.as_str(), value))
    }

    pub(super) fn read(cursor: &mut Cursor<'_>, entries: u64) -> Result<Metadata, Error> {
        let mut values = BTreeMap::new();
        for _ in 0..entries {
            let key = cursor.string("a metadata key")?;
            let kind = Kind::read(cursor, &key)?;
            let value = read_value(cursor, kind, &key)?;
            if values.insert(key.clone(), value).is_some() {
                return Err(cursor.malformed(&format!("key {key:?} stands twice")));
            }
        }
        Ok(Metadata { values })
    }
}

impl Value {
    /// An integer of either kind that is not negative.
    pub fn as_u64(&self) -> Option<u64> {
        match *self {
            Value::Unsigned(value) => Some(value),
            Value::Signed(value) => u64::try_from(value).ok(),
            Value::F32(_) | Value::F64(_) | Value::Bool(_) | Value::String(_) | Value::Array(_) => None,
        }
    }

    /// A text.
    pub fn as_str(&self) -> Option<&str> {
        if let Value::String(text) = self { Some(text) } else { None }
    }

    /// The same in JSON's terms; none for NaN and infinities, which JSON does not have.
    ///
    /// A single-precision number becomes the shortest decimal that names it: an epsilon that a `config.json` writes as
    /// 1e-5 is 1e-5 here too, not 0.000009999999747378752.
    ///
    /// ```
    /// # use camelid_checkpoint::gguf::Value;
    /// assert_eq!(Value::F32(1e-5).to_json(), Some(serde_json::json!(1e-5)));
    /// ```
    pub fn to_json(&self) -> Option<serde_json::Value> {
        match self {
            &Value::Unsigned(value) => Some(value.into()),
            &Value::Signed(value) => Some(value.into()),
            &Value::F32(value) => single(value),
            &Value::F64(value) => double(value),
            &Value::Bool(value) => Some(value.into()),
            Value::String(value) => Some(value.as_str().into()),
            Value::Array(array) => array.to_json(),
        }
    }
}

impl Array {
    /// How many values there are.
    pub fn len(&self) -> usize {
        match self {
            Array::Unsigned(values) => values.len(),
            Array::Signed(values) => values.len(),
            Array::F32(values) => values.len(),
            Array::F64(values) => values.len(),
            Array::Bool(values) => values.len(),
            Array::String(values) => values.len(),
            Array::Array(values) => values.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn to_json(&self) -> Option<serde_json::Value> {
        match self {
            Array::Unsigned(values) => Some(values.as_slice().into()),
            Array::Signed(values) => Some(values.as_slice().into()),
            Array::F32(values) => values.iter().map(|&value| single(value)).collect(),
            Array::F64(values) => values.iter().map(|&value| double(value)).collect(),
            Array::Bool(values) => Some(values.as_slice().into()),
            Array::String(values) => Some(values.as_slice().into()),
            Array::Array(values) => values.iter().map(Array::to_json).collect(),
        }
    }
}

fn single(value: f32) -> Option<serde_json::Value> {
    // Rust prints the shortest decimal that reads back as the same f32.
    double(value.to_string().parse().ok()?)
}

fn double(value: f64) -> Option<serde_json::Value> {
    serde_json::Number::from_f64(value).map(serde_json::Value::Number)
}

/// The types of values, in the order of their numbers.
#[derive(Clone, Copy)]
enum Kind {
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    F32,
    Bool,
    String,
    Array,
    U64,
    I64,
    F64,
}

impl Kind {
    const ALL: [Kind; 13] = [
        Kind::U8,
        Kind::I8,
        Kind::U16,
        Kind::I16,
        Kind::U32,
        Kind::I32,
        Kind::F32,
        Kind::Bool,
        Kind::String,
        Kind::Array,
        Kind::U64,
        Kind::I64,
        Kind::F64,
    ];

    fn read(cursor: &mut Cursor<'_>, key: &str) -> Result<Kind, Error> {
        let number = cursor.u32()?;
        let known = usize::try_from(number).ok().and_then(|at| Kind::ALL.get(at));
        known.copied().ok_or_else(|| cursor.malformed(&format!("key {key:?} has the unknown type {number}")))
    }

    /// The fewest bytes that a value takes.
    fn smallest(self) -> u64 {
        match self {
            Kind::U8 | Kind::I8 | Kind::Bool => 1,
            Kind::U16 | Kind::I16 => 2,
            Kind::U32 | Kind::I32 | Kind::F32 => 4,
            Kind::U64 | Kind::I64 | Kind::F64 | Kind::String => 8,
            Kind::Array => 12,
        }
    }
}

fn read_value(cursor: &mut Cursor<'_>, kind: Kind, key: &str) -> Result<Value, Error> {
    Ok(match kind {
        Kind::U8 | Kind::U16 | Kind::U32 | Kind::U64 => Value::Unsigned(unsigned(cursor, kind)?),
        Kind::I8 | Kind::I16 | Kind::I32 | Kind::I64 => Value::Signed(signed(cursor, kind)?),
        Kind::F32 => Value::F32(f32::from_le_bytes(cursor.array()?)),
        Kind::F64 => Value::F64(f64::from_le_bytes(cursor.array()?)),
        Kind::Bool => Value::Bool(boolean(cursor, key)?),
        Kind::String => Value::String(cursor.string(key)?),
        Kind::Array => Value::Array(read_array(cursor, key, 1)?),
    })
}

fn read_array(cursor: &mut Cursor<'_>, key: &str, depth: usize) -> Result<Array, Error> {
    if depth > DEEPEST {
        return Err(cursor.malformed(&format!("key {key:?} nests arrays deeper than {DEEPEST}")));
    }
    let kind = Kind::read(cursor, key)?;
    let count = cursor.count(kind.smallest(), key)?;
    Ok(match kind {
        Kind::U8 | Kind::U16 | Kind::U32 | Kind::U64 => {
            Array::Unsigned((0..count).map(|_| unsigned(cursor, kind)).collect::<Result<_, _>>()?)
        }
        Kind::I8 | Kind::I16 | Kind::I32 | Kind::I64 => {
            Array::Signed((0..count).map(|_| signed(cursor, kind)).collect::<Result<_, _>>()?)
        }
        Kind::F32 => {
            Array::F32((0..count).map(|_| cursor.array().map(f32::from_le_bytes)).collect::<Result<_, _>>()?)
        }
        Kind::F64 => {
            Array::F64((0..count).map(|_| cursor.array().map(f64::from_le_bytes)).collect::<Result<_, _>>()?)
        }
        Kind::Bool => Array::Bool((0..count).map(|_| boolean(cursor, key)).collect::<Result<_, _>>()?),
        Kind::String => Array::String((0..count).map(|_| cursor.string(key)).collect::<Result<_, _>>()?),
        Kind::Array => {
            Array::Array((0..count).map(|_| read_array(cursor, key, depth + 1)).collect::<Result<_, _>>()?)
        }
    })
}

/// The integer in the next bytes, as many as the kind has.
fn unsigned(cursor: &mut Cursor<'_>, kind: Kind) -> Result<u64, Error> {
    let bytes = cursor.take(kind.smallest())?;
    Ok(bytes.iter().rev().fold(0, |sum, &byte| sum << 8 | u64::from(byte)))
}

fn signed(cursor: &mut Cursor<'_>, kind: Kind) -> Result<i64, Error> {
    let unused = 64 - 8 * kind.smallest();
    // Up to the top and back: the arithmetic shift brings the sign along.
    Ok((unsigned(cursor, kind)? << unused) as i64 >> unused)
}

fn boolean(cursor: &mut Cursor<'_>, key: &str) -> Result<bool, Error> {
    match cursor.array()? {
        [0] => Ok(false),
        [1] => Ok(true),
        [other] => Err(cursor.malformed(&format!("key {key:?} has the boolean {other}, not 0 or 1"))),
    }
}
