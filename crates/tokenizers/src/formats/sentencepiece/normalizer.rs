//! The normaliser: a map of characters, then what becomes of spaces.

use super::proto::Normalization;
use crate::Error;
use crate::text::trie::Trie;

/// How a space is written inside a model.
pub(super) const SPACE: &str = "\u{2581}";

/// Text to the text that pieces are matched against.
#[derive(Clone, Debug)]
pub(super) struct Normalizer {
    map: Option<CharsMap>,
    /// Bytes that begin no rule and no user-defined piece: copied without a look.
    plain: [bool; 256],
    pub(super) add_dummy_prefix: bool,
    pub(super) remove_extra_whitespaces: bool,
    escape_whitespaces: bool,
    space_is_suffix: bool,
}

impl Normalizer {
    pub(super) fn new(
        settings: &Normalization,
        space_is_suffix: bool,
        user_defined: Option<&Trie>,
    ) -> Result<Self, Error> {
        let map = match settings.map.as_slice() {
            [] => None,
            blob => Some(CharsMap::parse(blob)?),
        };
        let kept = user_defined.map_or([false; 256], Trie::first_bytes);
        let mapped = map.as_ref().map_or([false; 256], CharsMap::first_bytes);
        let plain = std::array::from_fn(|byte| byte != usize::from(b' ') && !kept[byte] && !mapped[byte]);
        Ok(Self {
            map,
            plain,
            add_dummy_prefix: settings.add_dummy_prefix,
            remove_extra_whitespaces: settings.remove_extra_whitespaces,
            escape_whitespaces: settings.escape_whitespaces,
            space_is_suffix,
        })
    }

    /// The normalised text, with one more space or without. User-defined pieces pass through as they are.
    pub(super) fn normalize(&self, text: &str, dummy: bool, user_defined: Option<&Trie>) -> String {
        let mut rest = text;
        if self.remove_extra_whitespaces {
            while !rest.is_empty() {
                let (read, written) = self.prefix(rest, user_defined);
                if written != " " {
                    break;
                }
                rest = &rest[read..];
            }
        }
        if rest.is_empty() {
            return String::new();
        }
        let mut out = String::with_capacity(rest.len() + rest.len() / 2 + SPACE.len());
        if dummy && !self.space_is_suffix {
            out.push_str(self.space());
        }
        self.rewrite(rest, user_defined, &mut out);
        if self.remove_extra_whitespaces {
            let kept = out.trim_end_matches(self.space()).len();
            out.truncate(kept);
        }
        if dummy && self.space_is_suffix {
            out.push_str(self.space());
        }
        out
    }

    fn space(&self) -> &'static str {
        if self.escape_whitespaces { SPACE } else { " " }
    }

    fn rewrite(&self, mut rest: &str, user_defined: Option<&Trie>, out: &mut String) {
        let mut after_space = self.remove_extra_whitespaces;
        while !rest.is_empty() {
            let plain = self.plain_length(rest);
            if plain > 0 {
                out.push_str(&rest[..plain]);
                rest = &rest[plain..];
                after_space = false;
                continue;
            }
            let (read, mut written) = self.prefix(rest, user_defined);
            if after_space {
                written = written.trim_start_matches(' ');
            }
            if !written.is_empty() {
                self.write(written, out);
                after_space = self.remove_extra_whitespaces && written.ends_with(' ');
            }
            rest = &rest[read..];
        }
    }

    fn write(&self, written: &str, out: &mut String) {
        if !self.escape_whitespaces {
            return out.push_str(written);
        }
        for (at, part) in written.split(' ').enumerate() {
            if at > 0 {
                out.push_str(SPACE);
            }
            out.push_str(part);
        }
    }

    /// How many of the leading bytes nothing changes; whole characters.
    fn plain_length(&self, text: &str) -> usize {
        let bytes = text.as_bytes();
        let mut end = 0;
        while end < bytes.len() && self.plain[usize::from(bytes[end])] {
            end += 1;
            // The bytes inside a character follow its first.
            while end < bytes.len() && bytes[end] & 0xC0 == 0x80 {
                end += 1;
            }
        }
        end
    }

    /// The longest rule at the beginning of `text`: bytes read, and what is written for them.
    fn prefix<'a>(&'a self, text: &'a str, user_defined: Option<&Trie>) -> (usize, &'a str) {
        if let Some((length, _)) = user_defined.and_then(|trie| trie.longest(text.as_bytes())) {
            return (length, &text[..length]);
        }
        if let Some(found) = self.map.as_ref().and_then(|map| map.longest(text)) {
            return found;
        }
        let length = text.chars().next().map_or(0, char::len_utf8);
        (length, &text[..length])
    }
}

/// The precompiled map: a double array in the layout of darts-clone, whose values are places in a run of
/// texts that end in NUL.
#[derive(Clone, Debug)]
struct CharsMap {
    units: Vec<u32>,
    texts: String,
}

impl CharsMap {
    fn parse(blob: &[u8]) -> Result<Self, Error> {
        let broken = |reason: &str| Error::SentencePiece(format!("the map of characters {reason}"));
        let (size, rest) = blob.split_first_chunk::<4>().ok_or_else(|| broken("is cut off"))?;
        let size = u32::from_le_bytes(*size) as usize;
        let trie = rest.get(..size).ok_or_else(|| broken("is shorter than it says"))?;
        if size < 1024 || !size.is_multiple_of(1024) {
            return Err(broken("holds no whole blocks of 256 units"));
        }
        let units = trie.as_chunks::<4>().0.iter().map(|unit| u32::from_le_bytes(*unit)).collect();
        let texts = std::str::from_utf8(&rest[size..]).map_err(|_| broken("writes no UTF-8"))?;
        if !texts.ends_with('\0') {
            return Err(broken("has texts that do not end"));
        }
        Ok(Self { units, texts: texts.to_owned() })
    }

    fn first_bytes(&self) -> [bool; 256] {
        let root = offset(self.units[0]);
        std::array::from_fn(|byte| self.child(root, byte as u8).is_some())
    }

    /// The unit of the child by `byte` of a node whose children begin at `base`.
    fn child(&self, base: u32, byte: u8) -> Option<(u32, u32)> {
        let at = base ^ u32::from(byte);
        let unit = *self.units.get(at as usize)?;
        (label(unit) == u32::from(byte)).then_some((at, unit))
    }

    fn longest(&self, text: &str) -> Option<(usize, &str)> {
        let mut base = offset(self.units[0]);
        let mut found = None;
        for (read, &byte) in text.as_bytes().iter().enumerate() {
            let Some((at, unit)) = self.child(base, byte) else { break };
            base = at ^ offset(unit);
            if has_leaf(unit)
                && let Some(leaf) = self.units.get(base as usize)
            {
                found = Some((read + 1, (leaf & 0x7FFF_FFFF) as usize));
            }
        }
        let (read, start) = found?;
        // A map made by no trainer may point anywhere: such a rule is no rule, as in the reference.
        let written = self.texts.get(start..)?;
        let end = written.find('\0')?;
        text.is_char_boundary(read).then(|| (read, &written[..end]))
    }
}

fn has_leaf(unit: u32) -> bool {
    unit >> 8 & 1 == 1
}

fn label(unit: u32) -> u32 {
    unit & (1 << 31 | 0xFF)
}

fn offset(unit: u32) -> u32 {
    (unit >> 10) << ((unit & 1 << 9) >> 6)
}
