//! The trait that every format answers to.

use std::fmt;

use super::error::Error;

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

/// Ids in, text out; never half a character, and the pieces joined are the whole decode.
///
/// ```
/// # fn main() -> Result<(), camelid_tokenizers::Error> {
/// # use camelid_tokenizers::{Settings, Specials, Tokenizer};
/// # let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/bpe.model");
/// let tokenizer = camelid_tokenizers::open(&path, &Settings::default())?;
/// let ids = tokenizer.encode("été, 雪", Specials::Literal)?;
/// let mut stream = tokenizer.stream();
/// let mut shown = String::new();
/// for id in ids {
///     shown += &stream.push(id)?;
/// }
/// shown += &stream.finish();
/// assert_eq!(shown, "été, 雪");
/// # Ok(())
/// # }
/// ```
pub struct Stream<'a> {
    decoder: Box<dyn Decoder + 'a>,
    /// Bytes of text that were the last ids' before this stream began.
    before: usize,
}

impl<'a> Stream<'a> {
    pub(crate) fn new(decoder: Box<dyn Decoder + 'a>) -> Self {
        Self { decoder, before: 0 }
    }

    /// A stream over a shared tokenizer: the same as [`Tokenizer::stream`].
    #[must_use]
    pub fn over(tokenizer: &'a dyn Tokenizer) -> Self {
        Self::new(tokenizer.decoder())
    }

    /// A stream that goes on where `ids` end: their text and this one's, joined, are the text of all ids. (A stream of its
    /// own would take a leading space for that which a text begins with.)
    #[must_use]
    pub fn after(tokenizer: &'a dyn Tokenizer, ids: &[u32]) -> Self {
        let mut stream = Self::over(tokenizer);
        let mut whole = Self::over(tokenizer);
        for &id in ids {
            // An id without a text changes nothing.
            let _ = (stream.push(id), whole.push(id));
        }
        stream.before = whole.finish().len();
        stream
    }

    /// The text that `id` makes certain; often empty.
    ///
    /// # Errors
    /// [`Error::UnknownId`]; the stream goes on as if the id had not come.
    pub fn push(&mut self, id: u32) -> Result<String, Error> {
        let mut text = String::new();
        self.decoder.push(id, &mut text)?;
        Ok(self.new_part(text))
    }

    /// The text that was held back; the stream is then at the beginning again.
    pub fn finish(&mut self) -> String {
        let mut text = String::new();
        self.decoder.finish(&mut text);
        let text = self.new_part(text);
        self.before = 0;
        text
    }

    /// Text without what was there before the stream began.
    fn new_part(&mut self, mut text: String) -> String {
        let mut at = self.before.min(text.len());
        while !text.is_char_boundary(at) {
            at += 1;
        }
        self.before -= at.min(self.before);
        text.split_off(at)
    }
}

impl std::fmt::Debug for Stream<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Stream")
    }
}
