//! Few tokens: the weights are read once, from memory, and that is what takes the time.
//!
//! A row of the weight meets all tokens while it passes through the registers. Rows follow one another in memory, so
//! each thread reads one stream, which is what the machine's own prefetching is best at (and better when a cache line
//! is met twice: hence vectors of half a line at most). Even and odd elements are
//! summed apart, since bf16 widens so with no element moved; x is laid out alike beforehand. Each dot product is summed
//! in the same order whatever stands beside it, so a token's result does not depend on the others of the call.

use std::ops::Range;

use crate::simd::{Element, Kernel, MOST_LANES, Simd};
use crate::{Backend, Rows};

use super::Region;

/// Bytes of weights in one part, about: large against the cost of claiming it, small against the whole.
const PART_BYTES: usize = 32 << 10;

/// Pairs of sums side by side in one dot product, to hide the latency of the additions.
const PAIRS: usize = 2;

pub(super) fn multiply(backend: &Backend, region: Region<'_>) {
    let stride = region.cols.next_multiple_of(2 * MOST_LANES);
    let mut buffer = backend.scratch().buffer(region.tokens * stride);
    let to = buffer.as_mut_ptr();
    backend.stream(Unzip { region, to, stride });
    let x = Unzipped { at: to, stride };
    let fair = region.total_rows().div_ceil(16 * backend.threads());
    let step = (PART_BYTES / (region.cols * 4).max(1)).min(fair).max(1);
    backend.run(region.parts(step), |part| {
        let (job, rows) = region.locate(part, step);
        backend.stream(Dots { region, x, weight: job.weight, rows, out: (job.out.get(), job.rows) });
    });
}

/// Lays out x as weights are read: per `2 · LANES` elements the even ones, then the odd ones, at the end zeros.
struct Unzip<'a> {
    region: Region<'a>,
    to: *mut f32,
    stride: usize,
}

impl Kernel for Unzip<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let cols = self.region.cols;
        for token in 0..self.region.tokens {
            let from = self.region.x[token * cols..(token + 1) * cols].as_ptr();
            for at in (0..cols).step_by(2 * S::LANES) {
                // SAFETY: reads end with the row; `to` has `stride` elements per token, a multiple of any two vectors.
                unsafe {
                    let count = (cols - at).min(2 * S::LANES);
                    let (even, odd) = f32::load_first_pairs(simd, from.add(at), count);
                    let to = self.to.add(token * self.stride + at);
                    simd.store(to, even);
                    simd.store(to.add(S::LANES), odd);
                }
            }
        }
    }
}

/// What [`Unzip`] has written.
#[derive(Clone, Copy)]
struct Unzipped {
    at: *const f32,
    stride: usize,
}

// SAFETY: only read once it is shared.
unsafe impl Sync for Unzipped {}
// SAFETY: as above.
unsafe impl Send for Unzipped {}

/// `out[t · stride + o] = x[t] · weight[o]` for the rows o of the range.
struct Dots<'a> {
    region: Region<'a>,
    x: Unzipped,
    weight: Rows<'a>,
    rows: Range<usize>,
    out: (*mut f32, usize),
}

impl Kernel for Dots<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        match self.weight {
            Rows::F32(values) => self.rows(simd, values),
            Rows::Bf16(values) => self.rows(simd, values),
            Rows::F16(values) => self.rows(simd, values),
        }
    }
}

impl Dots<'_> {
    #[inline(always)]
    fn rows<S: Simd, E: Element>(&self, simd: S, weight: &[E]) {
        let Region { tokens, cols, .. } = self.region;
        for row in self.rows.clone() {
            let values = &weight[row * cols..(row + 1) * cols];
            let mut token = 0;
            while token + 3 <= tokens {
                self.row::<S, E, 3>(simd, values, (row, token));
                token += 3;
            }
            match tokens - token {
                2 => self.row::<S, E, 2>(simd, values, (row, token)),
                1 => self.row::<S, E, 1>(simd, values, (row, token)),
                _ => {}
            }
        }
    }

    /// One row by `T` tokens.
    #[inline(always)]
    fn row<S: Simd, E: Element, const T: usize>(&self, simd: S, weight: &[E], (row, token): (usize, usize)) {
        let (pair, cols) = (2 * S::LANES, weight.len());
        let whole = cols - cols % (PAIRS * pair);
        let mut sums = [[[simd.splat(0.0); 2]; PAIRS]; T];
        // SAFETY: `weight` has `cols` elements, x `stride` per token, and each result is this part's own.
        unsafe {
            let x = self.x.at.add(token * self.x.stride);
            for start in (0..whole).step_by(PAIRS * pair) {
                for index in 0..PAIRS {
                    let at = start + index * pair;
                    let (even, odd) = E::load_pairs(simd, weight.as_ptr().add(at));
                    for (t, sums) in sums.iter_mut().enumerate() {
                        let x = x.add(t * self.x.stride + at);
                        sums[index][0] = simd.mul_add(even, simd.load(x), sums[index][0]);
                        sums[index][1] = simd.mul_add(odd, simd.load(x.add(S::LANES)), sums[index][1]);
                    }
                }
            }
            for at in (whole..cols).step_by(pair) {
                let (even, odd) = E::load_first_pairs(simd, weight.as_ptr().add(at), pair.min(cols - at));
                for (t, sums) in sums.iter_mut().enumerate() {
                    let x = x.add(t * self.x.stride + at);
                    sums[0][0] = simd.mul_add(even, simd.load(x), sums[0][0]);
                    sums[0][1] = simd.mul_add(odd, simd.load(x.add(S::LANES)), sums[0][1]);
                }
            }
            let (out, stride) = self.out;
            for (t, [[a, b], [c, d]]) in sums.into_iter().enumerate() {
                *out.add((token + t) * stride + row) = simd.sum(simd.add(simd.add(a, b), simd.add(c, d)));
            }
        }
    }
}
