//! `tokenizer.json`, run by Hugging Face's `tokenizers`; only decoding is ours, since theirs can't stream exactly.

use std::sync::OnceLock;

use serde::Deserialize;
use serde_json::Value;

use crate::Error;
use crate::bytes::{ByteDecoder, decode_bytes};
use crate::fallback::{Fallback, FallbackDecoder};
use crate::lossy::Lossy;
use crate::tokenizer::{Decoder, Frame, Special, Specials, Tokenizer};
use crate::trie::Trie;
use crate::vocabulary::Vocabulary;

/// A `tokenizer.json`.
#[derive(Debug)]
pub(crate) struct Json {
    parsing: hf::Tokenizer,
    /// The same tokenizer, but special tokens are text; made when a text first spells one.
    literal: OnceLock<hf::Tokenizer>,
    /// As decoding wants them: bytes for a byte-level vocabulary.
    pieces: Vocabulary,
    scheme: Scheme,
    specials: Vec<Special>,
    names: Option<Trie>,
    frame: Frame,
}

/// How pieces become text again.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Scheme {
    /// Every character of a piece is a byte.
    ByteLevel,
    /// Pieces are text, `<0x0A>` is a byte.
    ByteFallback(Fallback),
}

/// What of the file is read here: the whole of it is checked to be JSON.
#[derive(Deserialize)]
struct Head {
    #[serde(default)]
    decoder: Value,
}

impl Json {
    pub(crate) fn from_bytes(file: &[u8]) -> Result<Self, Error> {
        let Head { decoder } =
            serde_json::from_slice(file).map_err(|error| Error::Json(error.to_string()))?;
        let scheme = Scheme::of(&decoder)?;
        // Theirs panics on some files that are JSON but no tokenizer, and on templates that name no token.
        let read = std::panic::catch_unwind(|| read(file));
        let (parsing, frame) = read.map_err(|_| Error::Json("is no tokenizer".into()))??;
        let pieces = pieces(&parsing, &scheme)?;
        let specials = specials(&parsing);
        let names = (!specials.is_empty())
            .then(|| Trie::new(specials.iter().map(|special| (special.name.as_bytes(), special.id))));
        Ok(Self { parsing, literal: OnceLock::new(), pieces, scheme, specials, names, frame })
    }

    /// The tokenizer to use: a second one only where a text spells a special token that is to be text.
    fn tokenizer(&self, text: &str, specials: Specials) -> &hf::Tokenizer {
        let spelled = || self.names.as_ref().is_some_and(|names| names.find(text, 0).is_some());
        match specials {
            Specials::Literal if spelled() => self.literal.get_or_init(|| {
                let mut literal = self.parsing.clone();
                literal.set_encode_special_tokens(true);
                literal
            }),
            Specials::Literal | Specials::Parse => &self.parsing,
        }
    }
}

impl Tokenizer for Json {
    fn encode_into(&self, text: &str, specials: Specials, ids: &mut Vec<u32>) -> Result<(), Error> {
        let encoding = self.tokenizer(text, specials).encode_fast(text, false).map_err(refused)?;
        ids.extend_from_slice(encoding.get_ids());
        Ok(())
    }

    fn decoder(&self) -> Box<dyn Decoder + '_> {
        match &self.scheme {
            Scheme::ByteLevel => Box::new(ByteDecoder { vocabulary: &self.pieces, bytes: Lossy::default() }),
            Scheme::ByteFallback(fallback) => Box::new(FallbackDecoder::new(fallback, &self.pieces)),
        }
    }

    fn decode_into(&self, ids: &[u32], text: &mut String) -> Result<(), Error> {
        match &self.scheme {
            Scheme::ByteLevel => decode_bytes(&self.pieces, ids, text),
            Scheme::ByteFallback(fallback) => {
                let mut decoder = FallbackDecoder::new(fallback, &self.pieces);
                ids.iter().try_for_each(|&id| decoder.push(id, text))?;
                decoder.finish(text);
                Ok(())
            }
        }
    }

    fn vocab_size(&self) -> usize {
        self.pieces.len()
    }

    fn piece(&self, id: u32) -> Option<&[u8]> {
        self.pieces.get(id)
    }

    fn id(&self, piece: &[u8]) -> Option<u32> {
        self.pieces.id(piece)
    }

    fn specials(&self) -> &[Special] {
        &self.specials
    }

    fn frame(&self) -> &Frame {
        &self.frame
    }
}

impl Scheme {
    fn of(decoder: &Value) -> Result<Scheme, Error> {
        if text(decoder, "type") == Some("ByteLevel") {
            return Ok(Scheme::ByteLevel);
        }
        let fallback = Fallback::of(decoder);
        let fallback =
            fallback.ok_or_else(|| Error::Json(format!("the decoder {decoder} is not supported")))?;
        Ok(Scheme::ByteFallback(fallback))
    }
}

/// The largest id that is believed: a table of all ids is made.
const LARGEST_ID: u32 = 1 << 24;

fn pieces(tokenizer: &hf::Tokenizer, scheme: &Scheme) -> Result<Vocabulary, Error> {
    let size = tokenizer.get_vocab(true).into_values().max().map_or(0, |last| last.saturating_add(1));
    if size > LARGEST_ID {
        return Err(Error::Json(format!("the id {} is beyond any vocabulary", size - 1)));
    }
    let added = tokenizer.get_added_vocabulary();
    let mut pieces = Vocabulary::with_capacity(size as usize);
    for id in 0..size {
        // A special token that is matched in normalised text decodes as it is spelled there.
        let token = added.simple_id_to_token(id).or_else(|| tokenizer.id_to_token(id));
        match (token, scheme) {
            (Some(token), Scheme::ByteLevel) => {
                pieces.push(&level_bytes(&token));
            }
            (Some(token), Scheme::ByteFallback(_)) => {
                pieces.push(token.as_bytes());
            }
            (None, _) => pieces.push_hole(),
        }
    }
    Ok(pieces)
}

fn specials(tokenizer: &hf::Tokenizer) -> Vec<Special> {
    let added = tokenizer.get_added_tokens_decoder();
    let mut specials: Vec<_> = added
        .into_iter()
        .filter(|(_, token)| token.special)
        .map(|(id, token)| Special { name: token.content, id })
        .collect();
    specials.sort_by_key(|special| special.id);
    specials
}

fn read(file: &[u8]) -> Result<(hf::Tokenizer, Frame), Error> {
    let mut parsing = hf::Tokenizer::from_bytes(file).map_err(refused)?;
    // A file may carry what its last user set: no text is to be cut off or filled up.
    parsing.with_truncation(None).map_err(refused)?;
    parsing.with_padding(None);
    let frame = frame(&parsing)?;
    Ok((parsing, frame))
}

/// What the file's template puts around a text.
fn frame(tokenizer: &hf::Tokenizer) -> Result<Frame, Error> {
    let plain = tokenizer.encode_fast("a", false).map_err(refused)?;
    let framed = tokenizer.encode_fast("a", true).map_err(refused)?;
    let (plain, framed) = (plain.get_ids(), framed.get_ids());
    let at = framed.windows(plain.len().max(1)).position(|window| window == plain).unwrap_or(0);
    let after = framed.get(at + plain.len()..).unwrap_or_default();
    Ok(Frame { before: framed[..at.min(framed.len())].to_vec(), after: after.to_vec(), stop: Vec::new() })
}

/// The bytes of a piece in which every character stands for one; another piece is its own UTF-8.
pub(crate) fn level_bytes(piece: &str) -> Vec<u8> {
    piece.chars().map(level_byte).collect::<Option<_>>().unwrap_or_else(|| piece.as_bytes().to_vec())
}

/// The byte that a character of a byte-level vocabulary stands for: GPT-2's table, in which printable bytes are
/// themselves and the others follow from U+0100 on.
fn level_byte(character: char) -> Option<u8> {
    let code = u32::from(character);
    match code {
        0x21..=0x7E | 0xA1..=0xAC | 0xAE..=0xFF => Some(code as u8),
        0x100..=0x120 => Some((code - 0x100) as u8),
        0x121..=0x142 => Some((code - 0x121 + 0x7F) as u8),
        0x143 => Some(0xAD),
        _ => None,
    }
}

/// A string member of a JSON object.
pub(crate) fn text<'v>(value: &'v Value, key: &str) -> Option<&'v str> {
    value.get(key)?.as_str()
}

fn refused(error: hf::Error) -> Error {
    Error::Json(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_has_its_character() {
        let alphabet = hf::pre_tokenizers::byte_level::ByteLevel::alphabet();
        let mut bytes: Vec<u8> = alphabet.into_iter().filter_map(level_byte).collect();
        bytes.sort_unstable();
        assert_eq!(bytes, (0..=255).collect::<Vec<u8>>());
        assert_eq!(level_bytes("Ġhé"), b" h\xE9");
        assert_eq!(level_bytes("中"), "中".as_bytes());
    }
}
