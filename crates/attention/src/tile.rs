//! Some queries of one kv head, and their sums over blocks of keys.

use std::ops::Range;

use camelid_kernels::{Backend, Compute, Factors, LANES, Lane, PANEL, PANEL_ROWS, Tile as Rows};
use half::bf16;

use crate::cache::{BLOCK, Cache, lanes};
use crate::partial::Partial;
use crate::settings::Settings;

/// Positions of a panel of keys.
const PANEL_KEYS: usize = PANEL * LANES;

/// What one call of attention reads.
#[derive(Clone, Copy)]
pub(crate) struct Call<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) segments: &'a [Part<'a>],
    pub(crate) cache: &'a Cache,
    pub(crate) backend: &'a Backend,
    /// Queries of the whole call.
    pub(crate) tokens: usize,
}

/// A segment whose queries `[tokens, heads, head_dim]` lie row by row.
#[derive(Clone, Copy)]
pub(crate) struct Part<'a> {
    pub(crate) queries: &'a [f32],
    pub(crate) reach: &'a [Range<usize>],
}

/// The rows of one kv head for some tokens: row r is token r / group, head r % group of its group.
pub(crate) struct Tile<'a> {
    pub(crate) call: Call<'a>,
    pub(crate) tokens: Range<usize>,
    pub(crate) kv_head: usize,
}

/// The rows of a tile in one segment, scaled, `[rows, stride]`: head_dim features, filled up to the depth of products.
pub(crate) struct Queries {
    segment: usize,
    stride: usize,
    rows: Vec<f32>,
    /// The same, where keys are bf16.
    rounded: Option<Vec<bf16>>,
}

/// Room for a panel of rows against a block of keys.
pub(crate) struct Scratch {
    /// Scores, which become weights in place.
    scores: Vec<Lane>,
    /// The weights, where values are bf16.
    rounded: Vec<bf16>,
}

impl Tile<'_> {
    /// The blocks of keys that some row sees in a segment.
    pub(crate) fn blocks(&self, segment: usize) -> Range<usize> {
        let seen = union(&self.call.segments[segment].reach[self.tokens.clone()]);
        seen.start / BLOCK..seen.end.div_ceil(BLOCK)
    }

    /// How many blocks that is, over all segments.
    pub(crate) fn steps(&self) -> usize {
        (0..self.call.segments.len()).map(|segment| self.blocks(segment).len()).sum()
    }

    /// The scaled queries of a segment. A capped score is cap·tanh(q·k·scale / cap), so the cap's division joins the
    /// scale.
    pub(crate) fn queries(&self, segment: usize) -> Queries {
        let Call {
            settings: Settings { heads, head_dim, scale, softcap, .. }, segments, cache, backend, ..
        } = self.call;
        let (own, stride) = (self.call.settings.group() * head_dim, head_dim.next_multiple_of(cache.depth()));
        let mut rows = vec![0.0; self.rows() * stride];
        let mut places = rows.chunks_exact_mut(stride);
        for token in self.tokens.clone() {
            let start = token * heads * head_dim + self.kv_head * own;
            let queries = segments[segment].queries[start..start + own].chunks_exact(*head_dim);
            queries.zip(&mut places).for_each(|(query, place)| place[..*head_dim].copy_from_slice(query));
        }
        backend.scale((scale / softcap.unwrap_or(1.0)) as f32, &mut rows);
        let rounded = (cache.compute() == Compute::Bf16).then(|| {
            let mut rounded = vec![bf16::ZERO; rows.len()];
            backend.round(&rows, &mut rounded);
            rounded
        });
        Queries { segment, stride, rows, rounded }
    }

    /// Room for what this tile computes.
    pub(crate) fn scratch(&self) -> Scratch {
        let places = self.rows().min(PANEL_ROWS) * BLOCK;
        let rounded = if self.call.cache.compute() == Compute::Bf16 { places } else { 0 };
        Scratch { scores: bytemuck::zeroed_vec(places / LANES), rounded: vec![bf16::ZERO; rounded] }
    }

    /// The sums of all rows over no keys.
    pub(crate) fn nothing(&self) -> Partial {
        Partial::empty(self.rows(), self.call.settings.head_dim)
    }

    /// The sums of all rows over all that they see, block by block.
    pub(crate) fn all(&self) -> Partial {
        let (mut sums, mut block_sums, mut scratch) = (self.nothing(), self.nothing(), self.scratch());
        for segment in 0..self.call.segments.len() {
            let queries = self.queries(segment);
            for block in self.blocks(segment) {
                self.sums(&queries, block, &mut scratch, &mut block_sums);
                sums.merge(&block_sums, self.call.backend);
            }
        }
        sums
    }

    /// The sums of all rows over one block of keys, in place of what `sums` held.
    pub(crate) fn sums(&self, queries: &Queries, block: usize, scratch: &mut Scratch, sums: &mut Partial) {
        sums.clear();
        let rows = self.rows();
        for start in (0..rows).step_by(PANEL_ROWS) {
            self.add_panel(queries, block, start..rows.min(start + PANEL_ROWS), (scratch, sums));
        }
    }

    /// Scores of a panel of rows against the block's panels of keys; weights in their place; then the weighted
    /// values.
    fn add_panel(
        &self,
        queries: &Queries,
        block: usize,
        rows: Range<usize>,
        (scratch, sums): (&mut Scratch, &mut Partial),
    ) {
        let Call { settings: &Settings { head_dim, .. }, cache, backend, .. } = self.call;
        let runs: [Range<usize>; PANEL_ROWS] =
            std::array::from_fn(|place| self.run(queries.segment, block, rows.start + place, rows.end));
        let seen = union(&runs);
        if seen.is_empty() {
            return;
        }
        let panels = seen.start / PANEL_KEYS..seen.end.div_ceil(PANEL_KEYS);
        let first = panels.start * PANEL_KEYS;
        let depth = cache.depth();
        let stride = (seen.end - first).next_multiple_of(depth.max(LANES));
        let scores = &mut scratch.scores[..rows.len() * stride / LANES];
        let keys = cache.key_panels(block, self.kv_head, panels);
        backend.key_scores(queries.panel(rows.clone()), keys, scores);

        let weights: &mut [f32] = bytemuck::cast_slice_mut(scores);
        for ((row, run), scores) in rows.clone().zip(runs).zip(weights.chunks_exact_mut(stride)) {
            let run = run.start.max(first) - first..run.end.max(first) - first;
            (sums.max[row], sums.sum[row]) = self.weigh(row, block * BLOCK + first, run, scores);
        }
        // The depth of a product is whole: what it holds beyond the run has weight 0.
        let seen = seen.start / depth * depth..seen.end.next_multiple_of(depth);
        let weights = &weights[seen.start - first..];
        let values = match cache.compute() {
            Compute::F32 | Compute::Q8 => Factors::F32(weights),
            Compute::Bf16 => {
                let rounded = &mut scratch.rounded[..weights.len()];
                backend.round(weights, rounded);
                Factors::Bf16(rounded)
            }
        };
        let weights = Rows { values, rows: rows.len(), cols: seen.len(), stride };
        let values = cache.value_panels(block, self.kv_head);
        let width = lanes(head_dim);
        let places = rows.start * width..rows.end * width;
        backend.value_sums(weights, values, seen.start, &mut sums.value[places]);
    }

    /// Scores to weights e^(s−m), in place, 0 outside the row's run; gives m and Σ e^(s−m). `first` is the position
    /// of `scores[0]`.
    fn weigh(&self, row: usize, first: usize, run: Range<usize>, scores: &mut [f32]) -> (f32, f32) {
        let Call { settings, backend, .. } = self.call;
        // An empty run may lie anywhere, beyond all that the other rows see too.
        if run.is_empty() {
            scores.fill(0.0);
            return (f32::NEG_INFINITY, 0.0);
        }
        scores[..run.start].fill(0.0);
        scores[run.end..].fill(0.0);
        let first = first + run.start;
        let scores = &mut scores[run];
        if let Some(cap) = settings.softcap {
            backend.tanh(scores);
            backend.scale(cap as f32, scores);
        }
        if let Some(slopes) = &settings.slopes {
            let group = settings.group();
            let i = (self.call.cache.len() + self.token(row)) as i64 - self.call.tokens as i64;
            let slope = slopes[self.kv_head * group + row % group];
            for (j, score) in (first as i64..).zip(scores.iter_mut()) {
                *score -= slope * (i - j) as f32;
            }
        }
        let max = backend.max(scores);
        (max, backend.exp_sum(scores, max))
    }

    /// The positions within a block that a row sees in a segment; none for a row beyond `end`.
    fn run(&self, segment: usize, block: usize, row: usize, end: usize) -> Range<usize> {
        if row >= end {
            return 0..0;
        }
        let seen = &self.call.segments[segment].reach[self.token(row)];
        let within = |position: usize| position.saturating_sub(block * BLOCK).min(BLOCK);
        within(seen.start)..within(seen.end)
    }

    fn token(&self, row: usize) -> usize {
        self.tokens.start + row / self.call.settings.group()
    }

    fn rows(&self) -> usize {
        self.tokens.len() * self.call.settings.group()
    }
}

impl Queries {
    /// Some of the rows.
    fn panel(&self, rows: Range<usize>) -> Rows<'_> {
        let (rows, span) = (rows.len(), rows.start * self.stride..rows.end * self.stride);
        let values = match &self.rounded {
            None => Factors::F32(&self.rows[span]),
            Some(rounded) => Factors::Bf16(&rounded[span]),
        };
        Rows { values, rows, cols: self.stride, stride: self.stride }
    }
}

/// The smallest run that holds all of these; 0..0 where all are empty.
fn union(runs: &[Range<usize>]) -> Range<usize> {
    let seen = runs.iter().filter(|run| !run.is_empty());
    let start = seen.clone().map(|run| run.start).min().unwrap_or(0);
    start..seen.map(|run| run.end).max().unwrap_or(0)
}
