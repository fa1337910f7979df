//! The two forms, each by way of crate `attention`: many heads over expanded keys, or one shared key of the latent.

use std::ops::Range;

use camelid_attention::{BLOCK, Partial, Segment};
use camelid_kernels::Backend;
use ndarray::{Array2, Array3, ArrayView3, ArrayViewMut3, Axis, Slice};

use crate::cache::Cache;
use crate::latent::Latent;
use crate::settings::Settings;

impl Latent {
    /// Keys and values of the positions in sight, head by head; shorter ones are filled up with zeros.
    pub(crate) fn expanded(
        &self,
        queries: ArrayView3<'_, f32>,
        reach: &[Range<usize>],
        cache: &Cache,
        backend: &Backend,
    ) -> Array3<f32> {
        let Settings { heads, rank, unturned, value_dim, .. } = self.settings;
        let (seen, reach) = seen(reach);
        let rows = cache.rows(seen);
        let made = self.up.forward(rows.slice_axis(Axis(1), Slice::from(..rank)), backend);
        let positions = rows.nrows();
        let made = made.into_shape_with_order((positions, heads, unturned + value_dim)).expect("contiguous");
        let key_dim = self.settings.key_dim();
        let wide = key_dim.max(value_dim);
        let mut keys = Array3::zeros((positions, heads, wide));
        features_mut(&mut keys, ..unturned).assign(&features(made.view(), ..unturned));
        let turned = rows.slice_axis(Axis(1), Slice::from(rank..)).insert_axis(Axis(1));
        features_mut(&mut keys, unturned..key_dim).assign(&turned);
        let mut values = Array3::zeros((positions, heads, wide));
        features_mut(&mut values, ..value_dim).assign(&features(made.view(), unturned..));
        let mut lent = self.expanded.cache(cache.compute());
        lent.append(keys.view(), values.view(), backend);
        let mut filled = Array3::zeros((queries.shape()[0], heads, wide));
        features_mut(&mut filled, ..key_dim).assign(&queries);
        let segment = Segment { queries: filled.view(), reach: &reach };
        let y = self.expanded.forward(&[segment], &lent, backend);
        features(y.view(), ..value_dim).to_owned()
    }

    /// Queries carried into the latent space, where all heads share the cached rows as keys and as values.
    pub(crate) fn absorbed(
        &self,
        queries: ArrayView3<'_, f32>,
        reach: &[Range<usize>],
        cache: &Cache,
        backend: &Backend,
    ) -> Array3<f32> {
        let carried = self.carry(queries, backend);
        let sums = match reach {
            [run] => self.one_query(&carried, run.clone(), cache, backend),
            many => {
                let (seen, reach) = seen(many);
                let lent = self.lent(seen, cache, backend);
                let segment = Segment { queries: carried.view(), reach: &reach };
                self.absorbed.forward(&[segment], &lent, backend)
            }
        };
        self.carry_back(&sums, backend)
    }

    /// `[tokens, heads, rank + turned]`: W_kᵀ q_n of each head, then its turned part.
    fn carry(&self, queries: ArrayView3<'_, f32>, backend: &Backend) -> Array3<f32> {
        let Settings { heads, rank, unturned, .. } = self.settings;
        let carried = self.carried();
        let mut parts: Vec<Array2<f32>> = vec![Array2::zeros((0, 0)); heads];
        backend.run_each(&mut parts, |head, part| {
            let own = features(queries, ..unturned).index_axis_move(Axis(1), head);
            *part = carried[head].forward(own, backend);
        });
        let mut out = Array3::zeros((queries.shape()[0], heads, self.settings.cached()));
        for (head, part) in parts.iter().enumerate() {
            features_mut(&mut out, ..rank).index_axis_move(Axis(1), head).assign(part);
        }
        features_mut(&mut out, rank..).assign(&features(queries, unturned..));
        out
    }

    /// `[tokens, heads, value_dim]`: W_v of each head's sum of latents.
    fn carry_back(&self, sums: &Array3<f32>, backend: &Backend) -> Array3<f32> {
        let Settings { heads, rank, value_dim, .. } = self.settings;
        let mut parts: Vec<Array2<f32>> = vec![Array2::zeros((0, 0)); heads];
        backend.run_each(&mut parts, |head, part| {
            let own = features(sums.view(), ..rank).index_axis_move(Axis(1), head);
            *part = self.values[head].forward(own, backend);
        });
        let mut out = Array3::zeros((sums.shape()[0], heads, value_dim));
        for (head, part) in parts.iter().enumerate() {
            out.index_axis_mut(Axis(1), head).assign(part);
        }
        out
    }

    /// Some cached rows laid out as attention reads them, under one head.
    fn lent(&self, positions: Range<usize>, cache: &Cache, backend: &Backend) -> camelid_attention::Cache {
        let rows = cache.rows(positions).insert_axis(Axis(1));
        let mut lent = self.absorbed.cache(cache.compute());
        lent.append(rows.view(), rows.view(), backend);
        lent
    }

    /// A single query: block by block, so that no more than a block is laid out in each thread, and merged in their order.
    fn one_query(
        &self,
        query: &Array3<f32>,
        run: Range<usize>,
        cache: &Cache,
        backend: &Backend,
    ) -> Array3<f32> {
        let Settings { heads, .. } = self.settings;
        let width = self.settings.cached();
        let blocks = run.start / BLOCK..run.end.div_ceil(BLOCK);
        let mut parts: Vec<(usize, Partial)> =
            blocks.map(|block| (block, Partial::empty(heads, width))).collect();
        backend.run_each(&mut parts, |_, (block, sums)| {
            let first = *block * BLOCK;
            let within = run.start.max(first) - first..run.end.min(first + BLOCK) - first;
            let lent = self.lent(first..first + within.end, cache, backend);
            *sums = self.absorbed.sums(query.index_axis(Axis(0), 0), within, &lent, backend);
        });
        let mut all = Partial::empty(heads, width);
        parts.iter().for_each(|(_, sums)| all.merge(sums, backend));
        let mut out = Array3::zeros((1, heads, width));
        for (head, mut row) in out.index_axis_mut(Axis(0), 0).outer_iter_mut().enumerate() {
            all.finish(head, row.as_slice_mut().expect("just made"), backend);
        }
        out
    }
}

/// Some features of every head.
fn features(x: ArrayView3<'_, f32>, which: impl Into<Slice>) -> ArrayView3<'_, f32> {
    let mut x = x;
    x.slice_axis_inplace(Axis(2), which.into());
    x
}

fn features_mut(x: &mut Array3<f32>, which: impl Into<Slice>) -> ArrayViewMut3<'_, f32> {
    x.slice_axis_mut(Axis(2), which.into())
}

/// The positions that some run holds, from the start of a block on; and the runs counted from there. Sums over blocks are
/// then those over the whole cache.
fn seen(reach: &[Range<usize>]) -> (Range<usize>, Vec<Range<usize>>) {
    let filled = || reach.iter().filter(|run| !run.is_empty());
    let start = filled().map(|run| run.start).min().unwrap_or(0) / BLOCK * BLOCK;
    let end = filled().map(|run| run.end).max().unwrap_or(start);
    let moved = |run: &Range<usize>| if run.is_empty() { 0..0 } else { run.start - start..run.end - start };
    (start..end, reach.iter().map(moved).collect())
}
