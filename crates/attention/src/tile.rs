//! Some queries of one kv head, and their sums over one block of keys.

use std::ops::Range;

use camelid_kernels::{Backend, LANES, Lane, PANEL_ROWS, Tile as Weights};
use ndarray::{ArrayView1, ArrayViewMut3, Axis};

use crate::cache::{BLOCK, Cache, lanes};
use crate::forward::Segment;
use crate::partial::Partial;
use crate::settings::Settings;

/// What one call of attention reads.
#[derive(Clone, Copy)]
pub(crate) struct Call<'a, 's> {
    pub(crate) settings: &'a Settings,
    pub(crate) segments: &'a [Segment<'s>],
    pub(crate) cache: &'a Cache,
    pub(crate) backend: &'a Backend,
    /// Queries of the whole call.
    pub(crate) tokens: usize,
}

/// The rows of one kv head for some tokens: row r is token r / group, head r % group of its group.
pub(crate) struct Tile<'a, 's> {
    pub(crate) call: Call<'a, 's>,
    pub(crate) tokens: Range<usize>,
    pub(crate) kv_head: usize,
}

/// The rows of a tile in one segment, scaled, in panels: `[panel][head_dim][rows of the panel]`.
pub(crate) struct Queries {
    segment: usize,
    packed: Vec<f32>,
}

impl Tile<'_, '_> {
    /// The blocks of keys that some row sees in a segment.
    pub(crate) fn blocks(&self, segment: usize) -> Range<usize> {
        let seen = union(&self.call.segments[segment].reach[self.tokens.clone()]);
        seen.start / BLOCK..seen.end.div_ceil(BLOCK)
    }

    /// Packs the queries of a segment. A capped score is cap·tanh(q·k·scale / cap), so the cap's division joins the scale.
    pub(crate) fn queries(&self, segment: usize) -> Queries {
        let Settings { head_dim, scale, softcap, .. } = *self.call.settings;
        let scale = (scale / softcap.unwrap_or(1.0)) as f32;
        let mut packed = vec![0.0; self.rows() * head_dim];
        for panel in self.panels() {
            let space = &mut packed[panel.start * head_dim..panel.end * head_dim];
            for (place, row) in panel.clone().enumerate() {
                let places = space[place..].iter_mut().step_by(panel.len());
                for (place, x) in places.zip(self.query(segment, row)) {
                    *place = x * scale;
                }
            }
        }
        Queries { segment, packed }
    }

    /// The sums of all rows over no keys.
    pub(crate) fn nothing(&self) -> Partial {
        Partial::empty(self.rows(), self.call.settings.head_dim)
    }

    /// The sums of all rows over all that they see, block by block.
    pub(crate) fn all(&self) -> Partial {
        let mut sums = self.nothing();
        for segment in 0..self.call.segments.len() {
            let queries = self.queries(segment);
            for block in self.blocks(segment) {
                sums.merge(&self.sums(&queries, block), self.call.backend);
            }
        }
        sums
    }

    /// The sums of all rows over one block of keys.
    pub(crate) fn sums(&self, queries: &Queries, block: usize) -> Partial {
        let mut sums = self.nothing();
        for panel in self.panels() {
            self.add_panel(queries, block, panel, &mut sums);
        }
        sums
    }

    /// Writes softmax(s)·v of all rows to `out`, `[tokens, group, head_dim]`.
    pub(crate) fn finish(&self, sums: &Partial, out: &mut ArrayViewMut3<'_, f32>) {
        for row in 0..self.rows() {
            let (token, head) = self.place(row);
            sums.finish(row, out.index_axis_mut(Axis(0), token).index_axis_move(Axis(0), head));
        }
    }

    /// Scores of a panel of rows against the block's panels of keys; weights in their place; then the weighted values.
    fn add_panel(&self, queries: &Queries, block: usize, rows: Range<usize>, sums: &mut Partial) {
        let Call { settings: Settings { head_dim, .. }, cache, backend, .. } = self.call;
        let runs: [Range<usize>; PANEL_ROWS] =
            std::array::from_fn(|place| self.run(queries.segment, block, rows.start + place, rows.end));
        let seen = union(&runs);
        if seen.is_empty() {
            return;
        }
        let panels = seen.start / LANES..seen.end.div_ceil(LANES);
        let (first, width) = (panels.start * LANES, panels.len() * LANES);
        let keys = &cache.key_panels(block, self.kv_head)[panels.start * head_dim..panels.end * head_dim];
        let packed = &queries.packed[rows.start * head_dim..rows.end * head_dim];
        let mut weights = [Lane::ZERO; PANEL_ROWS * BLOCK / LANES];
        let weights = &mut weights[..rows.len() * panels.len()];
        backend.key_scores(packed, rows.len(), keys, weights);
        let weights: &mut [f32] = bytemuck::cast_slice_mut(weights);
        for ((row, run), scores) in rows.clone().zip(runs).zip(weights.chunks_exact_mut(width)) {
            let run = run.start.max(first) - first..run.end.max(first) - first;
            (sums.max[row], sums.sum[row]) = self.weigh(row, block * BLOCK + first, run, scores);
        }
        let width_of_values = lanes(*head_dim);
        let values =
            &cache.value_rows(block, self.kv_head)[seen.start * width_of_values..seen.end * width_of_values];
        let weights = Weights {
            values: &weights[seen.start - first..],
            rows: rows.len(),
            cols: seen.len(),
            stride: width,
        };
        let sums = &mut sums.value[rows.start * width_of_values..rows.end * width_of_values];
        backend.value_sums(weights, values, sums);
    }

    /// Scores to weights e^(s−m), in place, 0 outside the row's run; gives m and Σ e^(s−m). `first` is the position of `scores[0]`.
    fn weigh(&self, row: usize, first: usize, run: Range<usize>, scores: &mut [f32]) -> (f32, f32) {
        let Call { settings, backend, .. } = self.call;
        scores[..run.start].fill(0.0);
        scores[run.end..].fill(0.0);
        if run.is_empty() {
            return (f32::NEG_INFINITY, 0.0);
        }
        let first = first + run.start;
        let scores = &mut scores[run];
        if let Some(cap) = settings.softcap {
            backend.tanh(scores);
            backend.scale(cap as f32, scores);
        }
        if let Some(slopes) = &settings.slopes {
            let (token, head) = self.place(row);
            let i = (self.call.cache.len() + self.tokens.start + token) as i64 - self.call.tokens as i64;
            let slope = slopes[self.kv_head * settings.group() + head];
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
        let seen = &self.call.segments[segment].reach[self.tokens.start + self.place(row).0];
        let within = |position: usize| position.saturating_sub(block * BLOCK).min(BLOCK);
        within(seen.start)..within(seen.end)
    }

    fn query(&self, segment: usize, row: usize) -> ArrayView1<'_, f32> {
        let (token, head) = self.place(row);
        let head = self.kv_head * self.call.settings.group() + head;
        let queries = self.call.segments[segment].queries;
        queries.index_axis_move(Axis(0), self.tokens.start + token).index_axis_move(Axis(0), head)
    }

    /// The token of a row within the tile, and its head within the group.
    fn place(&self, row: usize) -> (usize, usize) {
        let group = self.call.settings.group();
        (row / group, row % group)
    }

    fn rows(&self) -> usize {
        self.tokens.len() * self.call.settings.group()
    }

    fn panels(&self) -> impl Iterator<Item = Range<usize>> + use<> {
        let rows = self.rows();
        (0..rows).step_by(PANEL_ROWS).map(move |start| start..rows.min(start + PANEL_ROWS))
    }
}

/// The smallest run that holds all of these; 0..0 where all are empty.
fn union(runs: &[Range<usize>]) -> Range<usize> {
    let seen = runs.iter().filter(|run| !run.is_empty());
    let start = seen.clone().map(|run| run.start).min().unwrap_or(0);
    start..seen.map(|run| run.end).max().unwrap_or(0)
}
