//! Decoding one id at a time, for text that is shown while it is generated.

use crate::tokenizer::Decoder;
use crate::{Error, Tokenizer};

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
}

impl<'a> Stream<'a> {
    pub(crate) fn new(decoder: Box<dyn Decoder + 'a>) -> Self {
        Self { decoder }
    }

    /// A stream over a shared tokenizer: the same as [`Tokenizer::stream`].
    #[must_use]
    pub fn over(tokenizer: &'a dyn Tokenizer) -> Self {
        Self::new(tokenizer.decoder())
    }

    /// The text that `id` makes certain; often empty.
    ///
    /// # Errors
    /// [`Error::UnknownId`]; the stream goes on as if the id had not come.
    pub fn push(&mut self, id: u32) -> Result<String, Error> {
        let mut text = String::new();
        self.decoder.push(id, &mut text)?;
        Ok(text)
    }

    /// The text that was held back; the stream is then at the beginning again.
    pub fn finish(&mut self) -> String {
        let mut text = String::new();
        self.decoder.finish(&mut text);
        text
    }
}

impl std::fmt::Debug for Stream<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Stream")
    }
}
