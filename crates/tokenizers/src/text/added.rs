//! Tokens that are added to a model's own: cut out of a text before anything else happens to it.

use regex_automata::meta::Regex;

use super::finder::{Finder, Found};
use crate::{AddedToken, Error, Specials};

/// The added tokens that are looked for in one form of the text: as given, or normalised.
#[derive(Clone, Debug)]
pub(crate) struct Added {
    finder: Finder,
    tokens: Vec<Token>,
    word: Regex,
}

#[derive(Clone, Copy, Debug)]
struct Token {
    id: u32,
    special: bool,
    single_word: bool,
    /// Whether it takes the whitespace on its left with it.
    left: bool,
    right: bool,
}

/// A part of a text that was cut at added tokens.
pub(crate) enum Part<'t> {
    Token(u32),
    /// Where it stands in the text, and the text itself.
    Text(usize, &'t str),
}

impl Added {
    /// `tokens` by how each is spelled; none where there are none.
    pub(crate) fn new(tokens: &[(String, &AddedToken)]) -> Result<Option<Self>, String> {
        let keys = tokens.iter().zip(0..).map(|((spelled, _), at)| (&**spelled, at));
        let Some(finder) = Finder::new(keys)? else { return Ok(None) };
        let tokens = tokens.iter().map(|(_, token)| Token {
            id: token.id,
            special: token.special,
            single_word: token.single_word,
            left: token.lstrip,
            right: token.rstrip,
        });
        let word = Regex::new(r"^\w").map_err(|error| error.to_string())?;
        Ok(Some(Self { finder, tokens: tokens.collect(), word }))
    }

    /// Hands on the tokens that stand in `text`, and what stands between them, in order.
    ///
    /// A token that does not count (a special one that is to be text, a part of a word) still hides those inside it; and
    /// the whitespace that a token takes may reach into the next one: both as `tokenizers` does it.
    ///
    /// # Errors
    /// The first error of `part`.
    pub(crate) fn cut<'t>(
        &self,
        text: &'t str,
        specials: Specials,
        mut part: impl FnMut(Part<'t>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let (mut begin, mut taken) = (0, 0);
        for Found { mut start, mut end, value } in self.finder.find(text) {
            let token = self.tokens[value as usize];
            let literal = token.special && specials == Specials::Literal;
            if literal || token.single_word && self.is_part_of_word(text, start, end) {
                continue;
            }
            if token.left {
                start = begin + text.get(begin..start).map_or(0, |before| before.trim_end().len());
            }
            if token.right {
                // Whitespace that was taken once is not looked through again.
                if end > taken {
                    taken = text.len() - text[end..].trim_start().len();
                }
                end = taken;
            }
            if begin < start {
                part(Part::Text(begin, &text[begin..start]))?;
            }
            part(Part::Token(token.id))?;
            begin = end;
        }
        if begin < text.len() {
            part(Part::Text(begin, &text[begin..]))?;
        }
        Ok(())
    }

    fn is_part_of_word(&self, text: &str, start: usize, end: usize) -> bool {
        let is_word = |character: Option<char>| {
            character.is_some_and(|character| self.word.is_match(&*character.encode_utf8(&mut [0; 4])))
        };
        is_word(text[..start].chars().next_back()) || is_word(text[end..].chars().next())
    }
}
