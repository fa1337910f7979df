//! Many tokens: both operands are packed, and the multipliers are what takes the time.
//!
//! x is packed once for the region. A part is a block of rows of a weight, or of two whose results are combined: for each
//! block of depth it packs its rows into a buffer that stays in the second-level cache and runs some hundred tokens over
//! it, tile by tile; sums lie tile by tile too, until they are whole. Every result is summed in the order of depth within a block, and blocks are
//! added in order, whatever the tile it stands in: so a token's result does not depend on the others of the call, as
//! long as they are many.

use std::ops::Range;

use half::{bf16, f16};

use crate::register::{Pairs, Single, Units, VECTORS};
use crate::simd::{CHUNK, Kernel, Left, Out, Right, Simd, Write};
use crate::{Backend, Rows};

use super::ahead::{Ahead, Block};
use super::pack;
use super::region::{Job, Meeting, Region};
use super::source::{Plain, Quantised, Source, unpacked};

/// Units of depth in one block, at most, so that a packed panel of rows stays in the first-level cache.
const BLOCK: usize = 192;

/// And at least. Between the two, a quarter of the depth: sums of sums err less than one long sum.
const LEAST_BLOCK: usize = 16;

/// Bytes that a block of a packed panel of tokens takes at most, for the same reason.
const LEFT_BYTES: usize = 18 << 10;

/// Rows in one part, over all its weights, at most: with [`BLOCK`] they take under half the second-level cache.
const PART_ROWS: usize = 192;

/// Tokens packed in one part: a multiple of the rows of every tile.
const PACK_TOKENS: usize = 96;

/// Tokens whose sums are kept at a time, at most: with the packed weights they stay in the second-level cache.
const SUMMED_TOKENS: usize = 576;

/// The activations of a region, packed: `[block of depth][panel of tokens][chunk][token][CHUNK]`.
#[derive(Clone, Copy)]
pub(super) struct Packed {
    at: *mut f32,
    /// Units of a row, in whole chunks.
    depth: usize,
    /// Units of a block; the last one may be shorter.
    block: usize,
    /// Elements of a unit.
    width: usize,
}

// SAFETY: written by parts that pack distinct panels, read by parts of a later region.
unsafe impl Sync for Packed {}
// SAFETY: as above.
unsafe impl Send for Packed {}

/// Packs the activations in parts, then computes in parts; in pairs of bf16 where `pairs` says so, else in f32.
pub(super) fn multiply(backend: &Backend, region: Region<'_>, pairs: bool) {
    // In pairs whole blocks: rounding the activations errs more than a long sum.
    let most = BLOCK.min(LEFT_BYTES / size_of::<f32>() / backend.call(TileRows { pairs }));
    let (width, most) = if pairs { (2, most) } else { (1, (region.cols / 4).clamp(LEAST_BLOCK, most)) };
    let depth = region.cols.div_ceil(width).next_multiple_of(CHUNK);
    let block = block_units(&region, depth, most);
    let mut buffer = backend.scratch().buffer(region.tokens * depth);
    let packed = Packed { at: buffer.as_mut_ptr(), depth, block, width };
    backend.run(region.tokens.div_ceil(PACK_TOKENS), |part| backend.call(Pack { region, packed, part }));
    let step = part_rows(backend.threads(), &region);
    backend.run(region.parts(step), |part| {
        let (job, rows) = region.locate(part, step);
        backend.call(Part { backend, region, packed, job, rows });
    });
}

/// Units of a block: about equal ones of at most `most`, but in whole steps of quantised weights.
fn block_units(region: &Region<'_>, depth: usize, most: usize) -> usize {
    let step = |job: &Job<'_>| match job.weights[0] {
        Rows::F32(_) | Rows::Bf16(_) | Rows::F16(_) => CHUNK,
        Rows::Blocks(blocks, _) => blocks.step(),
    };
    let step = region.jobs.iter().map(step).max().unwrap_or(CHUNK);
    let most = if step == CHUNK { most } else { (most / step).max(1) * step };
    depth.div_ceil(depth.div_ceil(most)).next_multiple_of(step)
}

/// Rows of a weight in one part: such that the threads end together, and else as many as may be.
pub(super) fn part_rows(threads: usize, region: &Region<'_>) -> usize {
    let longest = |step: usize| region.parts(step).div_ceil(threads) * step;
    let weights = region.jobs.iter().map(|job| job.weights.len()).max().unwrap_or(1);
    (2..=PART_ROWS / 32 / weights)
        .rev()
        .map(|panels| 32 * panels)
        .min_by_key(|&step| longest(step))
        .unwrap_or(PART_ROWS)
}

impl Packed {
    /// The blocks of depth, in units.
    fn blocks(self) -> impl Iterator<Item = Range<usize>> {
        (0..self.depth).step_by(self.block).map(move |start| start..self.depth.min(start + self.block))
    }

    /// What is packed after a block of some rows, of a weight of `all` rows: more of their depth, or the rows that follow.
    fn next(self, block: &Range<usize>, rows: &Range<usize>, all: usize) -> Block {
        if block.end < self.depth {
            return Block { rows: rows.clone(), units: block.end..block.end + self.block };
        }
        Block { rows: rows.end..all.min(rows.end + rows.len()), units: 0..self.block }
    }

    /// Where a block of a panel begins.
    fn panel(self, block: &Range<usize>, first: usize, tokens: usize) -> *mut f32 {
        // SAFETY: within the buffer, since blocks before this one take `start` units of every token.
        unsafe { self.at.add(block.start * tokens + first * block.len()) }
    }
}

/// How many rows a tile has.
struct TileRows {
    pairs: bool,
}

impl Kernel for TileRows {
    type Output = usize;
    #[inline(always)]
    fn run<S: Simd>(self, _: S) -> usize {
        if S::PAIRS && self.pairs { S::PAIR_ROWS } else { S::TILE_ROWS }
    }
}

/// Packs the activations of [`PACK_TOKENS`] tokens.
struct Pack<'a> {
    region: Region<'a>,
    packed: Packed,
    part: usize,
}

impl Kernel for Pack<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        // Where the machine has no product of pairs, none are packed.
        if S::PAIRS && self.packed.width == 2 {
            self.pack::<S, Pairs>(simd);
        } else {
            self.pack::<S, Single<f32>>(simd);
        }
    }
}

impl Pack<'_> {
    #[inline(always)]
    fn pack<S: Simd, U: Units<S>>(self, simd: S) {
        let Self { region, packed, part } = self;
        let end = region.tokens.min((part + 1) * PACK_TOKENS);
        for first in (part * PACK_TOKENS..end).step_by(U::ROWS) {
            let last = end.min(first + U::ROWS);
            let x = &region.x[first * region.cols..last * region.cols];
            for block in packed.blocks() {
                let to = packed.panel(&block, first, region.tokens);
                // SAFETY: `Packed` has room for every panel, and parts pack distinct ones.
                unsafe { pack::activations::<S, U>(simd, x, region.cols, block, to) };
            }
        }
    }
}

/// All tokens by some rows of the weights of a job.
struct Part<'a> {
    backend: &'a Backend,
    region: Region<'a>,
    packed: Packed,
    job: &'a Job<'a>,
    rows: Range<usize>,
}

/// Where a part keeps what it works on.
#[derive(Clone, Copy)]
struct Room {
    /// The part's rows, packed: `[panel][depth of a block][VECTORS · LANES]`.
    weights: *mut f32,
    /// One panel of them before it is packed, where they are quantised.
    unpacked: *mut f32,
    /// Sums of some tokens: `[panel][token][VECTORS · LANES]`.
    sums: *mut f32,
}

impl Kernel for Part<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        match self.job.weights[0] {
            Rows::Bf16(_) if S::PAIRS && self.packed.width == 2 => {
                self.multiply::<S, Plain<'_, Pairs, bf16>>(simd);
            }
            Rows::F32(_) => self.multiply::<S, Plain<'_, Single<f32>, f32>>(simd),
            Rows::Bf16(_) => self.multiply::<S, Plain<'_, Single<bf16>, bf16>>(simd),
            Rows::F16(_) => self.multiply::<S, Plain<'_, Single<f16>, f16>>(simd),
            Rows::Blocks(..) => self.multiply::<S, Quantised<'_>>(simd),
        }
    }
}

impl<'a> Part<'a> {
    /// `out[t, o]` for all tokens t and the rows o of this part.
    #[inline(always)]
    fn multiply<S: Simd, W: Source<'a, S>>(self, simd: S) {
        let (tokens, width) = (self.region.tokens, VECTORS * S::LANES);
        let step = tokens.div_ceil(tokens.div_ceil(SUMMED_TOKENS)).next_multiple_of(W::Units::ROWS);
        let columns = self.rows.len().next_multiple_of(width);
        let mut weights = self.backend.scratch().buffer(columns * self.packed.block);
        let mut unpacked = self.backend.scratch().buffer(unpacked(self.packed.block));
        let mut sums = self.backend.scratch().buffer(self.job.weights.len() * columns * step);
        for first in (0..tokens).step_by(step) {
            let tokens = first..tokens.min(first + step);
            let mut room = Room {
                weights: weights.as_mut_ptr(),
                unpacked: unpacked.as_mut_ptr(),
                sums: sums.as_mut_ptr(),
            };
            for block in self.packed.blocks() {
                room.sums = sums.as_mut_ptr();
                for &weight in self.job.weights {
                    let weight = W::of(weight);
                    self.pack(simd, weight, &block, room);
                    self.block(simd, weight, (&tokens, &block), room);
                    room.sums = room.sums.wrapping_add(columns * tokens.len());
                }
            }
            room.sums = sums.as_mut_ptr();
            self.combine(width, tokens.len(), room);
            self.finish(simd, tokens, room);
        }
    }

    /// Lets the sums of two weights meet, a panel at a time; what is kept are those of the first one.
    fn combine(&self, width: usize, tokens: usize, room: Room) {
        let Some(combine) = self.job.combine else { return };
        let panels = self.rows.len().div_ceil(width);
        for (panel, first) in self.rows.clone().step_by(width).enumerate() {
            let at = |weight: usize| (weight * panels + panel) * tokens * width;
            // SAFETY: there are sums of two weights, each panel with a sum for each token; nobody else has them.
            let [gate, up] = [0, 1].map(|weight| unsafe {
                std::slice::from_raw_parts_mut(room.sums.add(at(weight)), tokens * width)
            });
            combine(Meeting { rows: first..self.rows.end.min(first + width), width, gate, up });
        }
    }

    /// Packs a block of this part's rows.
    #[inline(always)]
    fn pack<S: Simd, W: Source<'a, S>>(&self, simd: S, weight: W, block: &Range<usize>, room: Room) {
        let (cols, width) = (self.region.cols, VECTORS * S::LANES);
        for (panel, first) in self.rows.clone().step_by(width).enumerate() {
            let last = self.rows.end.min(first + width);
            // SAFETY: there is room for every panel, and for one that is unpacked.
            unsafe {
                let to = room.weights.add(panel * width * block.len());
                weight.pack((self.backend, simd), first..last, (cols, block), (to, room.unpacked));
            }
        }
    }

    /// Adds the products of a block to the sums of some tokens.
    #[inline(always)]
    fn block<S: Simd, W: Source<'a, S>>(
        &self,
        simd: S,
        weight: W,
        (tokens, block): (&Range<usize>, &Range<usize>),
        room: Room,
    ) {
        let panels = self.rows.len().div_ceil(VECTORS * S::LANES);
        let most = W::Units::ROWS;
        let tiles = tokens.len().div_ceil(most) * panels;
        let next = self.packed.next(block, &self.rows, self.job.rows);
        let (lying, own) = weight.lying(self.region.cols, &next.units);
        let mut ahead = Ahead::new(next.rows, lying, own, tiles);
        let rest = tokens.len() % most;
        let whole = W::Units::ready(simd, most);
        for panel in 0..panels {
            for token in (tokens.start..tokens.end - rest).step_by(most) {
                ahead.fetch(simd);
                self.tile::<S, W::Units>(simd, (token..token + most, panel), (tokens, block), room);
            }
        }
        drop(whole);
        if rest > 0 {
            let _ready = W::Units::ready(simd, rest);
            for panel in 0..panels {
                ahead.fetch(simd);
                self.tile::<S, W::Units>(simd, (tokens.end - rest..tokens.end, panel), (tokens, block), room);
            }
        }
    }

    /// Adds one tile: a panel of the tokens `own` and one of the part's rows.
    #[inline(always)]
    fn tile<S: Simd, U: Units<S>>(
        &self,
        simd: S,
        (own, panel): (Range<usize>, usize),
        (tokens, block): (&Range<usize>, &Range<usize>),
        room: Room,
    ) {
        let (width, depth, count) = (VECTORS * S::LANES, block.len(), own.len());
        let write = if block.start == 0 { Write::Replace } else { Write::Add };
        let at = self.packed.panel(block, own.start, self.region.tokens).cast_const();
        let left = Left { at, row: CHUNK, chunk: count * CHUNK };
        // SAFETY: both operands are packed for this depth; there is room for the sums of each panel and token.
        unsafe {
            let right = Right { at: room.weights.add(panel * width * depth), stride: width };
            let at = room.sums.add((panel * tokens.len() + own.start - tokens.start) * width);
            U::tile::<VECTORS>(simd, (count, depth), left, right, Out { at, stride: width, write });
        }
    }

    /// Writes the sums of some tokens to their places.
    #[inline(always)]
    fn finish<S: Simd>(&self, simd: S, tokens: Range<usize>, room: Room) {
        let (width, columns, count) = (VECTORS * S::LANES, self.rows.len(), tokens.len());
        for (row, token) in tokens.enumerate() {
            for column in (0..columns).step_by(S::LANES) {
                let lanes = S::LANES.min(columns - column);
                // SAFETY: there is a sum for each panel and token, and the results are this part's own.
                unsafe {
                    let from = room.sums.add((column / width * count + row) * width + column % width);
                    let to = self.job.out.get().add(token * self.job.rows + self.rows.start + column);
                    if lanes == S::LANES {
                        simd.store(to, simd.load(from));
                    } else {
                        simd.store_first(to, simd.load(from), lanes);
                    }
                }
            }
        }
    }
}
