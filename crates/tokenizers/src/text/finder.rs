//! Where do keys stand in a text? Leftmost first, the longest at its place, none inside another; in linear time.

use aho_corasick::{AhoCorasick, MatchKind};

/// Keys to look for, each with a value.
#[derive(Clone, Debug)]
pub(crate) struct Finder {
    automaton: AhoCorasick,
    values: Vec<u32>,
}

/// A part of a text that was cut at keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut<'t> {
    /// A key, by its value.
    Key(u32),
    /// Text without a key.
    Between(&'t str),
}

/// A key in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) value: u32,
}

impl Finder {
    /// A finder of `keys`; none where there are none. Of two that are the same, the first stays; an empty key is no key.
    ///
    /// # Errors
    /// The keys are too many, in words.
    pub(crate) fn new<'a>(keys: impl IntoIterator<Item = (&'a str, u32)>) -> Result<Option<Self>, String> {
        let (keys, values): (Vec<&str>, Vec<u32>) =
            keys.into_iter().filter(|(key, _)| !key.is_empty()).unzip();
        if keys.is_empty() {
            return Ok(None);
        }
        let automaton = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(keys);
        Ok(Some(Self { automaton: automaton.map_err(|error| error.to_string())?, values }))
    }

    /// The keys in `text`, in order.
    pub(crate) fn find(&self, text: &str) -> impl Iterator<Item = Found> {
        self.automaton.find_iter(text).map(|found| Found {
            start: found.start(),
            end: found.end(),
            value: self.values[found.pattern().as_usize()],
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn keys_are_found_as_a_search_of_all_keys_at_every_place_finds_them(
            keys in proptest::collection::vec("[a-cé]{0,4}", 0..12),
            text in "[a-cé]{0,16}",
        ) {
            let finder = Finder::new(keys.iter().zip(0..).map(|(key, value)| (&**key, value))).unwrap();
            let mut expected = Vec::new();
            let mut at = 0;
            while let Some(character) = text[at..].chars().next() {
                let here = keys.iter().zip(0..).filter(|(key, _)| !key.is_empty() && text[at..].starts_with(&**key));
                match here.max_by_key(|&(key, value)| (key.len(), std::cmp::Reverse(value))) {
                    Some((key, value)) => {
                        expected.push(Found { start: at, end: at + key.len(), value });
                        at += key.len();
                    }
                    None => at += character.len_utf8(),
                }
            }
            let found: Vec<_> = finder.iter().flat_map(|finder| finder.find(&text)).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
