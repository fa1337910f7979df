//! Cutting a text into words by a pattern, before any merge.
//!
//! The patterns of this field end in `\s+(?!\S)|\s+`: a run of whitespace, but for its last character where a word follows.
//! That look-ahead is all that keeps them from a linear-time automaton, so it is done by hand, and everything else by
//! `regex-automata`; a pattern that needs more goes to `fancy-regex`, which backtracks.

use regex_automata::meta;
use regex_automata::{Anchored, Input};

use crate::Error;

/// A compiled split pattern.
#[derive(Clone, Debug)]
pub(crate) enum Splitter {
    /// The pattern without its last two alternatives as pattern 0, `\s+` as pattern 1.
    Automaton(Box<meta::Regex>),
    Backtracking(Box<fancy_regex::Regex>),
    /// Every character that is a number is a word.
    Digits,
}

/// What becomes of text that the pattern does not match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gaps {
    /// It is dropped, as tiktoken does.
    Drop,
    /// It is a word like any other, as Hugging Face's `Isolated` does.
    Keep,
}

const LOOK_AHEAD: &str = r"|\s+(?!\S)|\s+";
const RUN: &str = r"\s+";

impl Splitter {
    /// # Errors
    /// What is wrong with the pattern, in words.
    pub(crate) fn new(pattern: &str) -> Result<Self, String> {
        if let Some(words) = pattern.strip_suffix(LOOK_AHEAD)
            && let Ok(automaton) = meta::Regex::new_many(&[words, RUN])
        {
            return Ok(Splitter::Automaton(Box::new(automaton)));
        }
        match fancy_regex::Regex::new(pattern) {
            Ok(regex) => Ok(Splitter::Backtracking(Box::new(regex))),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Calls `word` with every word of `text`, in order.
    pub(crate) fn split<'t>(
        &self,
        text: &'t str,
        gaps: Gaps,
        mut word: impl FnMut(&'t str) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut at = 0;
        while at < text.len() {
            let Some((start, end)) = self.find(text, at)? else { break };
            if start > at && gaps == Gaps::Keep {
                word(&text[at..start])?;
            }
            if end > start {
                word(&text[start..end])?;
            }
            // A pattern that matches nothing at all still has to move on.
            at = if end > at { end } else { at + text[at..].chars().next().map_or(1, char::len_utf8) };
        }
        if at < text.len() && gaps == Gaps::Keep {
            word(&text[at..])?;
        }
        Ok(())
    }

    fn find(&self, text: &str, at: usize) -> Result<Option<(usize, usize)>, Error> {
        match self {
            Splitter::Automaton(automaton) => {
                // The patterns match everything, so the next word begins here: an anchored search need not look back
                // for its beginning.
                let input = Input::new(text).range(at..);
                let found = automaton
                    .search(&input.clone().anchored(Anchored::Yes))
                    .or_else(|| automaton.search(&input));
                Ok(found.map(|found| match found.pattern().as_usize() {
                    0 => (found.start(), found.end()),
                    _ => (found.start(), whitespace_end(text, found.start(), found.end())),
                }))
            }
            Splitter::Digits => {
                let found = text[at..].char_indices().find(|(_, character)| character.is_numeric());
                Ok(found.map(|(start, character)| (at + start, at + start + character.len_utf8())))
            }
            Splitter::Backtracking(regex) => match regex.find_from_pos(text, at) {
                Ok(found) => Ok(found.map(|found| (found.start(), found.end()))),
                Err(error) => Err(Error::Split { at, reason: error.to_string() }),
            },
        }
    }
}

/// Where `\s+(?!\S)|\s+` ends in a run of whitespace: before its last character if a word follows and the run is longer.
fn whitespace_end(text: &str, start: usize, end: usize) -> usize {
    if end == text.len() {
        return end;
    }
    let last = text[start..end].char_indices().next_back().map_or(0, |(at, _)| at);
    if last > 0 { start + last } else { end }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PATTERNS: [&str; 2] = [
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
        r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    ];

    fn words(splitter: &Splitter, text: &str) -> Vec<String> {
        let mut words = Vec::new();
        splitter
            .split(text, Gaps::Drop, |word| {
                words.push(word.to_owned());
                Ok(())
            })
            .unwrap();
        words
    }

    #[test]
    fn the_usual_patterns_run_on_the_automaton() {
        for pattern in PATTERNS {
            assert!(matches!(Splitter::new(pattern), Ok(Splitter::Automaton(_))));
        }
    }

    #[test]
    fn gaps_are_kept_or_dropped_as_asked() {
        let splitter = Splitter::new("[a-z]+").unwrap();
        let mut kept = Vec::new();
        splitter
            .split("1ab2", Gaps::Keep, |word| {
                kept.push(word);
                Ok(())
            })
            .unwrap();
        assert_eq!(kept, ["1", "ab", "2"]);
        assert_eq!(words(&splitter, "1ab2"), ["ab"]);
    }

    #[test]
    fn a_pattern_that_matches_nothing_comes_to_an_end() {
        assert_eq!(words(&Splitter::new("a*").unwrap(), "bab"), ["a"]);
    }

    proptest! {
        #[test]
        fn the_automaton_splits_as_the_backtracking_engine_does(
            text in "([ \t\n\r\u{a0}\u{3000}\u{85}]{0,4}('s|'LL|é|ſ|[a-c]{1,3}|[0-9]{1,5}|٣|中|!|\u{301}|👍|\\PC)?){0,12}",
        ) {
            for pattern in PATTERNS {
                let automaton = Splitter::new(pattern).unwrap();
                let backtracking = Splitter::Backtracking(Box::new(fancy_regex::Regex::new(pattern).unwrap()));
                prop_assert_eq!(words(&automaton, &text), words(&backtracking, &text));
            }
        }
    }
}
