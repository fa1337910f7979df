//! What a sequence leaves behind, in bytes, from the architecture alone.

use crate::waist::architecture::{Architecture, Layer};

/// Positions that a cache reserves at a time, and the width that a row of values is rounded up to.
const BLOCK: u64 = 256;
const LANES: u64 = 16;

/// Positions that a window keeps beyond what it sees, so that the end of a text can be cut off.
pub(crate) const SLACK: usize = 1024;

/// Tokens of a call, at most, by which a window may have grown before it forgets.
const CALL: u64 = 512;

/// Of one number.
const F32: u64 = 4;

impl Architecture {
    /// Bytes that keys and values, or latents, of `tokens` tokens take in f32, over all layers; states not among them. Of a
    /// window or a chunk that is the most that it comes to, where the text is read in calls of 512 tokens.
    ///
    /// ```text
    /// 4 · Σ over layers of n · kv_heads · (head_dim + ⌈head_dim⌉₁₆), or of n · (rank + turned)
    /// n = ⌈tokens⌉₂₅₆, of a window of W tokens at most ⌈W + 1024 + 512⌉₂₅₆ + 256
    /// ```
    #[must_use]
    pub fn cache_bytes(&self, tokens: usize) -> u64 {
        let each = self.layers.iter().enumerate().map(|(index, layer)| {
            let most = self
                .seen(index)
                .map_or(u64::MAX, |seen| (seen as u64).saturating_add(SLACK as u64 + CALL + BLOCK));
            layer.kept_numbers().saturating_mul(blocks((tokens as u64).min(most)))
        });
        each.fold(0, u64::saturating_add).saturating_mul(F32)
    }

    /// How many positions are seen of a layer's keys at most, where that is bounded: as those who read them all have it.
    fn seen(&self, layer: usize) -> Option<usize> {
        let readers = self.layers.iter().enumerate();
        let readers = readers.filter(|(index, reader)| reader.attention.source.unwrap_or(*index) == layer);
        let mut bounds = readers.map(|(_, reader)| {
            let chunks = reader.attention.dual_chunk.is_some() || self.prefix.is_some();
            reader.attention.window.or(reader.attention.chunk).filter(|seen| *seen > 0 && !chunks)
        });
        let first = bounds.next()??;
        bounds.all(|other| other == Some(first)).then_some(first)
    }

    /// Bytes of the states of all layers, which no text makes larger.
    ///
    /// ```text
    /// 4 · Σ over layers of value_heads · value_dim · key_dim + (conv_width − 1) · (2 · key_heads · key_dim + value_heads · value_dim)
    /// ```
    #[must_use]
    pub fn state_bytes(&self) -> u64 {
        let states = self.layers.iter().filter_map(|layer| layer.delta.as_ref()).map(|delta| {
            let (keys, values) = (delta.keys() as u64, delta.values() as u64);
            let channels = keys.saturating_mul(2).saturating_add(values);
            let convs = channels.saturating_mul((delta.conv_width as u64).saturating_sub(1));
            values.saturating_mul(delta.key_dim as u64).saturating_add(convs)
        });
        states.fold(0, u64::saturating_add).saturating_mul(F32)
    }
}

/// Positions that are reserved for so many.
fn blocks(positions: u64) -> u64 {
    positions.div_ceil(BLOCK).saturating_mul(BLOCK)
}

impl Layer {
    /// Numbers that the layer keeps of each position.
    fn kept_numbers(&self) -> u64 {
        if self.delta.is_some() || self.attention.source.is_some() {
            return 0;
        }
        if let Some(latent) = &self.latent {
            return (latent.rank as u64).saturating_add(latent.turned as u64);
        }
        let (kv_heads, head_dim) = (self.attention.kv_heads as u64, self.attention.head_dim as u64);
        kv_heads.saturating_mul(head_dim + head_dim.next_multiple_of(LANES))
    }
}
