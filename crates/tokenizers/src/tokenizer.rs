//! The trait that every format answers to.

use std::fmt;

use crate::{Error, Stream};

/// What to do with text that spells a special token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Specials {
    /// It is text like any other: a user can't forge a turn of the conversation.
    Literal,
    /// It is that token: for prompts that a chat template wrote.
    Parse,
}

/// A token that stands for no text of its own: begin, end, a role, a mask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Special {
    /// How it is spelled.
    pub name: String,
    /// Its id.
    pub id: u32,
}

/// The ids that a model expects around a text: BOS, EOS, `[gMASK] sop`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frame {
    /// The ids before the text.
    pub before: Vec<u32>,
    /// The ids after the text.
    pub after: Vec<u32>,
    /// The ids at which a generated text ends.
    pub stop: Vec<u32>,
}

impl Frame {
    /// `before`, then `ids`, then `after`.
    #[must_use]
    pub fn around(&self, ids: &[u32]) -> Vec<u32> {
        [&self.before, ids, &self.after].concat()
    }
}

/// Text to ids and back.
///
/// An object-safe trait, since which format a checkpoint ships is known only when its files are seen.
pub trait Tokenizer: fmt::Debug + Send + Sync {
    /// Appends the ids of `text` to `ids`, without BOS, EOS or any other frame.
    ///
    /// # Errors
    /// [`Error::TooLong`] for a text beyond what positions can count, [`Error::Split`] where a split pattern gives up.
    fn encode_into(&self, text: &str, specials: Specials, ids: &mut Vec<u32>) -> Result<(), Error>;

    /// A decoder at the beginning of a text.
    fn decoder(&self) -> Box<dyn Decoder + '_>;

    /// One more than the largest id; an id below it may still be unused.
    fn vocab_size(&self) -> usize;

    /// The bytes that `id` stands for, as the vocabulary spells them (`▁the` in a sentencepiece model).
    fn piece(&self, id: u32) -> Option<&[u8]>;

    /// The id that the vocabulary gives to exactly these bytes.
    fn id(&self, piece: &[u8]) -> Option<u32>;

    /// The special tokens, by id.
    fn specials(&self) -> &[Special];

    /// The ids that belong around a text.
    fn frame(&self) -> &Frame;

    /// The ids of `text`, without BOS, EOS or any other frame.
    ///
    /// # Errors
    /// As [`Tokenizer::encode_into`].
    fn encode(&self, text: &str, specials: Specials) -> Result<Vec<u32>, Error> {
        let mut ids = Vec::with_capacity(text.len() / 3 + 1);
        self.encode_into(text, specials, &mut ids)?;
        Ok(ids)
    }

    /// The text of `ids`. Bytes that are no UTF-8 become U+FFFD, as the format's reference does it.
    ///
    /// # Errors
    /// [`Error::UnknownId`] names the first id that the vocabulary does not have.
    fn decode(&self, ids: &[u32]) -> Result<String, Error> {
        let mut text = String::with_capacity(ids.len() * 4);
        self.decode_into(ids, &mut text)?;
        Ok(text)
    }

    /// Appends the text of `ids`, as [`Tokenizer::decode`] gives it: what [`Tokenizer::decoder`] makes of them, perhaps
    /// faster.
    ///
    /// # Errors
    /// As [`Tokenizer::decode`]; some text may then have been appended.
    fn decode_into(&self, ids: &[u32], text: &mut String) -> Result<(), Error> {
        let mut decoder = self.decoder();
        for &id in ids {
            decoder.push(id, text)?;
        }
        decoder.finish(text);
        Ok(())
    }

    /// A decoder that hands out text as soon as it is certain.
    fn stream(&self) -> Stream<'_> {
        Stream::new(self.decoder())
    }
}

/// Decoding as a fold over ids, so that a stream and a whole decode can't differ: both are this.
pub trait Decoder {
    /// Appends to `text` what `id` makes certain. Half a character is held back, and so is whatever a later id could change.
    ///
    /// # Errors
    /// [`Error::UnknownId`]; the decoder is then as it was before.
    fn push(&mut self, id: u32, text: &mut String) -> Result<(), Error>;

    /// Appends what is held back and returns to the beginning of a text.
    fn finish(&mut self, text: &mut String);
}
