//! Few tokens: the weights are read once, from memory, and that is what takes the time.
//!
//! A row of the weight meets all tokens while it passes through the registers. Each dot product is summed in the same
//! order whatever stands beside it, so a token's result does not depend on the others of the call.

use std::ops::Range;

use crate::simd::{Element, Kernel, Simd};
use crate::{Backend, Rows};

use super::Region;

/// Bytes of weights in one part: large against the cost of claiming it, small against the whole.
const PART_BYTES: usize = 128 << 10;

pub(super) fn multiply(backend: &Backend, region: Region<'_>) {
    let row_bytes = (region.cols * 4).max(1);
    let fair = region.total_rows().div_ceil(4 * backend.threads());
    let step = (PART_BYTES / row_bytes).min(fair).max(1).next_multiple_of(4);
    backend.run(region.parts(step), |part| {
        let (job, rows) = region.locate(part, step);
        let (out, stride) = (job.out.get(), job.rows);
        backend.call(Dots { region, weight: job.weight, rows, out, stride });
    });
}

/// `out[t · stride + o] = x[t] · weight[o]` for the rows o of the range.
struct Dots<'a> {
    region: Region<'a>,
    weight: Rows<'a>,
    rows: Range<usize>,
    out: *mut f32,
    stride: usize,
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
        let mut row = self.rows.start;
        while row + 4 <= self.rows.end {
            self.tokens::<S, E, 4>(simd, weight, row);
            row += 4;
        }
        while row < self.rows.end {
            self.tokens::<S, E, 1>(simd, weight, row);
            row += 1;
        }
    }

    #[inline(always)]
    fn tokens<S: Simd, E: Element, const R: usize>(&self, simd: S, weight: &[E], row: usize) {
        let mut token = 0;
        while token + 2 <= self.region.tokens {
            self.block::<S, E, R, 2>(simd, weight, (row, token));
            token += 2;
        }
        if token < self.region.tokens {
            self.block::<S, E, R, 1>(simd, weight, (row, token));
        }
    }

    /// `R` rows by `T` tokens.
    #[inline(always)]
    fn block<S: Simd, E: Element, const R: usize, const T: usize>(
        &self,
        simd: S,
        weight: &[E],
        (row, token): (usize, usize),
    ) {
        let cols = self.region.cols;
        let (w, x) =
            (&weight[row * cols..(row + R) * cols], &self.region.x[token * cols..(token + T) * cols]);
        let (w, x) = (w.as_ptr(), x.as_ptr());
        let mut sums = [[[simd.splat(0.0); 2]; T]; R];
        let whole = cols - cols % (2 * S::LANES);
        // SAFETY: `w` has R rows and `x` T rows of `cols` elements, and each result is this part's own.
        unsafe {
            for start in (0..whole).step_by(2 * S::LANES) {
                for half in 0..2 {
                    let at = start + half * S::LANES;
                    let mut xs = [simd.splat(0.0); T];
                    for (t, value) in xs.iter_mut().enumerate() {
                        *value = simd.load(x.add(t * cols + at));
                    }
                    for (r, sums) in sums.iter_mut().enumerate() {
                        let value = E::load(simd, w.add(r * cols + at));
                        for (sums, &x) in sums.iter_mut().zip(&xs) {
                            sums[half] = simd.mul_add(value, x, sums[half]);
                        }
                    }
                }
            }
            for at in (whole..cols).step_by(S::LANES) {
                let count = S::LANES.min(cols - at);
                for (r, sums) in sums.iter_mut().enumerate() {
                    let value = E::load_first(simd, w.add(r * cols + at), count);
                    for (t, sums) in sums.iter_mut().enumerate() {
                        sums[0] = simd.mul_add(value, simd.load_first(x.add(t * cols + at), count), sums[0]);
                    }
                }
            }
            for (r, sums) in sums.iter().enumerate() {
                for (t, sums) in sums.iter().enumerate() {
                    *self.out.add((token + t) * self.stride + row + r) = simd.sum(simd.add(sums[0], sums[1]));
                }
            }
        }
    }
}
