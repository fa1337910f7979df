//! More than three tokens: some rows pass again and again, two at a time before two tokens, and each time a part of the rows
//! that follow is asked for, so that the memory is never idle.

use std::ops::Range;

use crate::simd::{Element, Simd, unseen};

use super::{Dots, GROUP, LINE, MOST_PAIRS, Meet, Sums, filled};

/// One of the times that some rows pass by.
#[derive(Clone, Copy)]
struct Pass {
    /// The first of its tokens.
    token: usize,
    time: usize,
    times: usize,
}

impl Dots<'_> {
    /// A few rows by all tokens.
    #[inline(always)]
    pub(super) fn again<S: Simd, M: Meet<S>>(&self, simd: S, weight: &[M::Weight], rows: Range<usize>) {
        let times = self.region.tokens / 2;
        for time in 0..times {
            let pass = Pass { token: 2 * time, time, times };
            if self.region.tokens - pass.token == 3 {
                self.pass::<S, M, 3, 1>(simd, weight, rows.clone(), pass);
            } else {
                self.pass::<S, M, 2, 2>(simd, weight, rows.clone(), pass);
            }
        }
    }

    /// A few rows by `T` tokens, `R` rows at a time, a part of the columns at a time.
    #[inline(always)]
    fn pass<S: Simd, M: Meet<S>, const T: usize, const R: usize>(
        &self,
        simd: S,
        weight: &[M::Weight],
        rows: Range<usize>,
        pass: Pass,
    ) {
        let (cols, part) = (self.region.cols, self.part::<S, M>(T));
        let mut sums = [[[[simd.splat(0.0); 2]; MOST_PAIRS]; T]; GROUP];
        for start in (0..cols).step_by(part) {
            let own = start..cols.min(start + part);
            let (whole, rest) = sums[..rows.len()].as_chunks_mut::<R>();
            for (index, sums) in whole.iter_mut().enumerate() {
                self.meet_rows::<S, M, T, R>(
                    simd,
                    (weight, rows.start + R * index, rows.len()),
                    &own,
                    (pass, sums),
                );
            }
            let (rest, _) = rest.as_chunks_mut::<1>();
            for (index, sums) in rest.iter_mut().rev().enumerate() {
                self.meet_rows::<S, M, T, 1>(
                    simd,
                    (weight, rows.end - 1 - index, rows.len()),
                    &own,
                    (pass, sums),
                );
            }
        }
        for (row, sums) in rows.zip(sums) {
            self.write::<S, M, T>(simd, row, pass.token, sums);
        }
    }

    /// `R` rows from one on, which is one of `group`.
    #[inline(always)]
    fn meet_rows<S: Simd, M: Meet<S>, const T: usize, const R: usize>(
        &self,
        simd: S,
        (weight, row, group): (&[M::Weight], usize, usize),
        own: &Range<usize>,
        (pass, sums): (Pass, &mut [Sums<S, T>; R]),
    ) {
        let cols = self.region.cols;
        let values = &weight[row * cols..(row + R) * cols];
        let rows = Piece {
            values: values.as_ptr().wrapping_add(own.start),
            next: values.as_ptr().wrapping_add(group * cols + own.start),
            cols,
            x: self.x.at.wrapping_add(pass.token * self.x.stride + own.start / M::WIDTH),
            stride: self.x.stride,
            length: own.len(),
            pass,
        };
        // SAFETY: the rows are as long, and a row of x has zeros beside its last element.
        unsafe {
            rows.add::<S, M, T, R, 0>(simd, sums);
            if M::PAIRS == 2 {
                rows.add::<S, M, T, R, 1>(simd, sums);
            }
        }
    }
}

/// Some columns of some rows and tokens.
struct Piece<E> {
    values: *const E,
    /// What is read next, of the first row.
    next: *const E,
    /// From row to row.
    cols: usize,
    x: *const f32,
    /// From token to token.
    stride: usize,
    length: usize,
    pass: Pass,
}

impl<E: Element> Piece<E> {
    /// Adds the products of `R` rows and of `T` tokens to their pair `INDEX` of sums: one after the other, since those of
    /// both are more than there are registers.
    ///
    /// # Safety
    /// They can be read, x as it is laid out.
    #[inline(always)]
    unsafe fn add<S: Simd, M: Meet<S, Weight = E>, const T: usize, const R: usize, const INDEX: usize>(
        &self,
        simd: S,
        total: &mut [Sums<S, T>; R],
    ) {
        let step = M::PAIRS * 2 * S::LANES;
        let whole = self.length - self.length % step;
        // SAFETY: the same sums, but where compilers don't see them: else they would be kept in registers.
        let total = unsafe { &mut *unseen(total).cast_mut() };
        let mut sums = [[[simd.splat(0.0); 2]; T]; R];
        for (sums, total) in sums.iter_mut().zip(total.iter()) {
            for (sum, total) in sums.iter_mut().zip(total) {
                *sum = total[INDEX];
            }
        }
        let mut wait = self.pass.time;
        for at in (INDEX * 2 * S::LANES..whole).step_by(step) {
            let asks = wait == 0;
            wait = if asks { self.pass.times - 1 } else { wait - 1 };
            for (r, sums) in sums.iter_mut().enumerate() {
                if asks {
                    self.ask(simd, r, at);
                }
                // SAFETY: within the row, and those of x.
                unsafe { self.meet::<S, M, T>(simd, self.values.add(r * self.cols + at), at, sums) };
            }
        }
        // What fills no pairs is the first one's.
        let rest = if INDEX == 0 { whole..self.length } else { 0..0 };
        for (nth, start) in rest.step_by(M::REST).enumerate() {
            for (r, sums) in sums.iter_mut().enumerate() {
                // SAFETY: within the row; x has zeros beside its last elements.
                unsafe {
                    let from = self.values.add(r * self.cols + start);
                    let rest = filled(from, M::REST.min(self.length - start));
                    self.meet::<S, M, T>(simd, rest.as_ptr(), whole + nth * 2 * S::LANES, sums);
                }
            }
        }
        for (total, sums) in total.iter_mut().zip(sums) {
            for (total, sum) in total.iter_mut().zip(sums) {
                total[INDEX] = sum;
            }
        }
    }

    /// `2 · LANES` elements of a row by those of x from `at` on.
    ///
    /// # Safety
    /// They can be read.
    #[inline(always)]
    unsafe fn meet<S: Simd, M: Meet<S, Weight = E>, const T: usize>(
        &self,
        simd: S,
        values: *const E,
        at: usize,
        sums: &mut [[S::V; 2]; T],
    ) {
        for (t, sum) in sums.iter_mut().enumerate() {
            // SAFETY: the caller's contract.
            unsafe { M::meet(simd, values, self.x.add(t * self.stride + at / M::WIDTH), sum) };
        }
    }

    /// Asks for what follows a row's `2 · LANES` elements from `at` on.
    #[inline(always)]
    fn ask<S: Simd>(&self, simd: S, row: usize, at: usize) {
        let next = self.next.wrapping_add(row * self.cols + at);
        for line in (0..2 * S::LANES * size_of::<E>()).step_by(LINE) {
            simd.prefetch(next.wrapping_byte_add(line).cast());
        }
    }
}
