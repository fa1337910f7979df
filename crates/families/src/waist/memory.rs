//! What a sequence leaves behind, in bytes, from the architecture alone.

use crate::waist::architecture::{Architecture, Layer};

/// Positions that a cache reserves at a time, and the width that a row of values is rounded up to.
const BLOCK: u64 = 256;
const LANES: u64 = 16;

/// Of one number.
const F32: u64 = 4;

impl Architecture {
    /// Bytes that keys and values, or latents, of `tokens` tokens take in f32, over all layers; states not among them.
    ///
    /// ```text
    /// 4 · ⌈tokens⌉₂₅₆ · Σ over layers of kv_heads · (head_dim + ⌈head_dim⌉₁₆), or of rank + turned
    /// ```
    #[must_use]
    pub fn cache_bytes(&self, tokens: usize) -> u64 {
        let each = self.layers.iter().map(Layer::kept_numbers).fold(0, u64::saturating_add);
        let positions = (tokens as u64).div_ceil(BLOCK).saturating_mul(BLOCK);
        each.saturating_mul(positions).saturating_mul(F32)
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
