//! Pieces that characters merge to by a list: `model = "gemma4"`.
//!
//! Spaces are `▁`; a run of line ends is a word of its own, and the piece that spells it where there is one; the characters of a
//! word merge, the earliest merge of the list first; a character that is no piece becomes its bytes. Decoding is
//! sentencepiece's.

use super::arrays::wrong;
use crate::formats::sentencepiece::Model;
use crate::merging::bpe::{ALONE, Merge, Merges};
use crate::merging::characters::{Characters, Unknown};
use crate::merging::symbols::{Seams, Symbols};
use crate::{Decoder, Error, Frame, Special, Specials, Tokenizer};

/// How such a vocabulary spells a space.
const SPACE: &str = "▁";

/// A vocabulary of pieces with their merges.
#[derive(Debug)]
pub(super) struct Merged {
    /// The pieces; its own search is not used.
    pieces: Model,
    characters: Characters,
}

impl Merged {
    pub(super) fn new(pieces: Model, lines: &[String]) -> Result<Self, Error> {
        let mut symbols = Symbols::default();
        for id in 0..pieces.vocab_size() as u32 {
            let piece = std::str::from_utf8(pieces.piece(id).unwrap_or_default()).unwrap_or_default();
            let mut characters = piece.chars();
            if let (Some(only), None) = (characters.next(), characters.next()) {
                symbols.insert(only, id);
            }
        }
        let (mut seams, mut merges) = (Seams::new(), Merges::with_capacity(lines.len()));
        for (rank, line) in lines.iter().enumerate() {
            let id = |piece: &str| {
                let unknown = || wrong("merges", format!("merge {rank} {line:?}: {piece:?} is no token"));
                pieces.id(piece.as_bytes()).ok_or_else(unknown)
            };
            let [left, right] = sides(line)?;
            let symbol = id(&format!("{left}{right}"))?;
            merges.insert(id(left)?, id(right)?, Merge { rank: rank as u32, symbol });
            if let (Some(last), Some(first)) = (left.chars().next_back(), right.chars().next()) {
                seams.close(last, first);
            }
        }
        let byte = |byte: usize| pieces.id(format!("<0x{byte:02X}>").as_bytes()).unwrap_or(ALONE);
        let unknown = Unknown::Bytes(Box::new(std::array::from_fn(byte)));
        Ok(Self { characters: Characters { symbols, seams, merges, unknown }, pieces })
    }
}

/// The two sides of a merge.
pub(super) fn sides(line: &str) -> Result<[&str; 2], Error> {
    let at = line.char_indices().skip(1).find(|(_, character)| *character == ' ');
    let sides = at.map(|(at, _)| [&line[..at], &line[at + 1..]]).filter(|sides| !sides[1].is_empty());
    sides.ok_or_else(|| wrong("merges", format!("{line:?} is not of two pieces with a space between")))
}

/// Runs of line ends, and what stands between them.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let ends = rest.starts_with('\n');
        let end = rest.find(|character| (character == '\n') != ends).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        rest = after;
        (!word.is_empty()).then_some(word)
    })
}

impl Tokenizer for Merged {
    fn encode_into(&self, text: &str, _: Specials, ids: &mut Vec<u32>) -> Result<(), Error> {
        let text = text.replace(' ', SPACE);
        let limit = u32::MAX as usize;
        if text.len() > limit {
            return Err(Error::TooLong { bytes: text.len(), limit });
        }
        for word in words(&text) {
            match self.pieces.id(word.as_bytes()).filter(|_| word.starts_with('\n')) {
                Some(id) => ids.push(id),
                None => self.characters.encode(word, ids),
            }
        }
        Ok(())
    }

    fn decoder(&self) -> Box<dyn Decoder + '_> {
        self.pieces.decoder()
    }

    fn decode_into(&self, ids: &[u32], text: &mut String) -> Result<(), Error> {
        self.pieces.decode_into(ids, text)
    }

    fn vocab_size(&self) -> usize {
        self.pieces.vocab_size()
    }

    fn piece(&self, id: u32) -> Option<&[u8]> {
        self.pieces.piece(id)
    }

    fn id(&self, piece: &[u8]) -> Option<u32> {
        self.pieces.id(piece)
    }

    fn specials(&self) -> &[Special] {
        self.pieces.specials()
    }

    fn frame(&self) -> &Frame {
        self.pieces.frame()
    }
}
