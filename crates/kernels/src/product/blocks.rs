//! Few tokens by quantised blocks in f32: each block is unpacked in registers, once for up to three tokens. (For some, bytes
//! are faster: see [`super::rounded::in_digits`].)
//!
//! What takes the time is the unpacking, and the memory behind it. Each dot product is summed in one order whatever stands
//! beside it, so a token's result does not depend on the others of the call.

use std::marker::PhantomData;
use std::ops::Range;

use crate::Backend;
use crate::blocks::{Each, Format, GROUP, steps, with_format};
use crate::rows::Blocks;
use crate::simd::{Kernel, Simd};

/// Bytes from what is read to what is asked for: about what the memory takes to answer, at 16 GB/s for a core. The
/// machine's own prefetching ends with each page.
pub(super) const DISTANCE: usize = 3 << 10;

/// A cache line, in bytes.
const LINE: usize = 64;

/// Sums side by side in one dot product, to hide the latency of the additions.
const SUMS: usize = 4;

/// `out[t · stride + o] = x[t] · weight[o]` for the rows o of the range.
#[derive(Clone)]
pub(super) struct Dots<'a> {
    pub(super) x: &'a [f32],
    pub(super) cols: usize,
    pub(super) weight: &'a [u8],
    pub(super) rows: Range<usize>,
    pub(super) out: (*mut f32, usize),
}

impl Dots<'_> {
    /// All tokens by the rows, three at a time.
    pub(super) fn run(&self, backend: &Backend, blocks: Blocks) {
        with_format!(blocks, F => self.tokens::<F>(backend));
    }

    fn tokens<F: Format>(&self, backend: &Backend) {
        let tokens = self.x.len() / self.cols;
        for token in (0..tokens).step_by(3) {
            match tokens - token {
                1 => backend.call(Few::<F, 1> { dots: self, token, format: PhantomData }),
                2 => backend.call(Few::<F, 2> { dots: self, token, format: PhantomData }),
                _ => backend.call(Few::<F, 3> { dots: self, token, format: PhantomData }),
            }
        }
    }
}

/// `T` tokens from one on, by blocks of one format: a function of its own for each, so that compilers keep an eye on it.
struct Few<'a, F, const T: usize> {
    dots: &'a Dots<'a>,
    token: usize,
    format: PhantomData<F>,
}

impl<F: Format, const T: usize> Kernel for Few<'_, F, T> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let bytes = self.dots.cols / F::BLOCKS.numbers() * F::BLOCKS.bytes();
        for row in self.dots.rows.clone() {
            self.row(simd, &self.dots.weight[row * bytes..(row + 1) * bytes], row);
        }
    }
}

/// Adds the products of a group's numbers and of the elements of x from there on to the sums.
struct Meet<'a, S: Simd, const T: usize> {
    x: [*const f32; T],
    sums: &'a mut [[S::V; SUMS]; T],
}

impl<S: Simd, const T: usize> Each<S> for Meet<'_, S, T> {
    #[inline(always)]
    fn take(&mut self, simd: S, place: usize, numbers: S::V) {
        let sum = place / S::LANES % SUMS;
        for t in 0..T {
            // SAFETY: a row of x has as many elements as a row of the weight has numbers.
            let x = unsafe { simd.load(self.x[t].add(place)) };
            self.sums[t][sum] = simd.mul_add(numbers, x, self.sums[t][sum]);
        }
    }
    #[inline(always)]
    unsafe fn take_bytes<const COUNT: usize>(
        &mut self,
        simd: S,
        place: usize,
        bytes: *const u8,
        scale: &f32,
    ) {
        // The scale comes last: with some of the products added, there are fewer of them.
        let (sum, scale) = (place / COUNT % SUMS, simd.broadcast(scale));
        let mut partial = [simd.splat(0.0); T];
        for lane in (0..COUNT).step_by(S::LANES) {
            // SAFETY: the caller's contract.
            let numbers = simd.to_float(unsafe { simd.load_i8(bytes.add(lane)) });
            for (t, partial) in partial.iter_mut().enumerate() {
                // SAFETY: a row of x has as many elements as a row of the weight has numbers.
                let x = unsafe { simd.load(self.x[t].add(place + lane)) };
                *partial = if lane == 0 { simd.mul(numbers, x) } else { simd.mul_add(numbers, x, *partial) };
            }
        }
        for (t, partial) in partial.into_iter().enumerate() {
            self.sums[t][sum] = simd.mul_add(partial, scale, self.sums[t][sum]);
        }
    }
}

impl<F: Format, const T: usize> Few<'_, F, T> {
    /// One row by `T` tokens.
    #[inline(always)]
    fn row<S: Simd>(&self, simd: S, weight: &[u8], row: usize) {
        let (&Dots { cols, out, .. }, token) = (self.dots, self.token);
        let x: [&[f32]; T] = std::array::from_fn(|t| &self.dots.x[(token + t) * cols..][..cols]);
        let mut sums = [[simd.splat(0.0); SUMS]; T];
        let whole = cols / GROUP;
        for index in 0..whole {
            let group = weight[index * F::BYTES..(index + 1) * F::BYTES].as_ptr();
            for line in (0..F::BYTES).step_by(LINE) {
                simd.prefetch_first(group.wrapping_add(DISTANCE + line));
            }
            let mut meet = Meet { x: x.map(|x| x[index * GROUP..].as_ptr()), sums: &mut sums };
            // SAFETY: the group is whole, and a row of x has as many elements as a row of the weight has numbers.
            unsafe {
                let scales = F::scales(simd, group, GROUP / F::BLOCKS.numbers());
                steps::<S, F>(simd, group, &scales, 0..GROUP / F::STEP, &mut meet);
            }
        }
        let rest = cols % GROUP;
        if F::BLOCKS.numbers() < GROUP && rest > 0 {
            let group = weight[whole * F::BYTES..].as_ptr();
            let mut meet = Meet { x: x.map(|x| x[whole * GROUP..].as_ptr()), sums: &mut sums };
            // SAFETY: as above, of the blocks that are left.
            unsafe {
                let scales = F::scales(simd, group, rest / F::BLOCKS.numbers());
                steps::<S, F>(simd, group, &scales, 0..rest / F::STEP, &mut meet);
            }
        }
        let (out, stride) = out;
        for (t, [a, b, c, d]) in sums.into_iter().enumerate() {
            let sum = simd.sum(simd.add(simd.add(a, b), simd.add(c, d)));
            // SAFETY: each result is this part's own.
            unsafe { *out.add((token + t) * stride + row) = sum };
        }
    }
}
