//! A usual `tokenizer.json`, encoded here: what `tokenizers` makes of it, several times as fast.
//!
//! text → cut at added tokens → normalise → cut at added tokens that are spelled normalised → words → BPE.

use std::borrow::Cow;

use super::file::PrependScheme;
use crate::merging::bytes::ByteEncoder;
use crate::merging::characters::Characters;
use crate::merging::vocabulary::Vocabulary;
use crate::text::added::{Added, Part};
use crate::{Error, Specials};

#[derive(Debug)]
pub(super) struct Usual {
    /// Looked for in the text as given.
    pub(super) raw: Option<Added>,
    pub(super) steps: Vec<Step>,
    /// Looked for in normalised text.
    pub(super) normalized: Option<Added>,
    pub(super) words: Words,
}

/// A step of normalisation.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Nfc,
    Prepend(String),
    Replace(String, String),
}

/// How a text without added tokens becomes ids.
#[derive(Debug)]
pub(super) enum Words {
    Bytes(ByteEncoder),
    Characters(Option<Spaces>, Characters),
}

/// Spaces that become visible, perhaps one more before a text, perhaps the beginning of a word.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spaces {
    pub(super) symbol: char,
    pub(super) prepend: PrependScheme,
    pub(super) split: bool,
}

impl Usual {
    pub(super) fn encode(
        &self,
        pieces: &Vocabulary,
        text: &str,
        specials: Specials,
        ids: &mut Vec<u32>,
    ) -> Result<(), Error> {
        let limit = u32::MAX as usize;
        if text.len() > limit {
            return Err(Error::TooLong { bytes: text.len(), limit });
        }
        cut(self.raw.as_ref(), text, specials, |part| match part {
            Part::Token(id) => {
                ids.push(id);
                Ok(())
            }
            Part::Text(raw_at, text) => {
                let text = normalize(&self.steps, text);
                cut(self.normalized.as_ref(), &text, specials, |part| match part {
                    Part::Token(id) => {
                        ids.push(id);
                        Ok(())
                    }
                    Part::Text(at, text) => self.words.encode(pieces, text, raw_at + at == 0, ids),
                })
            }
        })
    }
}

impl Words {
    fn encode(
        &self,
        pieces: &Vocabulary,
        text: &str,
        at_start: bool,
        ids: &mut Vec<u32>,
    ) -> Result<(), Error> {
        match self {
            Words::Bytes(encoder) => return encoder.encode(pieces, text, ids),
            Words::Characters(None, characters) => characters.encode(text, ids),
            Words::Characters(Some(spaces), characters) => {
                let text = spaces.show(text, at_start);
                let mut rest = &*text;
                while !rest.is_empty() {
                    let (word, after) = rest.split_at(spaces.word_end(rest));
                    characters.encode(word, ids);
                    rest = after;
                }
            }
        }
        Ok(())
    }
}

impl Spaces {
    fn show(self, text: &str, at_start: bool) -> String {
        let mut shown = text.replace(' ', self.symbol.encode_utf8(&mut [0; 4]));
        let wanted = match self.prepend {
            PrependScheme::Always => true,
            PrependScheme::First => at_start,
            PrependScheme::Never => false,
        };
        if wanted && !shown.starts_with(self.symbol) {
            shown.insert(0, self.symbol);
        }
        shown
    }

    /// Where the first word of a text ends: before the next space, or at the end.
    fn word_end(self, text: &str) -> usize {
        let next = || text.char_indices().skip(1).find(|&(_, character)| character == self.symbol);
        if self.split { next().map_or(text.len(), |(at, _)| at) } else { text.len() }
    }
}

fn cut<'t>(
    added: Option<&Added>,
    text: &'t str,
    specials: Specials,
    mut part: impl FnMut(Part<'t>) -> Result<(), Error>,
) -> Result<(), Error> {
    match added {
        Some(added) => added.cut(text, specials, part),
        None if text.is_empty() => Ok(()),
        None => part(Part::Text(0, text)),
    }
}

/// Takes every step in turn.
pub(super) fn normalize<'t>(steps: &[Step], text: &'t str) -> Cow<'t, str> {
    let mut text = Cow::Borrowed(text);
    for step in steps {
        let changed = match step {
            Step::Nfc => match crate::text::unicode::nfc_of_hf(&text) {
                Cow::Borrowed(_) => None,
                Cow::Owned(composed) => Some(composed),
            },
            Step::Prepend(prefix) if !text.is_empty() => Some(format!("{prefix}{text}")),
            Step::Replace(from, to) if text.contains(&**from) => Some(text.replace(&**from, to)),
            Step::Prepend(_) | Step::Replace(..) => None,
        };
        if let Some(changed) = changed {
            text = Cow::Owned(changed);
        }
    }
    text
}
