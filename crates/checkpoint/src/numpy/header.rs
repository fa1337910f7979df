//! What stands before an array's numbers: a dictionary in Python's own notation, of which NumPy writes one form.

use std::ops::Range;

use crate::{Dtype, Source};

const MAGIC: &[u8] = b"\x93NUMPY";
/// A header of 64 axes has less.
const LONGEST: u64 = 16 << 10;
/// NumPy's own bound.
const MOST_AXES: usize = 64;

/// What an array's header says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// The type, as NumPy writes it: `<f4`.
    pub(super) descr: String,
    /// Whether the first index runs fastest.
    pub(super) by_columns: bool,
    pub(super) shape: Vec<usize>,
}

impl Header {
    /// Reads the header at the beginning of a range, and says where the numbers begin.
    pub(super) fn read(source: &Source, range: Range<u64>) -> Result<(Header, u64), String> {
        let head = |len: u64| {
            let end = range.start.checked_add(len).filter(|&end| end <= range.end);
            let end = end.ok_or("cut short in its header, or no such file")?;
            source.read(range.start..end).map_err(|error| error.to_string())
        };
        let begin = head(8)?;
        if !begin.starts_with(MAGIC) {
            return Err("it does not begin as NumPy's arrays do".to_owned());
        }
        let (before, length) = match begin[6] {
            1 => (10, head(10)?[8..].iter().rev().fold(0, |sum, &byte| sum << 8 | u64::from(byte))),
            2 | 3 => (12, head(12)?[8..].iter().rev().fold(0, |sum, &byte| sum << 8 | u64::from(byte))),
            version => return Err(format!("version {version} of the format, where 1 to 3 are known")),
        };
        if length > LONGEST {
            return Err(format!("a header of {length} bytes, where {LONGEST} are allowed"));
        }
        let text = head(before + length)?.slice(before as usize..);
        let text = std::str::from_utf8(&text).map_err(|error| format!("its header is no text: {error}"))?;
        let header = Header::parse(text).ok_or_else(|| format!("its header says {:?}", text.trim()))?;
        Ok((header, range.start + before + length))
    }

    /// The dictionary of three keys that `numpy.save` writes, in any order; `None` for anything else.
    fn parse(text: &str) -> Option<Header> {
        let mut rest = Words(text.trim()).after("{")?;
        let (mut descr, mut by_columns, mut shape) = (None, None, None);
        while rest.clone().after("}").is_none() {
            let key = rest.quoted()?;
            rest = rest.after(":")?;
            match key.as_str() {
                "descr" if descr.is_none() => descr = Some(rest.quoted()?),
                "fortran_order" if by_columns.is_none() => by_columns = Some(rest.boolean()?),
                "shape" if shape.is_none() => shape = Some(rest.numbers()?),
                _ => return None,
            }
            rest = rest.clone().after(",").unwrap_or(rest);
        }
        let ended = rest.after("}")?.0.is_empty();
        ended.then_some(Header { descr: descr?, by_columns: by_columns?, shape: shape? })
    }

    /// The type of its numbers. `V2`, two bytes of no type, is what NumPy calls bf16, which it has no name for.
    pub(super) fn dtype(&self) -> Option<Dtype> {
        let name = self.descr.strip_prefix(['<', '|', '=']).unwrap_or(&self.descr);
        Some(match name {
            "f8" => Dtype::F64,
            "f4" => Dtype::F32,
            "f2" => Dtype::F16,
            "V2" => Dtype::Bf16,
            "i8" => Dtype::I64,
            "i4" => Dtype::I32,
            "i2" => Dtype::I16,
            "i1" => Dtype::I8,
            "u8" => Dtype::U64,
            "u4" => Dtype::U32,
            "u2" => Dtype::U16,
            "u1" => Dtype::U8,
            "b1" => Dtype::Bool,
            _ => return None,
        })
    }
}

/// What is left of a header.
#[derive(Clone)]
struct Words<'a>(&'a str);

impl<'a> Words<'a> {
    /// What stands after a sign.
    fn after(self, sign: &str) -> Option<Words<'a>> {
        self.0.strip_prefix(sign).map(|rest| Words(rest.trim_start()))
    }

    fn quoted(&mut self) -> Option<String> {
        let quote = self.0.chars().next().filter(|first| ['\'', '"'].contains(first))?;
        let (text, rest) = self.0[1..].split_once(quote)?;
        *self = Words(rest.trim_start());
        Some(text.to_owned())
    }

    fn boolean(&mut self) -> Option<bool> {
        let (value, rest) = match self.0.strip_prefix("True") {
            Some(rest) => (true, rest),
            None => (false, self.0.strip_prefix("False")?),
        };
        *self = Words(rest.trim_start());
        Some(value)
    }

    /// `(3, 4)`, `(3,)` or `()`.
    fn numbers(&mut self) -> Option<Vec<usize>> {
        let (inner, rest) = self.0.strip_prefix('(')?.split_once(')')?;
        *self = Words(rest.trim_start());
        let parts: Vec<&str> = inner.split(',').map(str::trim).collect();
        let parts = match parts.as_slice() {
            [] | [""] => &[][..],
            [all @ .., ""] => all,
            all => all,
        };
        if parts.len() > MOST_AXES {
            return None;
        }
        // Python 2 wrote `3L`.
        parts.iter().map(|part| part.trim_end_matches('L').parse().ok()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_forms_that_numpy_writes_are_read_and_no_other() {
        let check = |text: &str, expected: Option<(&str, bool, &[usize])>| {
            let header = Header::parse(text);
            let found = header.as_ref().map(|h| (h.descr.as_str(), h.by_columns, h.shape.as_slice()));
            assert_eq!(found, expected, "{text}");
        };
        check(
            "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }    \n",
            Some(("<f4", false, &[3, 4])),
        );
        check("{'descr': '|V2', 'fortran_order': True, 'shape': (3,), }", Some(("|V2", true, &[3])));
        check("{\"shape\": (), \"descr\": \"<i8\", \"fortran_order\": False}", Some(("<i8", false, &[])));
        check("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (3,), }", None);
        check("{'descr': '<f4', 'fortran_order': False, 'shape': (-3,), }", None);
        check("{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (3,), }", None);
        check("{'descr': '<f4', 'fortran_order': False, }", None);
        check("{'descr': '<f4', 'fortran_order': False, 'shape': (3,), } more", None);
        check("", None);
    }
}
