//! Where keys and queries sit, and which of its three places a query shows to which keys.

use std::ops::Range;

use crate::settings::{Error, Settings};

/// Dual chunk attention with settings that were found good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DualChunk {
    settings: Settings,
}

impl DualChunk {
    /// Dual chunk attention with these settings.
    ///
    /// # Errors
    /// Where a size is 0, or `chunk_size` is not larger than `local_size`.
    pub fn new(settings: Settings) -> Result<Self, Error> {
        settings.check()?;
        Ok(Self { settings })
    }

    /// The settings.
    pub fn settings(&self) -> Settings {
        self.settings
    }

    /// c = chunk_size − local_size, the length of a chunk in tokens.
    pub fn chunk(&self) -> usize {
        self.settings.chunk_size - self.settings.local_size
    }

    /// The place of the key of token j, for all queries: j mod c.
    pub fn key_position(&self, j: usize) -> usize {
        j % self.chunk()
    }

    /// The places of the query of token i, before the keys of [`DualChunk::runs`]: its own chunk, the previous one,
    /// all older ones.
    pub fn query_positions(&self, i: usize) -> [usize; 3] {
        let (c, farthest) = (self.chunk(), self.settings.chunk_size);
        [i % c, (i % c).saturating_add(c).min(farthest), (c - 1).saturating_add(c).min(farthest)]
    }

    /// The keys that the query of token i sees from each of its places; together all from 0 to i.
    pub fn runs(&self, i: usize) -> [Range<usize>; 3] {
        let own = i - i % self.chunk();
        let previous = own.saturating_sub(self.chunk());
        [own..i + 1, previous..own, 0..previous]
    }

    /// s = max(1, 0.1·ln(length / original_max_position_embeddings) + 1), 1 where there is no such key: multiplies
    /// the keys of a pass and its softmax scale, so that fresh scores carry s². `length` is that of the text at the
    /// end of the pass; a cached key keeps the s of its own.
    pub fn scale(&self, length: usize) -> f32 {
        match self.settings.original_max_position_embeddings {
            None | Some(0) => 1.0,
            Some(trained) => (0.1 * (length as f64 / trained as f64).ln() + 1.0).max(1.0) as f32,
        }
    }
}
