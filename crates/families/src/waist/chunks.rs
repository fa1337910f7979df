//! Whether a prompt may arrive in pieces.

use crate::waist::architecture::Architecture;

impl Architecture {
    /// Whether any chunking of the tokens gives the same as one call.
    ///
    /// Not so where a two-way prefix must arrive whole, and where what a cached key was turned by depends on the length of
    /// the sequence at its time: dynamic rotary scaling, or dual chunks that scale with the length.
    #[must_use]
    pub fn chunks_freely(&self) -> bool {
        let by_length = self.layers.iter().any(|layer| {
            let dual_chunk = layer.attention.dual_chunk.as_ref();
            let turns = layer.rope.as_ref();
            turns.is_some_and(|rope| rope.depends_on_length(layer.attention.head_dim))
                || dual_chunk
                    .is_some_and(|settings| settings.original_max_position_embeddings.is_some_and(|n| n > 0))
        });
        self.prefix.is_none() && !by_length
    }
}
