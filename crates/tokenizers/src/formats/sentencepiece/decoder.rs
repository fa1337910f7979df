//! Pieces back to text: the dummy prefix, runs of byte pieces.

use super::normalizer::Normalizer;
use super::surfaces::{Surface, Surfaces};
use crate::{Decoder, Error};

/// What decoding remembers from one id to the next.
#[derive(Debug)]
pub(crate) struct PieceDecoder<'a> {
    surfaces: &'a Surfaces,
    normalizer: &'a Normalizer,
    /// Bytes of a character that is not complete.
    held: Vec<u8>,
    /// Whether a leading space is still the dummy prefix.
    at_start: bool,
    /// Whether anything has been written.
    written: bool,
    /// Whether the last piece gave up its leading space.
    stripped: bool,
}

impl<'a> PieceDecoder<'a> {
    pub(super) fn new(surfaces: &'a Surfaces, normalizer: &'a Normalizer) -> Self {
        Self { surfaces, normalizer, held: Vec::new(), at_start: true, written: false, stripped: false }
    }

    /// The same behind other text: a leading space is a space.
    pub(super) fn in_the_midst(mut self) -> Self {
        self.at_start = false;
        self
    }

    fn byte(&mut self, byte: u8, text: &mut String) {
        self.held.push(byte);
        loop {
            match std::str::from_utf8(&self.held) {
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
            self.written |= !self.held.is_empty();
            self.held.clear();
            return;
        }
    }

    /// Bytes that no later byte completes: one replacement each.
    fn flush(&mut self, text: &mut String) {
        self.written |= !self.held.is_empty();
        text.extend(self.held.drain(..).map(|_| char::REPLACEMENT_CHARACTER));
    }

    fn piece<'p>(&mut self, surface: Surface, piece: &'p str) -> &'p str {
        if self.stripped || self.written {
            self.at_start = false;
        }
        self.stripped = false;
        let removes = self.normalizer.add_dummy_prefix || self.normalizer.remove_extra_whitespaces;
        let piece = match surface {
            Surface::Spaced if self.at_start && removes => match piece.strip_prefix(' ') {
                Some(rest) => {
                    // Where extra spaces are removed, so is every leading space, not only the first.
                    self.stripped = !self.normalizer.remove_extra_whitespaces;
                    rest
                }
                None => piece,
            },
            Surface::Spaced | Surface::Text | Surface::Byte(_) => piece,
        };
        self.written |= !piece.is_empty();
        piece
    }
}

impl Decoder for PieceDecoder<'_> {
    fn push(&mut self, id: u32, text: &mut String) -> Result<(), Error> {
        let Some((surface, piece)) = self.surfaces.get(id) else {
            return Err(Error::UnknownId { id, size: self.surfaces.len() });
        };
        if let Surface::Byte(byte) = surface {
            self.byte(byte, text);
            return Ok(());
        }
        if !self.held.is_empty() {
            self.flush(text);
        }
        // Nearly every piece stands after the start.
        if self.at_start {
            text.push_str(self.piece(surface, piece));
        } else {
            text.push_str(piece);
        }
        Ok(())
    }

    fn finish(&mut self, text: &mut String) {
        self.flush(text);
        *self = Self::new(self.surfaces, self.normalizer);
    }
}
