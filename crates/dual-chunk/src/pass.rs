//! One forward pass: the turns of its tokens, made once for all layers.

use std::ops::Range;

use camelid_attention::{Attention, Cache, Segment};
use camelid_kernels::Backend;
use camelid_rope::{Frequencies, Pairing, Table};
use ndarray::{Array3, ArrayView3, ArrayViewMut3, Axis, Slice};

use crate::places::DualChunk;

/// Queries that are turned at a time: bounds the memory of their three turned copies.
const QUERIES: usize = 512;

/// The tokens of one pass: turns their keys, and attends with their queries. Shared by all layers with the same
/// frequencies.
#[derive(Clone, Debug)]
pub struct Pass {
    tokens: Range<usize>,
    scale: f32,
    pairing: Pairing,
    keys: Table,
    blocks: Vec<Block>,
}

/// Some queries: how each place turns them, and the run of keys that each sees from there.
#[derive(Clone, Debug)]
struct Block {
    /// Within the pass.
    tokens: Range<usize>,
    places: Vec<(Table, Vec<Range<usize>>)>,
}

impl DualChunk {
    /// The pass of the tokens at these positions, the newest of the text.
    pub fn pass(&self, tokens: Range<usize>, frequencies: &Frequencies, pairing: Pairing) -> Pass {
        let positions: Vec<usize> = tokens.clone().map(|j| self.key_position(j)).collect();
        let starts = tokens.clone().step_by(QUERIES);
        let blocks = starts.map(|start| start..tokens.end.min(start + QUERIES));
        Pass {
            scale: self.scale(tokens.end),
            pairing,
            keys: Table::new(frequencies, &positions),
            blocks: blocks.map(|block| self.block(block, tokens.start, frequencies)).collect(),
            tokens,
        }
    }

    /// Places from which no query of the block sees a key are left out.
    fn block(&self, queries: Range<usize>, first: usize, frequencies: &Frequencies) -> Block {
        let place = |place: usize| {
            let runs: Vec<_> = queries.clone().map(|i| self.runs(i)[place].clone()).collect();
            let positions: Vec<_> = queries.clone().map(|i| self.query_positions(i)[place]).collect();
            (!runs.iter().all(Range::is_empty)).then(|| (Table::new(frequencies, &positions), runs))
        };
        Block {
            places: (0..3).filter_map(place).collect(),
            tokens: queries.start - first..queries.end - first,
        }
    }
}

impl Pass {
    /// Turns the pass's keys `[tokens, kv_heads, head_dim]` to their places and scales them; only then they go into
    /// the cache.
    ///
    /// # Panics
    /// Where `keys` has another number of tokens, or heads too small for the frequencies.
    #[track_caller]
    pub fn turn_keys(&self, mut keys: ArrayViewMut3<'_, f32>) {
        self.keys.turn(keys.view_mut(), self.pairing);
        if self.scale != 1.0 {
            keys *= self.scale;
        }
    }

    /// softmax(s)·v for the pass's queries `[tokens, heads, head_dim]`, not yet turned: one softmax over the three
    /// runs of each query. The cache holds all keys up to the pass's last, each as its own pass turned it. Takes the
    /// memory of plain attention and that of three turned copies of at most 512 queries.
    ///
    /// # Panics
    /// Where the shapes don't fit, or the cache does not end with this pass.
    #[track_caller]
    pub fn attend(
        &self,
        attention: &Attention,
        queries: ArrayView3<'_, f32>,
        cache: &Cache,
        backend: &Backend,
    ) -> Array3<f32> {
        let (found, tokens) = (queries.len_of(Axis(0)), self.tokens.len());
        assert_eq!(found, tokens, "{found} queries for a pass of {tokens} tokens");
        assert_eq!(
            cache.len(),
            self.tokens.end,
            "a cache of {} for a pass to {}",
            cache.len(),
            self.tokens.end
        );
        let mut out = Array3::zeros(queries.raw_dim());
        for Block { tokens, places } in &self.blocks {
            let rows = Slice::from(tokens.clone());
            let turned = |(table, _): &(Table, Vec<Range<usize>>)| {
                let mut turned = queries.slice_axis(Axis(0), rows).to_owned();
                table.turn(turned.view_mut(), self.pairing);
                if self.scale != 1.0 {
                    turned *= self.scale;
                }
                turned
            };
            let turned: Vec<Array3<f32>> = places.iter().map(turned).collect();
            let segments = turned.iter().zip(places);
            let segments: Vec<_> =
                segments.map(|(queries, (_, reach))| Segment { queries: queries.view(), reach }).collect();
            out.slice_axis_mut(Axis(0), rows).assign(&attention.forward(&segments, cache, backend));
        }
        out
    }
}
