//! Pieces back to text: the space symbol, the dummy prefix, runs of byte pieces.

use super::model::Model;
use super::normalizer::{SPACE, unescape};
use super::proto::Kind;
use crate::{Decoder, Error};

/// What decoding remembers from one id to the next.
#[derive(Debug)]
pub(super) struct PieceDecoder<'a> {
    model: &'a Model,
    /// Bytes of a character that is not complete.
    held: Vec<u8>,
    /// Whether a leading space symbol is still the dummy prefix.
    at_start: bool,
    /// Whether anything has been written.
    written: bool,
    /// Whether the last piece gave up its leading space symbol.
    stripped: bool,
}

impl<'a> PieceDecoder<'a> {
    pub(super) fn new(model: &'a Model) -> Self {
        Self { model, held: Vec::new(), at_start: true, written: false, stripped: false }
    }

    fn byte(&mut self, byte: u8, text: &mut String) {
        self.held.push(byte);
        loop {
            match std::str::from_utf8(&self.held) {
                Ok(valid) if valid.is_empty() => return,
                Ok(valid) => text.push_str(valid),
                // It may yet become a character.
                Err(error) if error.error_len().is_none() => return,
                Err(_) => {
                    // One replacement for one byte, and the next byte may begin a character.
                    self.held.remove(0);
                    text.push(char::REPLACEMENT_CHARACTER);
                    self.written = true;
                    continue;
                }
            }
            self.written = true;
            self.held.clear();
            return;
        }
    }

    /// Bytes that no later byte completes: one replacement each.
    fn flush(&mut self, text: &mut String) {
        self.written |= !self.held.is_empty();
        text.extend(self.held.drain(..).map(|_| char::REPLACEMENT_CHARACTER));
    }

    fn piece(&mut self, id: u32, text: &mut String) {
        let model = self.model;
        if self.stripped || self.written {
            self.at_start = false;
        }
        self.stripped = false;
        let before = text.len();
        match model.pieces.kind(id) {
            _ if model.spelled(id).is_some() => {
                let name = model.spelled(id).unwrap_or_default();
                text.push_str(&unescape(self.strip(name)));
            }
            Kind::Control => {}
            Kind::Unknown => text.push_str(&model.unknown_surface),
            Kind::Normal | Kind::UserDefined | Kind::Unused | Kind::Byte => {
                let piece = model.pieces.text(id);
                text.push_str(&unescape(self.strip(piece)));
            }
        }
        self.written |= text.len() > before;
    }

    fn strip<'p>(&mut self, piece: &'p str) -> &'p str {
        let normalizer = &self.model.normalizer;
        let removes = normalizer.add_dummy_prefix || normalizer.remove_extra_whitespaces;
        if !self.at_start || !removes {
            return piece;
        }
        match piece.strip_prefix(SPACE) {
            Some(rest) => {
                // Where extra spaces are removed, so is every leading space, not only the first.
                self.stripped = !normalizer.remove_extra_whitespaces;
                rest
            }
            None => piece,
        }
    }
}

impl Decoder for PieceDecoder<'_> {
    fn push(&mut self, id: u32, text: &mut String) -> Result<(), Error> {
        let Some(id) = self.model.pieces.spoken(id) else {
            return Err(Error::UnknownId { id, size: self.model.pieces.len() });
        };
        match self.model.pieces.byte(id) {
            Some(byte) => self.byte(byte, text),
            None => {
                self.flush(text);
                self.piece(id, text);
            }
        }
        Ok(())
    }

    fn finish(&mut self, text: &mut String) {
        self.flush(text);
        *self = Self::new(self.model);
    }
}
