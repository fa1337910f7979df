//! Few tokens by quantised blocks: each block is unpacked in registers, once for up to three tokens.
//!
//! What takes the time is the unpacking, and the memory behind it. Each dot product is summed in one order whatever stands
//! beside it, so a token's result does not depend on the others of the call.

use std::ops::Range;

use crate::blocks::{Each, Format, with_format};
use crate::rows::Blocks;
use crate::simd::{Kernel, Simd};

/// Bytes from what is read to what is asked for: about what the memory takes to answer, at 16 GB/s for a core. The
/// machine's own prefetching ends with each page.
pub(super) const DISTANCE: usize = 3 << 10;

/// Sums side by side in one dot product, to hide the latency of the additions.
const SUMS: usize = 4;

/// `out[t · stride + o] = x[t] · weight[o]` for the rows o of the range.
pub(super) struct Dots<'a> {
    pub(super) x: &'a [f32],
    pub(super) cols: usize,
    pub(super) blocks: Blocks,
    pub(super) weight: &'a [u8],
    pub(super) rows: Range<usize>,
    pub(super) out: (*mut f32, usize),
}

impl Kernel for Dots<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        with_format!(self.blocks, F => self.rows::<S, F>(simd));
    }
}

/// Adds the products of a step's numbers and of the elements of x from `first` on to the sums.
struct Meet<'a, S: Simd, const T: usize> {
    x: &'a [*const f32; T],
    first: usize,
    sums: &'a mut [[S::V; SUMS]; T],
}

impl<S: Simd, const T: usize> Each<S> for Meet<'_, S, T> {
    #[inline(always)]
    fn take(&mut self, simd: S, place: usize, numbers: S::V) {
        let sum = place / S::LANES % SUMS;
        for t in 0..T {
            // SAFETY: a row of x has as many elements as a row of the weight has numbers.
            let x = unsafe { simd.load(self.x[t].add(self.first + place)) };
            self.sums[t][sum] = simd.mul_add(numbers, x, self.sums[t][sum]);
        }
    }
}

impl Dots<'_> {
    #[inline(always)]
    fn rows<S: Simd, F: Format>(&self, simd: S) {
        let tokens = self.x.len() / self.cols;
        let bytes = self.cols / F::NUMBERS * F::BYTES;
        for row in self.rows.clone() {
            let weight = &self.weight[row * bytes..(row + 1) * bytes];
            let mut token = 0;
            while token + 3 <= tokens {
                self.row::<S, F, 3>(simd, weight, (token, row));
                token += 3;
            }
            match tokens - token {
                2 => self.row::<S, F, 2>(simd, weight, (token, row)),
                1 => self.row::<S, F, 1>(simd, weight, (token, row)),
                _ => {}
            }
        }
    }

    /// One row by `T` tokens.
    #[inline(always)]
    fn row<S: Simd, F: Format, const T: usize>(&self, simd: S, weight: &[u8], (token, row): (usize, usize)) {
        let cols = self.cols;
        let x: [*const f32; T] = std::array::from_fn(|t| self.x[(token + t) * cols..].as_ptr());
        let mut sums = [[simd.splat(0.0); SUMS]; T];
        for (index, block) in weight.chunks_exact(F::BYTES).enumerate() {
            for line in (0..F::BYTES).step_by(64) {
                simd.prefetch_first(block.as_ptr().wrapping_add(DISTANCE + line));
            }
            // SAFETY: the block is whole, and a row of x has as many elements as a row of the weight has numbers.
            unsafe {
                let scales = F::scales(simd, block.as_ptr());
                for step in 0..F::NUMBERS / F::STEP {
                    let first = index * F::NUMBERS + step * F::STEP;
                    F::step(simd, block.as_ptr(), &scales, step, &mut Meet { x: &x, first, sums: &mut sums });
                }
            }
        }
        let (out, stride) = self.out;
        for (t, [a, b, c, d]) in sums.into_iter().enumerate() {
            let sum = simd.sum(simd.add(simd.add(a, b), simd.add(c, d)));
            // SAFETY: each result is this part's own.
            unsafe { *out.add((token + t) * stride + row) = sum };
        }
    }
}
