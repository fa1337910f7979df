//! A text cut at the tokens that are not merged from it, as llama.cpp does it: the longest token of all first, wherever in
//! the text it stands, then the next.

use aho_corasick::{AhoCorasick, MatchKind};

use crate::text::finder::Cut;
use crate::{Error, Specials};

/// Tokens that are looked for in a text.
#[derive(Clone, Debug)]
pub(super) struct Partition {
    automaton: AhoCorasick,
    keys: Vec<Key>,
}

/// A token that is looked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Key {
    pub(super) id: u32,
    pub(super) when: When,
}

/// When a token is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When {
    /// In every text: it is a way to write that text.
    Always,
    /// Where text that spells a special token is that token.
    Parsed,
}

/// A token that was found; of equal length the first of the vocabulary goes first.
struct Found {
    start: usize,
    end: usize,
    key: usize,
}

impl Partition {
    /// None where there are no tokens to look for. A token without a name is none.
    pub(super) fn new<'a>(keys: impl IntoIterator<Item = (&'a str, Key)>) -> Result<Option<Self>, Error> {
        let (names, keys): (Vec<&str>, Vec<Key>) =
            keys.into_iter().filter(|(name, _)| !name.is_empty()).unzip();
        if names.is_empty() {
            return Ok(None);
        }
        let automaton = AhoCorasick::builder().match_kind(MatchKind::Standard).build(names);
        let automaton = automaton.map_err(|error| super::arrays::wrong("tokens", error.to_string()))?;
        Ok(Some(Partition { automaton, keys }))
    }

    /// Hands on the tokens in `text`, and what stands between them, in order; nothing empty.
    pub(super) fn cut<'t>(
        &self,
        text: &'t str,
        specials: Specials,
        mut part: impl FnMut(Cut<'t>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut begin = 0;
        for Found { start, end, key } in self.chosen(text, specials) {
            if begin < start {
                part(Cut::Between(&text[begin..start]))?;
            }
            part(Cut::Key(self.keys[key].id))?;
            begin = end;
        }
        if begin < text.len() {
            part(Cut::Between(&text[begin..]))?;
        }
        Ok(())
    }

    /// The tokens that stand in the text, none over another, in order.
    fn chosen(&self, text: &str, specials: Specials) -> Vec<Found> {
        let all = self.automaton.find_overlapping_iter(text);
        let all = all.map(|found| Found {
            start: found.start(),
            end: found.end(),
            key: found.pattern().as_usize(),
        });
        let wanted = |found: &Found| specials == Specials::Parse || self.keys[found.key].when == When::Always;
        let mut all: Vec<_> = all.filter(wanted).collect();
        all.sort_by_key(|found| (std::cmp::Reverse(found.end - found.start), found.key, found.start));
        let mut taken = vec![false; if all.is_empty() { 0 } else { text.len() }];
        all.retain(|found| {
            let free = !taken[found.start..found.end].contains(&true);
            if free {
                taken[found.start..found.end].fill(true);
            }
            free
        });
        all.sort_by_key(|found| found.start);
        all
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cut(names: &[&str], text: &str, specials: Specials) -> Vec<String> {
        let keys = names.iter().zip(0..);
        let when = |name: &str| if name.starts_with('<') { When::Parsed } else { When::Always };
        let partition = Partition::new(keys.map(|(name, id)| (*name, Key { id, when: when(name) }))).unwrap();
        let mut parts = Vec::new();
        let put = |part: Cut<'_>| {
            parts.push(match part {
                Cut::Key(id) => format!("[{}]", names[id as usize]),
                Cut::Between(text) => text.to_owned(),
            });
            Ok(())
        };
        partition.unwrap().cut(text, specials, put).unwrap();
        parts
    }

    #[test]
    fn the_longest_goes_first_wherever_it_stands() {
        assert_eq!(cut(&["ab", "bcd"], "abcdab", Specials::Literal), ["a", "[bcd]", "[ab]"]);
        assert_eq!(cut(&["  ", "    "], "a       b", Specials::Literal), ["a", "[    ]", "[  ]", " b"]);
        assert_eq!(cut(&["<s>", "x"], "x<s>x", Specials::Literal), ["[x]", "<s>", "[x]"]);
        assert_eq!(cut(&["<s>", "x"], "x<s>x", Specials::Parse), ["[x]", "[<s>]", "[x]"]);
    }

    /// llama.cpp's own way: token by token, each in all that is left.
    fn one_after_another(names: &[String], text: &str) -> Vec<String> {
        let mut order: Vec<_> = names.iter().collect();
        order.sort_by_key(|name| std::cmp::Reverse(name.len()));
        let mut parts = vec![Err(text.to_owned())];
        for name in order {
            let cut = |part: Result<String, String>| match part {
                Ok(token) => vec![Ok(token)],
                Err(text) => {
                    let between = text.split(name.as_str()).map(|text| Err(text.to_owned()));
                    let mut parts = Vec::new();
                    for text in between {
                        if !parts.is_empty() {
                            parts.push(Ok(format!("[{name}]")));
                        }
                        parts.push(text);
                    }
                    parts
                }
            };
            parts = parts.into_iter().flat_map(cut).collect();
        }
        parts
            .into_iter()
            .map(|part| part.unwrap_or_else(|text| text))
            .filter(|part| !part.is_empty())
            .collect()
    }

    proptest! {
        #[test]
        fn all_at_once_is_one_after_another(
            names in proptest::collection::btree_set("[a-b ]{1,4}", 1..8), text in "[a-c ]{0,20}",
        ) {
            let names: Vec<String> = names.into_iter().collect();
            let texts: Vec<&str> = names.iter().map(String::as_str).collect();
            prop_assert_eq!(cut(&texts, &text, Specials::Literal), one_after_another(&names, &text));
        }
    }
}
