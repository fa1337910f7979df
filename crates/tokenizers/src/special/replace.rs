//! Texts that stand for pieces: out of a text before encoding, back into it after decoding.

use std::borrow::Cow;

use crate::text::trie::Trie;
use crate::{Error, Replace};

/// The replacements of a family, in order.
#[derive(Clone, Debug)]
pub(crate) struct Replacer {
    /// Text to piece, in the order of application.
    pairs: Vec<(String, String)>,
    /// The pieces, by what they begin with; the value is the index of the pair.
    pieces: Trie,
}

/// The longest run that one replacement may name.
const LONGEST_RUN: usize = 4096;

impl Replacer {
    pub(crate) fn new(settings: &[Replace]) -> Result<Option<Self>, Error> {
        let mut pairs = Vec::new();
        for (at, replace) in settings.iter().enumerate() {
            let wrong = |reason: &str| Error::setting(format!("replace.{at}"), reason);
            if replace.text.is_empty() || replace.piece.is_empty() {
                return Err(wrong("an empty text or piece"));
            }
            let Some([least, most]) = replace.times else {
                pairs.push((replace.text.clone(), replace.piece.clone()));
                continue;
            };
            if least < 1 || least > most || most > LONGEST_RUN {
                return Err(wrong("times must be two numbers from 1 to 4096, the least first"));
            }
            if !replace.piece.contains("{}") {
                return Err(wrong("the piece of a run must hold {}, the number of times"));
            }
            pairs.extend(
                (least..=most).rev().map(|times| {
                    (replace.text.repeat(times), replace.piece.replace("{}", &times.to_string()))
                }),
            );
        }
        if pairs.is_empty() {
            return Ok(None);
        }
        let mut pieces: Vec<_> =
            pairs.iter().zip(0..).map(|((_, piece), at)| (piece.as_bytes(), at)).collect();
        pieces.sort_unstable();
        if let Some(twice) = pieces.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            let piece = String::from_utf8_lossy(twice[0].0);
            return Err(Error::setting("replace", format!("two texts become {piece:?}")));
        }
        let pieces = Trie::new(pieces);
        Ok(Some(Self { pairs, pieces }))
    }

    /// Every replacement in turn, over the whole text.
    pub(crate) fn apply<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut text = Cow::Borrowed(text);
        for (from, to) in &self.pairs {
            if text.contains(from) {
                text = Cow::Owned(text.replace(from, to));
            }
        }
        text
    }
}

/// The way back, piece by piece as text arrives.
#[derive(Debug)]
pub(crate) struct Restorer<'a> {
    replacer: &'a Replacer,
    /// What may be the beginning of a piece.
    held: String,
}

impl<'a> Restorer<'a> {
    pub(crate) fn new(replacer: &'a Replacer) -> Self {
        Self { replacer, held: String::new() }
    }

    pub(crate) fn push(&mut self, text: &str, out: &mut String) {
        self.held.push_str(text);
        let kept = self.rewrite(out, false);
        self.held.drain(..kept);
    }

    pub(crate) fn finish(&mut self, out: &mut String) {
        self.rewrite(out, true);
        self.held.clear();
    }

    /// Writes what is settled and says how much of `held` that was.
    fn rewrite(&self, out: &mut String, last: bool) -> usize {
        let bytes = self.held.as_bytes();
        let (mut begin, mut at) = (0, 0);
        while at < bytes.len() {
            let rest = &bytes[at..];
            if let Some((length, pair)) = self.replacer.pieces.longest(rest) {
                out.push_str(&self.held[begin..at]);
                out.push_str(&self.replacer.pairs[pair as usize].0);
                at += length;
                begin = at;
            } else if !last && self.replacer.pieces.continues(rest) {
                break;
            } else {
                at += 1;
            }
        }
        out.push_str(&self.held[begin..at]);
        at
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn replacer() -> Replacer {
        let settings = [
            Replace { text: "\n".into(), piece: "<n>".into(), times: None },
            Replace { text: " ".into(), piece: "<|blank_{}|>".into(), times: Some([2, 5]) },
        ];
        Replacer::new(&settings).unwrap().unwrap()
    }

    #[test]
    fn the_longest_run_is_replaced_first() {
        let spaces = " ".repeat(8);
        assert_eq!(replacer().apply(&format!("a{spaces}b \n")), "a<|blank_5|><|blank_3|>b <n>");
    }

    #[test]
    fn a_run_without_its_number_is_refused() {
        let run = Replace { text: " ".into(), piece: "<|blank|>".into(), times: Some([2, 5]) };
        assert!(Replacer::new(&[run]).is_err());
    }

    proptest! {
        #[test]
        fn restoring_undoes_replacing_however_the_text_is_cut(
            text in "[a< |>\n]{0,20}( {0,9}|<n|<\\|blank_|\n){0,4}",
            cuts in proptest::collection::vec(1usize..4, 0..40),
        ) {
            let replacer = replacer();
            let replaced = replacer.apply(&text);
            let mut restorer = Restorer::new(&replacer);
            let mut out = String::new();
            let mut rest = &*replaced;
            for cut in cuts {
                let (head, tail) = rest.split_at(cut.min(rest.len()));
                restorer.push(head, &mut out);
                rest = tail;
            }
            restorer.push(rest, &mut out);
            restorer.finish(&mut out);
            prop_assert_eq!(out, text);
        }
    }
}
