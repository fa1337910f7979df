//! What every id is when it is decoded.

use super::normalizer::SPACE;
use super::pieces::{Pieces, byte_of};
use super::proto::Kind;

/// What every id decodes to, spaces written as such.
#[derive(Clone, Debug)]
pub(super) struct Surfaces {
    text: String,
    spans: Vec<(Surface, u32, u32)>,
}

/// What an id is to the decoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Surface {
    /// This text.
    Text,
    /// This text, whose leading space is the symbol for one and may be the dummy prefix.
    Spaced,
    /// This byte.
    Byte(u8),
}

impl Surfaces {
    pub(super) fn new(pieces: &Pieces, unknown_surface: &str) -> Self {
        let mut surfaces = Self { text: String::new(), spans: vec![(Surface::Text, 0, 0); pieces.len()] };
        for id in 0..pieces.len() as u32 {
            let spoken = pieces.spoken(id);
            let text = pieces.text(spoken);
            match (pieces.kind(spoken), byte_of(text)) {
                (Kind::Byte, Some(byte)) => surfaces.set(id, Surface::Byte(byte), ""),
                (Kind::Unknown, _) => surfaces.set(id, Surface::Text, unknown_surface),
                (Kind::Control, _) => surfaces.set(id, Surface::Text, ""),
                (Kind::Normal | Kind::UserDefined | Kind::Unused | Kind::Byte, _) => {
                    surfaces.set_piece(id, text);
                }
            }
        }
        surfaces
    }

    pub(super) fn len(&self) -> usize {
        self.spans.len()
    }

    fn set(&mut self, id: u32, surface: Surface, text: &str) {
        let start = self.text.len() as u32;
        self.text.push_str(text);
        let at = id as usize;
        // A token that was added stands beyond the file; what lies between is nothing.
        self.spans.resize(self.spans.len().max(at + 1), (Surface::Text, 0, 0));
        self.spans[at] = (surface, start, self.text.len() as u32);
    }

    pub(super) fn set_piece(&mut self, id: u32, piece: &str) {
        let surface = if piece.starts_with(SPACE) { Surface::Spaced } else { Surface::Text };
        self.set(id, surface, &piece.replace(SPACE, " "));
    }

    pub(super) fn get(&self, id: u32) -> Option<(Surface, &str)> {
        let &(surface, start, end) = self.spans.get(id as usize)?;
        Some((surface, &self.text[start as usize..end as usize]))
    }
}
