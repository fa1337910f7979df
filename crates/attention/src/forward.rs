//! One softmax over the runs of keys that each query sees, block by block.

use std::ops::Range;

use camelid_kernels::{Backend, Compute};
use ndarray::{Array3, ArrayView2, ArrayView3, Axis, CowArray, Ix3};

use crate::cache::Cache;
use crate::partial::Partial;
use crate::reach::Reach;
use crate::settings::{Error, Settings};
use crate::tile::{Call, Part, Tile};

/// How many rows are computed together: enough that a block of keys, once in the second-level cache, is used often;
/// few enough that every thread gets several tiles, since later queries see more keys.
fn tile_rows(rows: usize, threads: usize) -> usize {
    (rows / (8 * threads)).clamp(64, 256)
}

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

/// A tile and the places of its tokens' results, `[group, head_dim]` each.
type Work<'a, 'o> = (Tile<'a>, Vec<&'o mut [f32]>);

impl Attention {
    /// Attention with these settings.
    ///
    /// # Errors
    /// Where a size is 0, the heads can't share the kv heads evenly, the scale or a slope is not finite, the soft-cap
    /// is not positive, or the slopes are not one per head.
    pub fn new(settings: Settings) -> Result<Self, Error> {
        settings.check()?;
        Ok(Self { settings })
    }

    /// The settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// An empty cache for this attention, computed in this type.
    pub fn cache(&self, compute: Compute) -> Cache {
        Cache::new(self.settings.kv_heads, self.settings.head_dim, compute)
    }

    /// Σ_j softmax(s)_j·v_j for each query and head, `[tokens, heads, head_dim]`: one softmax over the union of the
    /// segments' runs, which must not overlap. A query that sees no key gets zeros.
    ///
    /// The queries are the cache's newest tokens, query t at position len − tokens + t; only slopes ask for it.
    /// Beside the result, memory is at most linear in tokens and keys. The result is the same bits for any number of
    /// threads, and for any cut of the queries into calls.
    ///
    /// # Panics
    /// Where the shapes of settings, segments and cache differ, or a run ends beyond the cache.
    #[track_caller]
    pub fn forward(&self, segments: &[Segment<'_>], cache: &Cache, backend: &Backend) -> Array3<f32> {
        let tokens = segments.first().map_or(0, |segment| segment.queries.shape()[0]);
        check(&self.settings, segments, tokens, cache);
        let queries: Vec<_> = segments.iter().map(|segment| segment.queries.as_standard_layout()).collect();
        let parts = parts(segments, &queries);
        let call = Call { settings: &self.settings, segments: &parts, cache, backend, tokens };
        let mut out = Array3::zeros((tokens, self.settings.heads, self.settings.head_dim));
        let mut work = split(call, out.as_slice_mut().expect("just made, so contiguous"));
        let steps: usize = work.iter().map(|(tile, _)| tile.steps()).sum();
        if backend.threads() > 1 && work.len() < 4 * backend.threads() && work.len() < steps {
            each_block(call, work);
        } else {
            backend.run_each(&mut work, |_, (tile, out)| finish(tile, &tile.all(), out));
        }
        out
    }

    /// The next tokens of one sequence, by one rule: appends their keys and values, `[tokens, kv_heads, head_dim]`, and
    /// gives the results of their queries, `[tokens, heads, head_dim]`. The cache then forgets what no later query sees.
    /// A prefix that is seen both ways must be in the first call whole.
    ///
    /// # Panics
    /// As [`Attention::forward`] and [`Cache::append`].
    #[track_caller]
    #[expect(clippy::too_many_arguments, reason = "queries, keys and values stand apart, as in the formula")]
    pub fn attend(
        &self,
        queries: ArrayView3<'_, f32>,
        keys: ArrayView3<'_, f32>,
        values: ArrayView3<'_, f32>,
        reach: Reach,
        cache: &mut Cache,
        backend: &Backend,
    ) -> Array3<f32> {
        let first = cache.len();
        cache.append(keys, values, backend);
        let runs = reach.runs(first..cache.len());
        let out = self.forward(&[Segment { queries, reach: &runs }], cache, backend);
        cache.forget_before(reach.run(cache.len()).start);
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
        check(&self.settings, &segments, 1, cache);
        let queries = [segments[0].queries.as_standard_layout()];
        let parts = parts(&segments, &queries);
        let call = Call { settings: &self.settings, segments: &parts, cache, backend, tokens: 1 };
        let mut sums = Partial::empty(0, self.settings.head_dim);
        (0..self.settings.kv_heads)
            .for_each(|kv_head| sums.append(Tile { call, tokens: 0..1, kv_head }.all()));
        sums
    }
}

fn parts<'a>(segments: &'a [Segment<'_>], queries: &'a [CowArray<'_, f32, Ix3>]) -> Vec<Part<'a>> {
    let part = |(segment, queries): (&'a Segment<'_>, &'a CowArray<'_, f32, Ix3>)| Part {
        queries: queries.as_slice().expect("standard layout"),
        reach: segment.reach,
    };
    segments.iter().zip(queries).map(part).collect()
}

/// Few tiles: every block of every tile is a part of its own. Each tile then merges its blocks in the order that it
/// would have met them in, so the result is the same bits.
fn each_block(call: Call<'_>, work: Vec<Work<'_, '_>>) {
    let mut steps = Vec::new();
    for (index, (tile, _)) in work.iter().enumerate() {
        for segment in 0..call.segments.len() {
            steps.extend(tile.blocks(segment).map(|block| (index, segment, block, tile.nothing())));
        }
    }
    call.backend.run_each(&mut steps, |_, (index, segment, block, sums)| {
        let tile = &work[*index].0;
        tile.sums(&tile.queries(*segment), *block, &mut tile.scratch(), sums);
    });
    let mut all: Vec<Partial> = work.iter().map(|(tile, _)| tile.nothing()).collect();
    for (index, _, _, sums) in &steps {
        all[*index].merge(sums, call.backend);
    }
    for ((tile, mut out), sums) in work.into_iter().zip(all) {
        finish(&tile, &sums, &mut out);
    }
}

/// Writes softmax(s)·v of a tile's rows to the places of its tokens.
fn finish(tile: &Tile<'_>, sums: &Partial, out: &mut [&mut [f32]]) {
    let (Call { settings, backend, .. }, group) = (tile.call, sums.rows() / out.len());
    let sink = |head: usize| settings.sinks.as_ref().map(|sinks| sinks[tile.kv_head * group + head]);
    for (token, out) in out.iter_mut().enumerate() {
        let head_dim = out.len() / group;
        for (head, out) in out.chunks_exact_mut(head_dim).enumerate() {
            sums.finish_beside(sink(head), token * group + head, out, backend);
        }
    }
}

/// Cuts the result into tiles, runs of tokens times kv heads; those that see most come first.
fn split<'a, 'o>(call: Call<'a>, out: &'o mut [f32]) -> Vec<Work<'a, 'o>> {
    let Call { settings, tokens, .. } = call;
    let (group, kv_heads) = (settings.group(), settings.kv_heads);
    let height = (tile_rows(tokens * settings.heads, call.backend.threads()) / group).max(1);
    let mut work = Vec::new();
    let mut places = out.chunks_exact_mut(group * settings.head_dim);
    for start in (0..tokens).step_by(height) {
        let tokens = start..tokens.min(start + height);
        let tile =
            |kv_head| (Tile { call, tokens: tokens.clone(), kv_head }, Vec::with_capacity(tokens.len()));
        let mut tiles: Vec<Work<'_, '_>> = (0..kv_heads).map(tile).collect();
        for (index, place) in places.by_ref().take(tokens.len() * kv_heads).enumerate() {
            tiles[index % kv_heads].1.push(place);
        }
        work.extend(tiles);
    }
    work.reverse();
    work
}

#[track_caller]
fn check(settings: &Settings, segments: &[Segment<'_>], tokens: usize, cache: &Cache) {
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
        let start = reach.iter().filter(|run| !run.is_empty()).map(|run| run.start).min().unwrap_or(end);
        let first = cache.first();
        assert!(
            start >= first || end == 0,
            "a run from {start} in a cache that has forgotten those before {first}"
        );
    }
}
