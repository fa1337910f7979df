//! Whether a prompt may arrive in pieces.

use crate::waist::architecture::{Architecture, Attention, Layer};

impl Architecture {
    /// Whether any chunking of the tokens gives the same as one call.
    ///
    /// Not so where a two-way prefix must arrive whole, and where what a cached key was turned by depends on the length of
    /// the sequence at its time: dynamic rotary scaling, or dual chunks that scale with the length.
    #[must_use]
    pub fn chunks_freely(&self) -> bool {
        let Architecture {
            embedding: _,
            stack: _,
            norm: _,
            layers,
            output: _,
            per_layer: _,
            prefix,
            tensors: _,
            inert: _,
        } = self;
        prefix.is_none() && !layers.iter().any(Layer::depends_on_length)
    }

    /// Whether a prompt gives the same bits wherever it is cut, into calls of as many tokens as count as many
    /// (`Backend::MANY`) and more.
    ///
    /// Elsewhere a cut rounds otherwise: the form of latent attention, and the sums of an expert's products, depend on how
    /// many tokens come at once, and a state is stepped on in chunks.
    #[must_use]
    pub fn cuts_exactly(&self) -> bool {
        let parts =
            |layer: &Layer| layer.latent.is_some() || layer.delta.is_some() || layer.experts.is_some();
        self.chunks_freely() && !self.layers.iter().any(parts)
    }
}

impl Layer {
    /// Whether what a token leaves in the cache depends on how long the text was when it came.
    fn depends_on_length(&self) -> bool {
        let Layer { block: _, attention, latent: _, delta: _, rope, mlp: _, experts: _, tensors: _ } = self;
        let Attention {
            heads: _,
            kv_heads: _,
            head_dim: _,
            scale: _,
            softcap: _,
            window: _,
            chunk: _,
            logn: _,
            temperature: _,
            values: _,
            source: _,
            dual_chunk,
            position: _,
        } = attention;
        let grows = dual_chunk.as_ref().and_then(|settings| settings.original_max_position_embeddings);
        rope.as_ref().is_some_and(|rope| rope.depends_on_length(self.turning_dim()))
            || grows.is_some_and(|n| n > 0)
    }
}
