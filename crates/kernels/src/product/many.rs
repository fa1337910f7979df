//! Many tokens: both operands are packed, and the multipliers are what takes the time.
//!
//! x is packed once for the region. A part is a block of rows of one weight: for each block of depth it packs its
//! rows into a buffer that stays in the second-level cache and runs all tokens over it, tile by tile. Every result is
//! summed in the order of depth within a block, and blocks are added in order, whatever the tile it stands in: so a
//! token's result does not depend on the others of the call, as long as they are many.

use std::ops::Range;

use half::{bf16, f16};

use crate::register::{CHUNK, Left, Out, Pairs, Right, Single, Units, VECTORS, Write};
use crate::simd::{Kernel, Simd};
use crate::{Backend, Rows};

use super::ahead::{Ahead, Block, near};
use super::pack::{self, Panel};
use super::{Job, Region};

/// From this number of tokens on, packing pays.
pub(super) const WORTH_PACKING: usize = 8;

/// Units of depth in one block, at most.
pub(super) const BLOCK: usize = 384;

/// And at least. Between the two, a quarter of the depth: sums of sums err less than one long sum.
const LEAST_BLOCK: usize = 16;

/// Rows of a weight in one part, at most: with [`BLOCK`] they take under half the second-level cache.
const PART_ROWS: usize = 192;

/// Tokens packed in one part: a multiple of the rows of every tile.
const PACK_TOKENS: usize = 96;

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
    let (width, most) = if pairs { (2, BLOCK) } else { (1, (region.cols / 4).clamp(LEAST_BLOCK, BLOCK)) };
    let depth = region.cols.div_ceil(width).next_multiple_of(CHUNK);
    let block = depth.div_ceil(depth.div_ceil(most)).next_multiple_of(CHUNK);
    let mut buffer = backend.scratch().buffer(region.tokens * depth);
    let packed = Packed { at: buffer.as_mut_ptr(), depth, block, width };
    backend.run(region.tokens.div_ceil(PACK_TOKENS), |part| backend.call(Pack { region, packed, part }));
    let step = part_rows(backend.threads(), &region);
    backend.run(region.parts(step), |part| {
        let (job, rows) = region.locate(part, step);
        backend.call(Part { backend, region, packed, job, rows });
    });
}

/// Rows of a weight in one part: such that the threads end together, and else as many as may be.
fn part_rows(threads: usize, region: &Region<'_>) -> usize {
    let longest = |step: usize| region.parts(step).div_ceil(threads) * step;
    (2..=PART_ROWS / 32)
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

/// All tokens by some rows of one weight.
struct Part<'a> {
    backend: &'a Backend,
    region: Region<'a>,
    packed: Packed,
    job: &'a Job<'a>,
    rows: Range<usize>,
}

impl Kernel for Part<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        match self.job.weight {
            Rows::Bf16(values) if S::PAIRS && self.packed.width == 2 => {
                self.multiply::<S, Pairs>(simd, values);
            }
            Rows::F32(values) => self.multiply::<S, Single<f32>>(simd, values),
            Rows::Bf16(values) => self.multiply::<S, Single<bf16>>(simd, values),
            Rows::F16(values) => self.multiply::<S, Single<f16>>(simd, values),
        }
    }
}

impl Part<'_> {
    /// `out[t, o] = x[t] · weight[o]` for all tokens t and the rows o of this part.
    #[inline(always)]
    fn multiply<S: Simd, U: Units<S>>(self, simd: S, weight: &[U::Weight]) {
        let Self { backend, region, packed, job, rows } = self;
        let width = VECTORS * S::LANES;
        let panels = rows.len().div_ceil(width);
        let mut buffer = backend.scratch().buffer(panels * width * packed.block);
        for block in packed.blocks() {
            let depth = block.len();
            let write = if block.start == 0 { Write::Replace } else { Write::Add };
            for panel in 0..panels {
                let first = rows.start + panel * width;
                let last = rows.end.min(first + width);
                let values = &weight[first * region.cols..last * region.cols];
                let part = Panel { values, rows: last - first, cols: region.cols };
                // SAFETY: the buffer has room for every panel.
                unsafe {
                    let to = buffer.as_mut_ptr().add(panel * width * depth);
                    pack::weights::<S, U>(simd, part, block.clone(), to);
                }
            }
            let tiles = region.tokens.div_ceil(U::ROWS) * panels;
            let next = packed.next(&block, &rows, job.rows);
            let mut ahead = Ahead::new(&next, (weight, region.cols), U::WIDTH, tiles);
            let mut ready = U::ready(simd, region.tokens.min(U::ROWS));
            for token in (0..region.tokens).step_by(U::ROWS) {
                let tokens = (region.tokens - token).min(U::ROWS);
                if tokens < U::ROWS {
                    drop(ready);
                    ready = U::ready(simd, tokens);
                }
                let at = packed.panel(&block, token, region.tokens).cast_const();
                let left = Left { at, row: CHUNK, chunk: tokens * CHUNK };
                for panel in 0..panels {
                    let first = rows.start + panel * width;
                    let cols = (rows.end - first).min(width);
                    // SAFETY: both operands are packed for this depth, and the results are this part's own.
                    unsafe {
                        let right = Right { at: buffer.as_ptr().add(panel * width * depth), stride: width };
                        let at = job.out.get().add(token * job.rows + first);
                        let out = Out { at, stride: job.rows, cols, write };
                        ahead.fetch(simd);
                        near(simd, out, tokens);
                        U::tile::<VECTORS>(simd, (tokens, depth), left, right, out);
                    }
                }
            }
            drop(ready);
        }
    }
}
