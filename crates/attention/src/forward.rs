//! One softmax over the runs of keys that each query sees, block by block.

use std::ops::Range;

use camelid_kernels::Backend;
use ndarray::{Array3, ArrayView2, ArrayView3, ArrayViewMut3, Axis};

use crate::cache::Cache;
use crate::partial::Partial;
use crate::settings::{Error, Settings};
use crate::tile::{Call, Tile};

/// About how many rows are computed together: enough that a block of keys, once in the second-level cache, is used often.
const TILE_ROWS: usize = 64;

/// Attention with settings that were found good.
#[derive(Clone, Debug, PartialEq)]
pub struct Attention {
    settings: Settings,
}

/// Queries, and the run of keys that each of them sees.
#[derive(Clone, Copy, Debug)]
pub struct Segment<'a> {
    /// `[tokens, heads, head_dim]`; every segment of a call shows the same queries, each perhaps turned otherwise.
    pub queries: ArrayView3<'a, f32>,
    /// One run of positions in the cache for each token; it may be empty.
    pub reach: &'a [Range<usize>],
}

/// A tile and the place of its result, `[tokens, group, head_dim]`.
type Work<'a, 's, 'o> = (Tile<'a, 's>, ArrayViewMut3<'o, f32>);

impl Attention {
    /// Attention with these settings.
    ///
    /// # Errors
    /// Where a size is 0, the heads can't share the kv heads evenly, the scale or a slope is not finite, the soft-cap is not positive, or
    /// the slopes are not one per head.
    pub fn new(settings: Settings) -> Result<Self, Error> {
        settings.check()?;
        Ok(Self { settings })
    }

    /// The settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// An empty cache for this attention.
    pub fn cache(&self) -> Cache {
        Cache::new(self.settings.kv_heads, self.settings.head_dim)
    }

    /// Σ_j softmax(s)_j·v_j for each query and head, `[tokens, heads, head_dim]`: one softmax over the union of the segments' runs, which
    /// must not overlap. A query that sees no key gets zeros.
    ///
    /// The queries are the cache's newest tokens, query t at position len − tokens + t; only slopes ask for it. Beside the result, memory
    /// is at most linear in tokens and keys. The result is the same bits for any number of threads.
    ///
    /// # Panics
    /// Where the shapes of settings, segments and cache differ, or a run ends beyond the cache.
    #[track_caller]
    pub fn forward(&self, segments: &[Segment<'_>], cache: &Cache, backend: &Backend) -> Array3<f32> {
        let settings = &self.settings;
        let tokens = segments.first().map_or(0, |segment| segment.queries.shape()[0]);
        let call = Call { settings, segments, cache, backend, tokens };
        check(call);
        let mut out = Array3::zeros((tokens, settings.heads, settings.head_dim));
        let mut work = split(call, &mut out);
        if work.len() < 4 * backend.threads() && backend.threads() > 1 {
            each_block(call, work);
        } else {
            backend.run_each(&mut work, |_, (tile, out)| tile.finish(&tile.all(), out));
        }
        out
    }

    /// The sums of one query `[heads, head_dim]`, the newest token, over a run of keys: one row for each head.
    ///
    /// # Panics
    /// Where the shapes of settings, query and cache differ, or the run ends beyond the cache.
    #[track_caller]
    pub fn sums(
        &self,
        query: ArrayView2<'_, f32>,
        run: Range<usize>,
        cache: &Cache,
        backend: &Backend,
    ) -> Partial {
        let segments = [Segment { queries: query.insert_axis(Axis(0)), reach: &[run] }];
        let call = Call { settings: &self.settings, segments: &segments, cache, backend, tokens: 1 };
        check(call);
        let mut sums = Partial::empty(0, self.settings.head_dim);
        (0..self.settings.kv_heads)
            .for_each(|kv_head| sums.append(Tile { call, tokens: 0..1, kv_head }.all()));
        sums
    }
}

/// Few tiles: every block of every tile is a part of its own. Each tile then merges its blocks in the order that it would have met them
/// in, so the result is the same bits.
fn each_block(call: Call<'_, '_>, mut work: Vec<Work<'_, '_, '_>>) {
    let steps = |tile: &Tile<'_, '_>| -> Vec<(usize, usize)> {
        let blocks = |segment| tile.blocks(segment).map(move |block| (segment, block));
        (0..call.segments.len()).flat_map(blocks).collect()
    };
    let mut parts: Vec<(usize, usize, usize, Option<Partial>)> = Vec::new();
    for (index, (tile, _)) in work.iter().enumerate() {
        parts.extend(steps(tile).into_iter().map(|(segment, block)| (index, segment, block, None)));
    }
    call.backend.run_each(&mut parts, |_, (index, segment, block, sums)| {
        let tile = &work[*index].0;
        *sums = Some(tile.sums(&tile.queries(*segment), *block));
    });
    let mut all: Vec<Partial> = work.iter().map(|(tile, _)| tile.nothing()).collect();
    for (index, _, _, sums) in parts {
        all[index].merge(&sums.expect("run_each visits every part"), call.backend);
    }
    for ((tile, out), sums) in work.iter_mut().zip(all) {
        tile.finish(&sums, out);
    }
}

/// Cuts the result into tiles: runs of tokens times kv heads.
fn split<'a, 's, 'o>(call: Call<'a, 's>, out: &'o mut Array3<f32>) -> Vec<Work<'a, 's, 'o>> {
    let group = call.settings.group();
    let height = (TILE_ROWS / group).max(1);
    let mut work = Vec::new();
    for (index, rows) in out.axis_chunks_iter_mut(Axis(0), height).enumerate() {
        let tokens = index * height..call.tokens.min((index + 1) * height);
        let mut rest = rows;
        for kv_head in 0..call.settings.kv_heads {
            let (own, others) = rest.split_at(Axis(1), group);
            work.push((Tile { call, tokens: tokens.clone(), kv_head }, own));
            rest = others;
        }
    }
    work
}

#[track_caller]
fn check(Call { settings, segments, cache, tokens, .. }: Call<'_, '_>) {
    let shape = [tokens, settings.heads, settings.head_dim];
    let held = [cache.kv_heads(), cache.head_dim()];
    let own = [settings.kv_heads, settings.head_dim];
    assert_eq!(
        held, own,
        "a cache of [_, {}, {}] for attention over [_, {}, {}]",
        held[0], held[1], own[0], own[1]
    );
    for Segment { queries, reach } in segments {
        assert_eq!(queries.shape(), shape, "queries {:?}, not {shape:?}", queries.shape());
        assert_eq!(reach.len(), tokens, "{} runs for {tokens} tokens", reach.len());
        let end = reach.iter().filter(|run| !run.is_empty()).map(|run| run.end).max().unwrap_or(0);
        assert!(end <= cache.len(), "a run to {end} in a cache of {} positions", cache.len());
    }
}
