//! Byte-level BPE: every byte is a token, words are cut by a pattern, pairs merge by rank.

use serde::Deserialize;

use crate::Error;
use crate::bpe::{ALONE, Merge, Merges, Scratch};
use crate::lossy::Lossy;
use crate::split::{Gaps, Splitter};
use crate::tokenizer::{Decoder, Frame, Special, Specials, Tokenizer};
use crate::vocabulary::Vocabulary;

/// Tokens that are bytes, and how a text becomes them.
#[derive(Clone, Debug)]
pub(crate) struct ByteBpe {
    pub(crate) vocabulary: Vocabulary,
    /// The token of each byte; a byte without one is left out.
    pub(crate) bytes: Box<[u32; 256]>,
    pub(crate) merges: Merges,
    /// One splitter cuts what the one before it left.
    pub(crate) splitters: Vec<Splitter>,
    pub(crate) gaps: Gaps,
    pub(crate) whole_words: WholeWords,
    pub(crate) specials: Vec<Special>,
    pub(crate) frame: Frame,
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

impl ByteBpe {
    fn split(
        &self,
        text: &str,
        splitters: &[Splitter],
        word: &mut dyn FnMut(&str) -> Result<(), Error>,
    ) -> Result<(), Error> {
        match splitters {
            [] => word(text),
            [last] => last.split(text, self.gaps, word),
            [first, rest @ ..] => first.split(text, self.gaps, |part| self.split(part, rest, word)),
        }
    }

    fn word(&self, word: &str, symbols: &mut Vec<u32>, scratch: &mut Scratch, ids: &mut Vec<u32>) {
        if self.whole_words == WholeWords::Take
            && let Some(id) = self.vocabulary.id(word.as_bytes())
        {
            return ids.push(id);
        }
        symbols.clear();
        symbols.extend(word.bytes().map(|byte| self.bytes[usize::from(byte)]));
        self.merges.apply(symbols, scratch);
        ids.extend(symbols.iter().filter(|&&symbol| symbol != ALONE));
    }
}

impl Tokenizer for ByteBpe {
    /// Special tokens are never looked for here; [`crate::open`] wraps what does.
    fn encode_into(&self, text: &str, _: Specials, ids: &mut Vec<u32>) -> Result<(), Error> {
        let limit = u32::MAX as usize;
        if text.len() > limit {
            return Err(Error::TooLong { bytes: text.len(), limit });
        }
        let (mut symbols, mut scratch) = (Vec::new(), Scratch::default());
        self.split(text, &self.splitters, &mut |word| {
            self.word(word, &mut symbols, &mut scratch, ids);
            Ok(())
        })
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
    let mut bytes = Vec::with_capacity(ids.len() * 4);
    for &id in ids {
        let unknown = || Error::UnknownId { id, size: vocabulary.len() };
        bytes.extend_from_slice(vocabulary.get(id).ok_or_else(unknown)?);
    }
    text.push_str(&String::from_utf8_lossy(&bytes));
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
