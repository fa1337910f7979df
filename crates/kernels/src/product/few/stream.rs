//! Up to three tokens: rows follow one another in memory, so each thread reads one stream, and asks for what lies
//! [`DISTANCE`] ahead in it; where x is met in parts, for what is read next.

use std::ops::Range;

use crate::product::blocks::DISTANCE;
use crate::simd::Simd;

use super::{Dots, GROUP, LINE, MOST_PAIRS, Meet, Sums, filled};

impl Dots<'_> {
    /// A few rows by all `T` tokens, a part of the columns at a time.
    #[inline(always)]
    pub(super) fn once<S: Simd, M: Meet<S>, const T: usize>(
        &self,
        simd: S,
        weight: &[M::Weight],
        rows: Range<usize>,
    ) {
        let (cols, part) = (self.region.cols, self.part::<S, M>(T));
        let mut sums = [[[[simd.splat(0.0); 2]; MOST_PAIRS]; T]; GROUP];
        for start in (0..cols).step_by(part) {
            for (row, sums) in rows.clone().zip(&mut sums) {
                let values = &weight[row * cols + start..row * cols + cols.min(start + part)];
                // Of a part, the next row, or after the last one the first row of the next part.
                let next = match (part < cols, row + 1 < rows.end) {
                    (false, _) => values.as_ptr().wrapping_byte_add(DISTANCE),
                    (true, true) => values.as_ptr().wrapping_add(cols),
                    (true, false) => values.as_ptr().wrapping_add(part).wrapping_sub((rows.len() - 1) * cols),
                };
                // SAFETY: a row of x has as many elements, and zeros beside the last.
                unsafe {
                    let x = self.x.at.add(start / M::WIDTH);
                    self.stream::<S, M, T>(simd, (values, next), x, sums);
                }
            }
        }
        for (row, sums) in rows.zip(sums) {
            self.write::<S, M, T>(simd, row, 0, sums);
        }
    }

    /// sums += x · weight, over some columns of one row; `next` is asked for meanwhile.
    ///
    /// # Safety
    /// The laid out x can be read in `T` rows of as many elements, and as the rest of them lies.
    #[inline(always)]
    unsafe fn stream<S: Simd, M: Meet<S>, const T: usize>(
        &self,
        simd: S,
        (weight, next): (&[M::Weight], *const M::Weight),
        x: *const f32,
        total: &mut Sums<S, T>,
    ) {
        let step = M::PAIRS * 2 * S::LANES;
        let mut sums = *total;
        let whole = weight.len() - weight.len() % step;
        for start in (0..whole).step_by(step) {
            for index in 0..M::PAIRS {
                let at = start + index * 2 * S::LANES;
                for line in (0..2 * S::LANES * size_of::<M::Weight>()).step_by(LINE) {
                    simd.prefetch_first(next.wrapping_add(at).wrapping_byte_add(line).cast());
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
            let at = whole + index * 2 * S::LANES;
            for (t, sums) in sums.iter_mut().enumerate() {
                // SAFETY: what is filled up has two vectors; of x, the caller's contract.
                unsafe {
                    let part = filled(part.as_ptr(), part.len());
                    let x = x.add(t * self.x.stride + at / M::WIDTH);
                    M::meet(simd, part.as_ptr(), x, &mut sums[0]);
                }
            }
        }
        *total = sums;
    }
}
