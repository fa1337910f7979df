//! What of a prompt is a token by its name, or a text that is encoded by itself: marks in the rendered text.
//!
//! A mark is a character that stands in no text (Unicode keeps U+FDD0…U+FDEF free for such use), the content, and an end. In
//! the content, these characters are written as an escape, so that no message can forge a mark.

use camelid_tokenizers::{Specials, Tokenizer};

use crate::Error;

const TOKEN: char = '\u{FDD0}';
const ALONE: char = '\u{FDD1}';
const END: char = '\u{FDD2}';
const ESCAPE: char = '\u{FDD3}';

/// Whether a template sets marks; those that checkpoints bring know nothing of them.
pub(super) fn are_marked(template: &str) -> bool {
    template.contains("alone(") && template.contains("token(")
}

/// Marks a token, by name.
pub(super) fn token(name: String) -> String {
    format!("{TOKEN}{}{END}", escaped(&name))
}

/// Marks a text that is encoded by itself.
pub(super) fn alone(text: String) -> String {
    format!("{ALONE}{}{END}", escaped(&text))
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        if matches!(letter, TOKEN | ALONE | END | ESCAPE) {
            out.push(ESCAPE);
        }
        out.push(letter);
    }
    out
}

/// A part of a prompt.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Part {
    Token(String),
    Alone(String),
    /// Text in which special tokens are looked for.
    Text(String),
}

/// The parts of a rendered prompt, in order; no text is empty.
pub(super) fn parts(rendered: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut text = String::new();
    let mut letters = rendered.chars();
    while let Some(letter) = letters.next() {
        if !matches!(letter, TOKEN | ALONE) {
            text.push(letter);
            continue;
        }
        if !text.is_empty() {
            parts.push(Part::Text(std::mem::take(&mut text)));
        }
        let content = content(&mut letters);
        parts.push(if letter == TOKEN { Part::Token(content) } else { Part::Alone(content) });
    }
    if !text.is_empty() {
        parts.push(Part::Text(text));
    }
    parts
}

/// What stands up to the end of a mark, without escapes.
fn content(letters: &mut std::str::Chars<'_>) -> String {
    let mut content = String::new();
    while let Some(letter) = letters.next() {
        match letter {
            END => break,
            ESCAPE => content.extend(letters.next()),
            letter => content.push(letter),
        }
    }
    content
}

impl Part {
    /// Appends the part's ids.
    pub(super) fn encode(
        &self,
        tokenizer: &dyn Tokenizer,
        template: &str,
        ids: &mut Vec<u32>,
    ) -> Result<(), Error> {
        match self {
            Part::Token(name) => {
                let missing = || Error::Template {
                    name: template.to_owned(),
                    line: None,
                    message: format!("the vocabulary has no token {name:?}"),
                };
                ids.push(tokenizer.id(name.as_bytes()).ok_or_else(missing)?);
            }
            Part::Alone(text) => tokenizer.encode_into(text, Specials::Literal, ids)?,
            Part::Text(text) => tokenizer.encode_into(text, Specials::Parse, ids)?,
        }
        Ok(())
    }

    /// The part as text.
    pub(super) fn into_text(self) -> String {
        match self {
            Part::Token(text) | Part::Alone(text) | Part::Text(text) => text,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_content_forges_a_mark(name in "[a\u{FDD0}-\u{FDD3}]{0,6}", text in "[a\u{FDD0}-\u{FDD3}]{0,6}") {
            let rendered = format!("x{}{}y", token(name.clone()), alone(text.clone()));
            let expected = vec![
                Part::Text("x".into()), Part::Token(name), Part::Alone(text), Part::Text("y".into()),
            ];
            prop_assert_eq!(parts(&rendered), expected);
        }
    }
}
