//! Few tokens: the weights are read once, from memory, and that is what takes the time.
//!
//! A row of the weight meets all tokens while it passes through the registers. Rows follow one another in memory, so
//! each thread reads one stream, and asks for what lies [`DISTANCE`] ahead in it. Where x is too long to stay in the
//! first-level cache, some rows meet a part of it, then the next part; what is asked for then is what is read next.
//! Each dot product is summed in the same order whatever stands beside it, so a token's result does not depend on the
//! others of the call.

use std::marker::PhantomData;
use std::ops::Range;

use half::{bf16, f16};

use crate::simd::{Element, Kernel, MOST_LANES, Simd};
use crate::{Backend, Rows};

use super::blocks::{self, DISTANCE};
use super::region::{Job, Region};

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
    let mut buffer = backend.scratch().buffer(region.tokens * stride);
    let x = Laid { at: buffer.as_mut_ptr(), stride };
    let in_blocks = |job: &Job<'_>| matches!(job.weights[0], Rows::Blocks(..));
    // Pairs fill whole lines: what takes the time in f32 is to widen them.
    if !region.jobs.iter().all(in_blocks) {
        let lay = Lay { region, x, pairs };
        if long { backend.call(lay) } else { backend.stream(lay) }
    }
    // Blocks meet x as it is, but no vector of it should lie in two cache lines; their rows are whole lines.
    let blocks = region.jobs.iter().any(in_blocks);
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
}

impl Kernel for Lay<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        if S::PAIRS && self.pairs {
            self.lay::<S, Pairs>(simd);
        } else {
            self.lay::<S, Wide<f32>>(simd);
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
            let parts = whole.chunks(2 * S::LANES).chain(rest.chunks(M::REST));
            for (index, part) in parts.enumerate() {
                let mut filled = [0.0; 2 * MOST_LANES];
                filled[..part.len()].copy_from_slice(part);
                let place = token * self.x.stride + index * 2 * S::LANES / M::WIDTH;
                // SAFETY: `filled` has two vectors; a row of the layout has room for two more than the elements fill.
                unsafe { M::lay(simd, filled.as_ptr(), self.x.at.add(place)) };
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
            let (even, odd) = f32::load_pairs(simd, from);
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

/// One of the times that some rows pass by, for three tokens each.
#[derive(Clone, Copy)]
struct Pass {
    /// The first of its tokens.
    token: usize,
    time: usize,
    times: usize,
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
        let tokens = self.region.tokens;
        let times = tokens.div_ceil(3);
        for first in self.rows.clone().step_by(GROUP) {
            let rows = first..self.rows.end.min(first + GROUP);
            let pass = |time: usize| Pass { token: 3 * time, time, times };
            for time in 0..tokens / 3 {
                self.group::<S, M, 3>(simd, weight, rows.clone(), pass(time));
            }
            match tokens % 3 {
                2 => self.group::<S, M, 2>(simd, weight, rows, pass(tokens / 3)),
                1 => self.group::<S, M, 1>(simd, weight, rows, pass(tokens / 3)),
                _ => {}
            }
        }
    }

    /// A few rows by `T` tokens, a part of the columns at a time.
    #[inline(always)]
    fn group<S: Simd, M: Meet<S>, const T: usize>(
        &self,
        simd: S,
        weight: &[M::Weight],
        rows: Range<usize>,
        pass: Pass,
    ) {
        let token = pass.token;
        let cols = self.region.cols;
        let parts = (cols * T * 4 / M::WIDTH).div_ceil(NEAR);
        let part = cols.div_ceil(parts).next_multiple_of(MOST_PAIRS * 2 * MOST_LANES);
        let mut sums = [[[[simd.splat(0.0); 2]; MOST_PAIRS]; T]; GROUP];
        for start in (0..cols).step_by(part) {
            for (row, sums) in rows.clone().zip(&mut sums) {
                let values = &weight[row * cols + start..row * cols + cols.min(start + part)];
                // Of rows that pass several times, those that follow; of a part, the next row, or after the last one the first
                // row of the next part.
                let next = match (pass.times, parts, row + 1 < rows.end) {
                    (2.., ..) => values.as_ptr().wrapping_add(rows.len() * cols),
                    (_, 1, _) => values.as_ptr().wrapping_byte_add(DISTANCE),
                    (_, _, true) => values.as_ptr().wrapping_add(cols),
                    _ => values.as_ptr().wrapping_add(part).wrapping_sub((rows.len() - 1) * cols),
                };
                // SAFETY: a row of x has as many elements, and zeros beside the last.
                unsafe {
                    let x = self.x.at.add(token * self.x.stride + start / M::WIDTH);
                    self.add::<S, M, T>(simd, (values, next), (x, pass), sums);
                }
            }
        }
        let (out, stride) = self.out;
        for (row, sums) in rows.zip(sums) {
            for (t, [[a, b], [c, d]]) in sums.into_iter().enumerate() {
                let first = simd.add(a, b);
                let sum = simd.sum(if M::PAIRS == 1 { first } else { simd.add(first, simd.add(c, d)) });
                // SAFETY: each result is this part's own.
                unsafe { *out.add((token + t) * stride + row) = sum };
            }
        }
    }

    /// sums += x · weight, over some columns of one row; `next` is asked for meanwhile, or of rows that pass several times a
    /// part of it each time, so that the memory is never idle.
    ///
    /// # Safety
    /// The laid out x can be read in `T` rows of as many elements, and as the rest of them lies.
    #[inline(always)]
    unsafe fn add<S: Simd, M: Meet<S>, const T: usize>(
        &self,
        simd: S,
        (weight, next): (&[M::Weight], *const M::Weight),
        (x, Pass { time, times, .. }): (*const f32, Pass),
        total: &mut [[[S::V; 2]; MOST_PAIRS]; T],
    ) {
        let step = M::PAIRS * 2 * S::LANES;
        let mut sums = *total;
        let whole = weight.len() - weight.len() % step;
        let mut wait = time;
        for start in (0..whole).step_by(step) {
            let asks = wait == 0;
            wait = if asks { times - 1 } else { wait - 1 };
            for index in 0..M::PAIRS {
                let at = start + index * 2 * S::LANES;
                for line in (0..2 * S::LANES * size_of::<M::Weight>()).step_by(LINE) {
                    let line = next.wrapping_add(at).wrapping_byte_add(line).cast();
                    // The first-level cache waits for few lines at a time, the second for more.
                    match (asks, times) {
                        (false, _) => {}
                        (true, 1) => simd.prefetch_first(line),
                        (true, _) => simd.prefetch(line),
                    }
                }
                for (t, sums) in sums.iter_mut().enumerate() {
                    // SAFETY: within the weight; of x, the caller's contract.
                    unsafe {
                        let x = x.add(t * self.x.stride + at / M::WIDTH);
                        M::meet(simd, weight.as_ptr().add(at), x, &mut sums[index]);
                    }
                }
            }
        }
        for (index, part) in weight[whole..].chunks(M::REST).enumerate() {
            let mut filled = [M::Weight::ZERO; 2 * MOST_LANES];
            filled[..part.len()].copy_from_slice(part);
            let at = whole + index * 2 * S::LANES;
            for (t, sums) in sums.iter_mut().enumerate() {
                // SAFETY: `filled` has two vectors; of x, the caller's contract.
                unsafe {
                    let x = x.add(t * self.x.stride + at / M::WIDTH);
                    M::meet(simd, filled.as_ptr(), x, &mut sums[0]);
                }
            }
        }
        *total = sums;
    }
}
