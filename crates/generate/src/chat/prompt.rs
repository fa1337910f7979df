//! A conversation as the model reads it: texts and tokens, in order.

use camelid_tokenizers::{Specials, Tokenizer};

use crate::Error;

/// How a family's own template makes ids: the word `join` of its `[chat]` table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Join {
    /// The whole prompt is one text; text that spells a special token is that token.
    #[default]
    Text,
    /// The prompt is a row of pieces, encoded one by one. In the template, `token(NAME)` is a token, and `alone(TEXT)` a
    /// text in which nothing is special; what stands between them is a text in which special tokens are.
    Ids,
}

/// A piece of a prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// A token by name.
    Token(String),
    /// A text in which the names of special tokens are text.
    Literal(String),
    /// A text in which they are tokens.
    Parsed(String),
}

/// A prompt: pieces that are encoded one by one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Prompt {
    /// The pieces in order.
    pub pieces: Vec<Piece>,
}

impl Prompt {
    /// A prompt of a single text.
    #[must_use]
    pub fn of(text: String) -> Prompt {
        Prompt { pieces: vec![Piece::Parsed(text)] }
    }

    /// The prompt as one text.
    #[must_use]
    pub fn text(&self) -> String {
        let texts = self.pieces.iter().map(|piece| match piece {
            Piece::Token(text) | Piece::Literal(text) | Piece::Parsed(text) => text.as_str(),
        });
        texts.collect()
    }

    /// The ids of the pieces, one after the other, without BOS or any other frame: the template writes those itself.
    ///
    /// # Errors
    /// [`Error::NoToken`]; what the tokenizer says.
    pub fn ids(&self, tokenizer: &dyn Tokenizer) -> Result<Vec<u32>, Error> {
        let mut ids = Vec::new();
        for piece in &self.pieces {
            match piece {
                Piece::Token(name) => ids.push(id(tokenizer, name)?),
                Piece::Literal(text) => tokenizer.encode_into(text, Specials::Literal, &mut ids)?,
                Piece::Parsed(text) => tokenizer.encode_into(text, Specials::Parse, &mut ids)?,
            }
        }
        Ok(ids)
    }
}

/// The id of a special token, or of the piece that is spelled so.
fn id(tokenizer: &dyn Tokenizer, name: &str) -> Result<u32, Error> {
    let special = tokenizer.specials().iter().find(|special| special.name == name).map(|special| special.id);
    special.or_else(|| tokenizer.id(name.as_bytes())).ok_or_else(|| Error::NoToken(name.to_owned()))
}

/// Letters that no text of a conversation holds, and that stand around pieces while a template is rendered.
#[derive(Debug, Clone, Copy)]
pub(super) struct Marks {
    token: char,
    literal: char,
    end: char,
    /// Where the last message ends.
    pub(super) here: char,
}

impl Marks {
    /// Marks that do not stand in any of `texts`.
    pub(super) fn outside<'t>(texts: impl Iterator<Item = &'t str>) -> Result<Marks, Error> {
        let mut free: Vec<char> = ('\u{fdd0}'..='\u{fdef}').collect(); // assigned to nothing, for use inside a program
        for text in texts {
            free.retain(|mark| !text.contains(*mark));
        }
        match free[..] {
            [token, literal, end, here, ..] => Ok(Marks { token, literal, end, here }),
            _ => Err(Error::Conversation("the texts hold all of U+FDD0 to U+FDEF".into())),
        }
    }

    pub(super) fn token(self, name: &str) -> String {
        format!("{}{name}{}", self.token, self.end)
    }

    pub(super) fn literal(self, text: &str) -> String {
        format!("{}{text}{}", self.literal, self.end)
    }

    /// The pieces of a rendered text. The last may lack its end.
    pub(super) fn pieces(self, mut text: &str) -> Prompt {
        let mut pieces = Vec::new();
        let mut push = |piece: fn(String) -> Piece, text: &str| {
            if !text.is_empty() {
                pieces.push(piece(text.to_owned()));
            }
        };
        while let Some(at) = text.find([self.token, self.literal]) {
            push(Piece::Parsed, &text[..at]);
            let piece = if text[at..].starts_with(self.token) { Piece::Token } else { Piece::Literal };
            let inner = &text[at + self.token.len_utf8()..];
            let (inner, rest) = inner.split_once(self.end).unwrap_or((inner, ""));
            push(piece, inner);
            text = rest;
        }
        push(Piece::Parsed, text);
        Prompt { pieces }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_none_of_the_conversation_s_letters() {
        let marks = Marks::outside(["a\u{fdd0}", "\u{fdd2}b"].into_iter()).expect("some are free");
        let text = format!("x{}{}y{}", marks.token("<s>"), marks.literal("\u{fdd0}<s>"), marks.literal("z"));
        let [x, y] = ["x", "y"].map(|text| Piece::Parsed(text.into()));
        let token = Piece::Token("<s>".into());
        let literal = |text: &str| Piece::Literal(text.into());
        let prompt = marks.pieces(&text);
        assert_eq!(prompt.pieces, [x, token, literal("\u{fdd0}<s>"), y, literal("z")]);
        assert_eq!(prompt.text(), "x<s>\u{fdd0}<s>yz");
        let all: String = ('\u{fdd0}'..='\u{fdef}').collect();
        assert!(Marks::outside([all.as_str()].into_iter()).is_err());
    }
}
