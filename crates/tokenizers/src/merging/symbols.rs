//! Characters as symbols for merging, and where no merge reaches over.

use std::collections::HashMap;

use crate::merging::bpe::ALONE;

/// The symbol of a character: a table for the first plane, where nearly all text is.
#[derive(Clone, Debug, Default)]
pub(crate) struct Symbols {
    first_plane: Vec<u32>,
    beyond: HashMap<char, u32>,
}

impl Symbols {
    pub(crate) fn insert(&mut self, character: char, symbol: u32) {
        match u16::try_from(character) {
            Ok(code) => {
                self.first_plane.resize(1 << 16, ALONE);
                self.first_plane[usize::from(code)] = symbol;
            }
            Err(_) => {
                self.beyond.insert(character, symbol);
            }
        }
    }

    /// [`ALONE`] for a character that has none.
    #[inline]
    pub(crate) fn get(&self, character: char) -> u32 {
        match u16::try_from(character) {
            Ok(code) => self.first_plane.get(usize::from(code)).copied().unwrap_or(ALONE),
            Err(_) => self.beyond.get(&character).copied().unwrap_or(ALONE),
        }
    }
}

/// Between which two characters no merge reaches, so that what stands on both sides merges by itself: a set of all other
/// pairs, hashed into bits. A clash only closes a seam that might have been open.
#[derive(Clone, Debug)]
pub(crate) struct Seams {
    closed: Vec<u64>,
}

impl Seams {
    const BITS: u32 = 21;

    pub(crate) fn new() -> Self {
        Self { closed: vec![0; 1 << (Self::BITS - 6)] }
    }

    /// A merge reaches over `left right`.
    pub(crate) fn close(&mut self, left: char, right: char) {
        let bit = Self::bit(left, right);
        self.closed[bit >> 6] |= 1 << (bit & 63);
    }

    #[inline]
    pub(crate) fn between(&self, left: char, right: char) -> bool {
        let bit = Self::bit(left, right);
        self.closed[bit >> 6] >> (bit & 63) & 1 == 0
    }

    fn bit(left: char, right: char) -> usize {
        let pair = u64::from(left) << 21 | u64::from(right);
        (pair.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (64 - Self::BITS)) as usize
    }
}
