//! Byte-level BPE: every byte is a token, words are cut by a pattern, pairs merge by rank.

use serde::Deserialize;

use crate::Error;
use crate::merging::bpe::{ALONE, Merge, Merges, Scratch};
use crate::merging::vocabulary::Vocabulary;
use crate::text::lossy::Lossy;
use crate::text::split::{Gaps, Splitter};
use crate::{Decoder, Frame, Special, Specials, Tokenizer};

/// Tokens that are bytes, and how a text becomes them.
#[derive(Clone, Debug)]
pub(crate) struct ByteBpe {
    pub(crate) vocabulary: Vocabulary,
    pub(crate) encoder: ByteEncoder,
    pub(crate) specials: Vec<Special>,
    pub(crate) frame: Frame,
}

/// How a text becomes tokens that are bytes: words, which are a token or are merged from bytes.
#[derive(Clone, Debug)]
pub(crate) struct ByteEncoder {
    /// The token of each byte; a byte without one is left out.
    pub(crate) bytes: Box<[u32; 256]>,
    pub(crate) merges: Merges,
    /// One splitter cuts what the one before it left.
    pub(crate) splitters: Vec<(Splitter, Gaps)>,
    /// By id: whether a word that spells this token is this token.
    pub(crate) whole: Vec<bool>,
}

/// What is done with a word that is a token as it stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum WholeWords {
    /// It is that token, whether or not merges lead there.
    Take,
    /// It is what merges make of it.
    #[default]
    Merge,
}

impl ByteEncoder {
    /// Finds out which words are whole: asked once of every token, so that a word that is one need not be merged.
    pub(crate) fn with_whole_words(mut self, vocabulary: &Vocabulary, whole_words: WholeWords) -> Self {
        let (mut symbols, mut scratch) = (Vec::new(), Scratch::default());
        let ids = 0..vocabulary.len() as u32;
        let whole = ids.map(|id| match (whole_words, vocabulary.get(id)) {
            (WholeWords::Take, _) => true,
            (WholeWords::Merge, None) => false,
            (WholeWords::Merge, Some(token)) => {
                self.merge(token, &mut symbols, &mut scratch);
                symbols == [id]
            }
        });
        self.whole = whole.collect();
        self
    }

    /// Appends the ids of `text`, none of which is special.
    pub(crate) fn encode(
        &self,
        vocabulary: &Vocabulary,
        text: &str,
        ids: &mut Vec<u32>,
    ) -> Result<(), Error> {
        let limit = u32::MAX as usize;
        if text.len() > limit {
            return Err(Error::TooLong { bytes: text.len(), limit });
        }
        let (mut symbols, mut scratch) = (Vec::new(), Scratch::default());
        self.split(text, &self.splitters, &mut |word| {
            match vocabulary.id(word.as_bytes()).filter(|&id| self.whole[id as usize]) {
                Some(id) => ids.push(id),
                None => {
                    self.merge(word.as_bytes(), &mut symbols, &mut scratch);
                    ids.extend(symbols.iter().filter(|&&symbol| symbol != ALONE));
                }
            }
            Ok(())
        })
    }

    fn split(
        &self,
        text: &str,
        splitters: &[(Splitter, Gaps)],
        word: &mut dyn FnMut(&str) -> Result<(), Error>,
    ) -> Result<(), Error> {
        match splitters {
            [] => word(text),
            [(last, gaps)] => last.split(text, *gaps, word),
            [(first, gaps), rest @ ..] => first.split(text, *gaps, |part| self.split(part, rest, word)),
        }
    }

    fn merge(&self, word: &[u8], symbols: &mut Vec<u32>, scratch: &mut Scratch) {
        symbols.clear();
        symbols.extend(word.iter().map(|&byte| self.bytes[usize::from(byte)]));
        self.merges.apply(symbols, scratch);
    }
}

impl Tokenizer for ByteBpe {
    /// Special tokens are never looked for here; [`crate::open`] wraps what does.
    fn encode_into(&self, text: &str, _: Specials, ids: &mut Vec<u32>) -> Result<(), Error> {
        self.encoder.encode(&self.vocabulary, text, ids)
    }

    fn decoder(&self) -> Box<dyn Decoder + '_> {
        Box::new(ByteDecoder { vocabulary: &self.vocabulary, bytes: Lossy::default() })
    }

    fn decode_into(&self, ids: &[u32], text: &mut String) -> Result<(), Error> {
        decode_bytes(&self.vocabulary, ids, text)
    }

    fn vocab_size(&self) -> usize {
        self.vocabulary.len()
    }

    fn piece(&self, id: u32) -> Option<&[u8]> {
        self.vocabulary.get(id)
    }

    fn id(&self, piece: &[u8]) -> Option<u32> {
        self.vocabulary.id(piece)
    }

    fn specials(&self) -> &[Special] {
        &self.specials
    }

    fn frame(&self) -> &Frame {
        &self.frame
    }
}

/// Tokens that are bytes, back to text.
pub(crate) struct ByteDecoder<'a> {
    pub(crate) vocabulary: &'a Vocabulary,
    pub(crate) bytes: Lossy,
}

impl Decoder for ByteDecoder<'_> {
    fn push(&mut self, id: u32, text: &mut String) -> Result<(), Error> {
        let unknown = || Error::UnknownId { id, size: self.vocabulary.len() };
        self.bytes.push(self.vocabulary.get(id).ok_or_else(unknown)?, text);
        Ok(())
    }

    fn finish(&mut self, text: &mut String) {
        self.bytes.finish(text);
    }
}

/// Decodes all bytes at once: the same as a [`ByteDecoder`], since both decode lossily by maximal parts.
pub(crate) fn decode_bytes(vocabulary: &Vocabulary, ids: &[u32], text: &mut String) -> Result<(), Error> {
    // Into the text itself where it is empty, so that nothing is copied twice.
    let mut bytes = if text.is_empty() { std::mem::take(text).into_bytes() } else { Vec::new() };
    for &id in ids {
        let unknown = || Error::UnknownId { id, size: vocabulary.len() };
        bytes.extend_from_slice(vocabulary.get(id).ok_or_else(unknown)?);
    }
    match String::from_utf8(bytes) {
        Ok(decoded) if text.is_empty() => *text = decoded,
        Ok(decoded) => text.push_str(&decoded),
        Err(error) => text.push_str(&String::from_utf8_lossy(error.as_bytes())),
    }
    Ok(())
}

/// The merges of a vocabulary in which a token's id is its rank: every way in which a token is two others.
pub(crate) fn merges_by_rank(vocabulary: &Vocabulary) -> Merges {
    let mut merges = Merges::with_capacity(vocabulary.len() * 2);
    for id in 0..vocabulary.len() as u32 {
        let token = vocabulary.get(id).unwrap_or_default();
        for at in 1..token.len() {
            let (left, right) = token.split_at(at);
            if let Some(left) = vocabulary.id(left)
                && let Some(right) = vocabulary.id(right)
            {
                merges.insert(left, right, Merge { rank: id, symbol: id });
            }
        }
    }
    merges
}
