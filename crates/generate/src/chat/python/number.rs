//! Numbers as Python prints and reads them.

use minijinja::Value;

/// `repr` of a float: the shortest digits that give it back; with an exponent below 1e-4 and from 1e16 on.
pub(in crate::chat) fn float(value: f64) -> String {
    if value.is_nan() {
        return "nan".into();
    }
    if value.is_infinite() {
        return if value > 0.0 { "inf" } else { "-inf" }.into();
    }
    let size = value.abs();
    if size != 0.0 && !(1e-4..1e16).contains(&size) {
        let written = format!("{value:e}");
        let (digits, exponent) = written.split_once('e').unwrap_or((&written, "0"));
        let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |rest| ('-', rest));
        return format!("{digits}e{sign}{exponent:0>2}");
    }
    format!("{value:?}")
}

/// The float that a value is; none for whole numbers and all else.
pub(in crate::chat) fn as_float(value: &Value) -> Option<f64> {
    if !value.is_number() || value.is_integer() || value.kind() == minijinja::value::ValueKind::Bool {
        return None;
    }
    f64::try_from(value.clone()).ok()
}

/// A text that spells a number, with blanks around it and underscores between digits.
pub(super) fn cleaned(text: &str) -> Option<String> {
    let text = text.trim_matches(super::kinds::is_space);
    let bytes = text.as_bytes();
    let between = |at: usize| {
        let digit =
            |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_some_and(u8::is_ascii_alphanumeric);
        digit(at.checked_sub(1)) && digit(Some(at + 1))
    };
    let fits = bytes.iter().enumerate().all(|(at, byte)| *byte != b'_' || between(at));
    fits.then(|| text.replace('_', ""))
}
