//! Few tokens: the weights are read once from memory.
//!
//! A row meets up to three tokens while it passes through the registers ([`stream`]: the memory is what takes the time);
//! before more of them some rows pass again and again ([`several`]). Where x is too long to stay in the first-level cache,
//! some rows meet a part of it, then the next part. Each dot product is summed in the same order whatever stands beside it,
//! so a token's result does not depend on the others of the call.

mod several;
mod stream;

use std::marker::PhantomData;
use std::ops::Range;

use half::{bf16, f16};

use crate::scratch::Buffer;
use crate::simd::{Element, Kernel, MOST_LANES, Simd};
use crate::{Backend, Rows};

use super::blocks;
use super::region::Region;

/// Bytes of weights in one part, about: large against the cost of claiming it, small against the whole.
const PART_BYTES: usize = 128 << 10;

/// Pairs of sums side by side in one dot product at most, to hide the latency of the additions.
const MOST_PAIRS: usize = 2;

/// Rows that meet a part of x together.
const GROUP: usize = 8;

/// A cache line, in bytes.
const LINE: usize = 64;

/// Bytes of x that stay in the first-level cache beside the weights that pass through it.
const NEAR: usize = 16 << 10;

/// In pairs of bf16 where `pairs` says so; then the machine must have their product, and all weights must be bf16.
pub(super) fn multiply(backend: &Backend, region: Region<'_>, pairs: bool) {
    let stride = (region.cols.next_multiple_of(2 * MOST_LANES) + 2 * MOST_LANES) / if pairs { 2 } else { 1 };
    // One token waits for memory alone; what several meet in long vectors has the same bits as in short ones.
    let long = pairs || region.tokens > 1;
    let has = |near: bool| region.jobs.iter().any(|job| near_order(job.weights[0]) == Some(near));
    let lay = |near: bool, buffer: &mut Buffer<'_>| {
        let x = Laid { at: buffer.as_mut_ptr(), stride };
        let lay = Lay { region, x, pairs, near };
        match (has(near), long) {
            (false, _) => {}
            (true, true) => backend.call(lay),
            (true, false) => backend.stream(lay),
        }
        x
    };
    let places = |near: bool| if has(near) { region.tokens * stride } else { 0 };
    let mut buffers = [false, true].map(|near| backend.scratch().buffer(places(near)));
    let [ordered, near] = &mut buffers;
    let (ordered, near) = (lay(false, ordered), lay(true, near));
    // Blocks meet x as it is, but no vector of it should lie in two cache lines; their rows are whole lines.
    let blocks = region.jobs.iter().any(|job| near_order(job.weights[0]).is_none());
    let mut lines = backend.scratch().buffer(if blocks { region.x.len() } else { 0 });
    let whole = if blocks { lines.copy(region.x) } else { region.x };
    let fair = region.total_rows().div_ceil(16 * backend.threads());
    let row_bytes = region.jobs.iter().map(|job| row_bytes(job.weights[0], region.cols)).max();
    let step = (PART_BYTES / row_bytes.unwrap_or(1).max(1)).min(fair).max(1);
    backend.run(region.parts(step), |part| {
        let (job, rows) = region.locate(part, step);
        let (weight, out) = (job.weights[0], (job.out.get(), job.rows));
        if let Rows::Blocks(kind, weight) = weight {
            return blocks::Dots { x: whole, cols: region.cols, weight, rows, out }.run(backend, kind);
        }
        let x = if near_order(weight) == Some(true) { near } else { ordered };
        let dots = Dots { region, x, weight, rows, out, pairs };
        if long { backend.call(dots) } else { backend.stream(dots) }
    });
}

/// About how many bytes pass by with one row.
fn row_bytes(weight: Rows<'_>, cols: usize) -> usize {
    match weight {
        Rows::F32(_) | Rows::Bf16(_) | Rows::F16(_) => cols * 4,
        Rows::Blocks(blocks, _) => cols / blocks.numbers() * blocks.bytes(),
    }
}

/// Whether x is laid out in the order of [`Simd::unzip_near`], or in that of [`Simd::unzip`]; blocks meet it as it is.
fn near_order(weight: Rows<'_>) -> Option<bool> {
    match weight {
        Rows::F32(_) => Some(f32::NEAR),
        Rows::F16(_) => Some(f16::NEAR),
        Rows::Bf16(_) => Some(bf16::NEAR),
        Rows::Blocks(..) => None,
    }
}

/// x as it is read, `stride` places for each token, at the end zeros.
#[derive(Clone, Copy)]
struct Laid {
    at: *mut f32,
    stride: usize,
}

// SAFETY: only read once it is shared.
unsafe impl Sync for Laid {}
// SAFETY: as above.
unsafe impl Send for Laid {}

/// Lays out x as weights are read.
struct Lay<'a> {
    region: Region<'a>,
    x: Laid,
    pairs: bool,
    near: bool,
}

impl Kernel for Lay<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        if S::PAIRS && self.pairs {
            self.lay::<S, Pairs>(simd);
        } else if self.near {
            self.lay::<S, Wide<f32>>(simd);
        } else {
            self.lay::<S, Wide<bf16>>(simd);
        }
    }
}

impl Lay<'_> {
    #[inline(always)]
    fn lay<S: Simd, M: Meet<S>>(&self, simd: S) {
        let Region { x, tokens, cols, .. } = self.region;
        for token in 0..tokens {
            let row = &x[token * cols..(token + 1) * cols];
            let (whole, rest) = row.split_at(cols - cols % (M::PAIRS * 2 * S::LANES));
            let place = |index: usize| token * self.x.stride + index * 2 * S::LANES / M::WIDTH;
            let count = whole.len() / (2 * S::LANES);
            for index in 0..count {
                // SAFETY: that many elements are whole pairs of vectors, for which a row of the layout has room.
                unsafe {
                    let from = whole.as_ptr().add(index * 2 * S::LANES);
                    M::lay(simd, from, self.x.at.add(place(index)));
                }
            }
            for (index, part) in rest.chunks(M::REST).enumerate() {
                let mut filled = [0.0; 2 * MOST_LANES];
                filled[..part.len()].copy_from_slice(part);
                // SAFETY: `filled` has two vectors; a row of the layout has room for two more than the elements fill.
                unsafe { M::lay(simd, filled.as_ptr(), self.x.at.add(place(count + index))) };
            }
        }
    }
}

/// How `2 · LANES` elements of a weight meet those of x, as which x is laid out.
trait Meet<S: Simd> {
    type Weight: Element;
    /// Elements of x in 32 bits.
    const WIDTH: usize;
    /// Pairs of sums side by side.
    const PAIRS: usize;
    /// Elements that meet at once at the end of a row, where they fill no pairs.
    const REST: usize;
    /// Lays out `2 · LANES` elements of x.
    ///
    /// # Safety
    /// They can be read, and their places written.
    unsafe fn lay(simd: S, from: *const f32, to: *mut f32);

    /// Adds their products to the sums.
    ///
    /// # Safety
    /// `2 · LANES` elements of the weight and of the laid out x can be read.
    unsafe fn meet(simd: S, weight: *const Self::Weight, x: *const f32, sums: &mut [S::V; 2]);
}

/// In f32: even and odd elements are summed apart, since bf16 widens so with no element moved. A vector of most lanes holds
/// what two of half as many hold: each lane then sums the same elements in the same order, so that the bits are the same.
struct Wide<E>(PhantomData<E>);

impl<S: Simd, E: Element> Meet<S> for Wide<E> {
    type Weight = E;
    const WIDTH: usize = 1;
    const PAIRS: usize = if S::LANES == MOST_LANES { 1 } else { MOST_PAIRS };
    const REST: usize = if S::LANES == MOST_LANES { S::LANES } else { 2 * S::LANES };
    #[inline(always)]
    unsafe fn lay(simd: S, from: *const f32, to: *mut f32) {
        // SAFETY: the caller's contract.
        unsafe {
            let (a, b) = (simd.load(from), simd.load(from.add(S::LANES)));
            let (even, odd) = if E::NEAR { simd.unzip_near(a, b) } else { simd.unzip(a, b) };
            simd.store(to, even);
            simd.store(to.add(S::LANES), odd);
        }
    }
    #[inline(always)]
    unsafe fn meet(simd: S, weight: *const E, x: *const f32, sums: &mut [S::V; 2]) {
        // SAFETY: the caller's contract.
        unsafe {
            let (even, odd) = E::load_pairs(simd, weight);
            sums[0] = simd.mul_add(even, simd.load(x), sums[0]);
            sums[1] = simd.mul_add(odd, simd.load(x.add(S::LANES)), sums[1]);
        }
    }
}

/// In bf16, to which x is rounded.
struct Pairs;

impl<S: Simd> Meet<S> for Pairs {
    type Weight = bf16;
    const WIDTH: usize = 2;
    const PAIRS: usize = MOST_PAIRS;
    const REST: usize = 2 * S::LANES;
    #[inline(always)]
    unsafe fn lay(simd: S, from: *const f32, to: *mut f32) {
        // SAFETY: the caller's contract.
        unsafe { simd.store(to, simd.load_rounded(from)) };
    }
    #[inline(always)]
    unsafe fn meet(simd: S, weight: *const bf16, x: *const f32, sums: &mut [S::V; 2]) {
        // SAFETY: the caller's contract.
        unsafe { sums[0] = simd.mul_add_pairs(simd.load(weight.cast()), simd.load(x), sums[0]) };
    }
}

/// `out[t · stride + o] = x[t] · weight[o]` for the rows o of the range.
struct Dots<'a> {
    region: Region<'a>,
    x: Laid,
    weight: Rows<'a>,
    rows: Range<usize>,
    out: (*mut f32, usize),
    pairs: bool,
}

impl Kernel for Dots<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        match self.weight {
            Rows::Bf16(values) if S::PAIRS && self.pairs => self.rows::<S, Pairs>(simd, values),
            Rows::F32(values) => self.rows::<S, Wide<f32>>(simd, values),
            Rows::Bf16(values) => self.rows::<S, Wide<bf16>>(simd, values),
            Rows::F16(values) => self.rows::<S, Wide<f16>>(simd, values),
            Rows::Blocks(..) => {} // They have their own.
        }
    }
}

impl Dots<'_> {
    #[inline(always)]
    fn rows<S: Simd, M: Meet<S>>(&self, simd: S, weight: &[M::Weight]) {
        for first in self.rows.clone().step_by(GROUP) {
            let rows = first..self.rows.end.min(first + GROUP);
            match self.region.tokens {
                1 => self.once::<S, M, 1>(simd, weight, rows),
                2 => self.once::<S, M, 2>(simd, weight, rows),
                3 => self.once::<S, M, 3>(simd, weight, rows),
                _ => self.again::<S, M>(simd, weight, rows),
            }
        }
    }

    /// How many columns of a row meet as many tokens at a time.
    #[inline(always)]
    fn part<S: Simd, M: Meet<S>>(&self, tokens: usize) -> usize {
        let cols = self.region.cols;
        let parts = (cols * tokens * 4 / M::WIDTH).div_ceil(NEAR);
        cols.div_ceil(parts).next_multiple_of(MOST_PAIRS * 2 * MOST_LANES)
    }

    /// Writes the results of a row and of tokens from one on.
    #[inline(always)]
    fn write<S: Simd, M: Meet<S>, const T: usize>(
        &self,
        simd: S,
        row: usize,
        token: usize,
        sums: Sums<S, T>,
    ) {
        let (out, stride) = self.out;
        for (t, [[a, b], [c, d]]) in sums.into_iter().enumerate() {
            let first = simd.add(a, b);
            let sum = if M::PAIRS == 1 { first } else { simd.add(first, simd.add(c, d)) };
            let sum = simd.sum(if M::Weight::NEAR { simd.ordered(sum) } else { sum });
            // SAFETY: each result is this part's own.
            unsafe { *out.add((token + t) * stride + row) = sum };
        }
    }
}

/// Sums of a row by `T` tokens.
type Sums<S, const T: usize> = [[[<S as Simd>::V; 2]; MOST_PAIRS]; T];

/// Some elements at the end of a row, with zeros beside them.
///
/// # Safety
/// `count` elements can be read, at most two vectors of most lanes.
#[inline(always)]
unsafe fn filled<E: Element>(from: *const E, count: usize) -> [E; 2 * MOST_LANES] {
    let mut filled = [E::ZERO; 2 * MOST_LANES];
    // SAFETY: the caller's contract.
    unsafe { std::ptr::copy_nonoverlapping(from, filled.as_mut_ptr(), count) };
    filled
}
