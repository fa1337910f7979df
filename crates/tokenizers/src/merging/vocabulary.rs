//! Pieces by id and ids by piece: one run of bytes and two indices.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

/// The pieces of a vocabulary, by id. An id may be a hole: nothing has it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Vocabulary {
    bytes: Vec<u8>,
    spans: Vec<Span>,
    ids: HashTable<u32>,
    hasher: DefaultHashBuilder,
}

#[derive(Clone, Copy, Debug)]
struct Span {
    start: u32,
    length: u32,
}

/// The longest piece or token that is believed. Real ones have some hundred bytes (runs of spaces); time and memory grow
/// with the square of it.
pub(crate) const LONGEST_PIECE: usize = 1024;

/// The length of a hole.
const HOLE: u32 = u32::MAX;

impl Vocabulary {
    pub(crate) fn with_capacity(pieces: usize) -> Self {
        Self {
            bytes: Vec::with_capacity(pieces * 6),
            spans: Vec::with_capacity(pieces),
            ids: HashTable::with_capacity(pieces),
            hasher: DefaultHashBuilder::default(),
        }
    }

    /// One more than the largest id.
    pub(crate) fn len(&self) -> usize {
        self.spans.len()
    }

    pub(crate) fn get(&self, id: u32) -> Option<&[u8]> {
        let span = self.spans.get(id as usize)?;
        (span.length != HOLE).then(|| &self.bytes[span.start as usize..][..span.length as usize])
    }

    pub(crate) fn id(&self, piece: &[u8]) -> Option<u32> {
        let hash = self.hasher.hash_one(piece);
        self.ids.find(hash, |&id| self.get(id) == Some(piece)).copied()
    }

    /// Gives the next id to `piece`. Where the piece has an id already, that one stays the answer of [`Self::id`],
    /// and is returned.
    pub(crate) fn push(&mut self, piece: &[u8]) -> Option<u32> {
        let id = self.spans.len() as u32;
        let known = self.id(piece);
        self.spans.push(Span { start: self.bytes.len() as u32, length: piece.len() as u32 });
        self.bytes.extend_from_slice(piece);
        if known.is_none() {
            let hash = self.hasher.hash_one(piece);
            let Self { ids, spans, bytes, hasher } = self;
            ids.insert_unique(hash, id, |&id| {
                let span = spans[id as usize];
                hasher.hash_one(&bytes[span.start as usize..][..span.length as usize])
            });
        }
        known
    }

    /// Gives the next id to nothing.
    pub(crate) fn push_hole(&mut self) {
        self.spans.push(Span { start: 0, length: HOLE });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_and_ids_answer_each_other() {
        let mut vocabulary = Vocabulary::with_capacity(0);
        assert_eq!(vocabulary.push(b"a"), None);
        vocabulary.push_hole();
        assert_eq!(vocabulary.push(b""), None);
        assert_eq!(vocabulary.push(b"a"), Some(0));
        assert_eq!(vocabulary.len(), 4);
        assert_eq!(
            [0, 1, 2, 3, 4].map(|id| vocabulary.get(id)),
            [Some(&b"a"[..]), None, Some(b""), Some(b"a"), None]
        );
        assert_eq!((vocabulary.id(b"a"), vocabulary.id(b""), vocabulary.id(b"b")), (Some(0), Some(2), None));
    }
}
