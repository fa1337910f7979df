//! Few tokens: a row of the weight meets them as it passes by, taken apart once for up to two.

use std::marker::PhantomData;
use std::ops::Range;

use crate::product::blocks::DISTANCE;
use crate::product::region::Region;
use crate::simd::{ByteKernel, Bytes};
use crate::{Backend, Rows, blocks::GROUP};

use super::activations::{Held, Token};
use super::format::{Format, MOST_BYTES, Scales, with_format};

/// Bytes of weights in one part, about: large against the cost of claiming it, small against the whole.
const PART_BYTES: usize = 64 << 10;

/// A cache line, in bytes.
const LINE: usize = 64;

pub(super) fn multiply<H: Held>(backend: &Backend, region: Region<'_>, x: H) {
    let row_bytes = |weight: &Rows<'_>| {
        let (numbers, bytes) = weight.dtype().block();
        region.cols / numbers * bytes
    };
    let most = region.jobs.iter().map(|job| row_bytes(&job.weights[0])).max().unwrap_or(1);
    let fair = region.total_rows().div_ceil(16 * backend.threads());
    let step = (PART_BYTES / most.max(1)).min(fair).max(1);
    backend.run(region.parts(step), |part| {
        let (job, rows) = region.locate(part, step);
        let Rows::Blocks(blocks, weight) = job.weights[0] else { return };
        let dots = Dots { x, cols: region.cols, weight, rows, out: (job.out.get(), job.rows) };
        with_format!(blocks, F => dots.run::<F>(backend, region.tokens));
    });
}

/// `out[t · stride + o] = x[t] · weight[o]` for the rows o of the range.
struct Dots<'a, H> {
    x: H,
    cols: usize,
    weight: &'a [u8],
    rows: Range<usize>,
    out: (*mut f32, usize),
}

impl<H: Held> Dots<'_, H> {
    fn run<F: Format>(&self, backend: &Backend, tokens: usize) {
        for token in (0..tokens).step_by(2) {
            match tokens - token {
                1 => backend.call_bytes(Few::<F, H, 1> { dots: self, token, format: PhantomData }),
                _ => backend.call_bytes(Few::<F, H, 2> { dots: self, token, format: PhantomData }),
            }
        }
    }
}

/// `T` tokens from one on.
struct Few<'a, F, H, const T: usize> {
    dots: &'a Dots<'a, H>,
    token: usize,
    format: PhantomData<F>,
}

impl<F: Format, H: Held, const T: usize> ByteKernel for Few<'_, F, H, T> {
    #[inline(always)]
    fn run<M: Bytes>(self, machine: M) {
        let bytes = self.dots.cols / F::BLOCKS.numbers() * F::BLOCKS.bytes();
        let x: [Token<'_>; T] = std::array::from_fn(|t| self.dots.x.token(self.token + t));
        for row in self.dots.rows.clone() {
            self.row(machine, &self.dots.weight[row * bytes..(row + 1) * bytes], &x, row);
        }
    }
}

/// The sums of a token: of even and of odd lines of 64 numbers, and of offsets.
struct Sums<M: Bytes, const T: usize> {
    lines: [[M::F; T]; 2],
    offsets: [M::E; T],
}

/// What products of a group are multiplied by, for each token: times the scales of the weight, but where those are of 16.
struct Own<M: Bytes, const T: usize> {
    scales: [M::E; T],
    /// The same in memory.
    same: [[f32; 8]; T],
}

/// One, eight times, in bytes.
const EIGHT_ONES: u64 = 0x0101_0101_0101_0101;

/// Whether q meet activations as they are, and what they stand too high is taken away with the offsets: by sums of 32
/// activations, where scales are of as many.
const fn zero_beside<F: Format, H: Held>() -> bool {
    F::ZERO > 0 && !F::SIXTEENS && H::DIGITS == 1
}

impl<F: Format, H: Held, const T: usize> Few<'_, F, H, T> {
    /// One row by `T` tokens.
    #[inline(always)]
    fn row<M: Bytes>(&self, m: M, weight: &[u8], x: &[Token<'_>; T], row: usize) {
        let mut sums = Sums { lines: [[m.splat(0.0); T]; 2], offsets: [m.times_bytes(0.0, 0); T] };
        let whole = weight.len() / F::BYTES;
        for index in 0..whole {
            let group = weight[index * F::BYTES..(index + 1) * F::BYTES].as_ptr();
            for line in (0..F::BYTES).step_by(LINE) {
                m.prefetch(group.wrapping_add(DISTANCE + line));
            }
            // SAFETY: the group is whole.
            unsafe { self.group(m, group, (x, index), (GROUP, &mut sums)) };
        }
        let (rest, numbers) = (&weight[whole * F::BYTES..], self.dots.cols % GROUP);
        if F::BLOCKS.numbers() < GROUP && numbers > 0 {
            if numbers.is_multiple_of(64) {
                // SAFETY: these numbers are whole lines.
                unsafe { self.group(m, rest.as_ptr(), (x, whole), (numbers, &mut sums)) };
            } else {
                let mut filled = [0; MOST_BYTES];
                filled[..rest.len()].copy_from_slice(rest);
                // SAFETY: filled up with blocks of zeros.
                unsafe { self.group(m, filled.as_ptr(), (x, whole), (GROUP, &mut sums)) };
            }
        }
        let ((out, stride), [even, odd]) = (self.dots.out, sums.lines);
        for t in 0..T {
            let both = m.mul_add(even[t], m.splat(1.0), odd[t]);
            // SAFETY: each result is this part's own.
            unsafe { *out.add((self.token + t) * stride + row) = m.total(both, sums.offsets[t]) };
        }
    }

    /// Adds the products of the first numbers of a group, the `index`-th of its row: of whole lines of 64.
    ///
    /// # Safety
    /// They can be read.
    #[inline(always)]
    unsafe fn group<M: Bytes>(
        &self,
        m: M,
        group: *const u8,
        (x, index): (&[Token<'_>; T], usize),
        (numbers, sums): (usize, &mut Sums<M, T>),
    ) {
        // SAFETY: the caller's contract; activations are filled up to whole groups.
        unsafe {
            let scales = F::scales(m, group, numbers / F::BLOCKS.numbers());
            let mut own = Own { scales: [scales.offset; T], same: [[0.0; 8]; T] };
            for ((own, same), x) in own.scales.iter_mut().zip(&mut own.same).zip(x) {
                *own = m.load_eight(x.scales[index * 8..index * 8 + 8].as_ptr());
                if !F::SIXTEENS {
                    *own = m.mul_eight(scales.scale[0], *own);
                }
                m.store_eight(same.as_mut_ptr(), *own);
            }
            if F::OFFSETS || zero_beside::<F, H>() {
                // (q − zero)·s is q·s + offset.
                let offset = match zero_beside::<F, H>() {
                    true => m.mul_eight(scales.scale[0], m.times_bytes(-f32::from(F::ZERO), EIGHT_ONES)),
                    false => scales.offset,
                };
                for (t, sum) in sums.offsets.iter_mut().enumerate() {
                    let x = m.load_eight(x[t].sums[index * 8..index * 8 + 8].as_ptr());
                    *sum = m.mul_add_eight(offset, x, *sum);
                }
            }
            let x = x.map(|x| {
                let digits = GROUP * H::DIGITS;
                let fours = if H::DIGITS == 1 { x.wholes } else { &x.wholes[index * GROUP / 4..] };
                (x.bytes[index * digits..][..digits].as_ptr(), fours.as_ptr())
            });
            line::<M, F, H, T, 0, 0>(m, group, (&x, &own), &scales, &mut sums.lines[0]);
            if numbers > 64 {
                line::<M, F, H, T, 1, 1>(m, group, (&x, &own), &scales, &mut sums.lines[1]);
            }
            if numbers > 128 {
                line::<M, F, H, T, 2, 0>(m, group, (&x, &own), &scales, &mut sums.lines[0]);
            }
            if numbers > 192 {
                line::<M, F, H, T, 3, 1>(m, group, (&x, &own), &scales, &mut sums.lines[1]);
            }
        }
    }
}

/// Adds the products of line `N` of a group; `HALF` is N mod 2.
///
/// # Safety
/// The group can be read, and as many activations.
#[inline(always)]
unsafe fn line<M: Bytes, F: Format, H: Held, const T: usize, const N: usize, const HALF: usize>(
    m: M,
    group: *const u8,
    (x, own): (&[(*const i8, *const i32); T], &Own<M, T>),
    scales: &Scales<M>,
    sums: &mut [M::F; T],
) {
    // SAFETY: the caller's contract.
    let q = unsafe { F::line::<M, N>(m, group) };
    for (t, sum) in sums.iter_mut().enumerate() {
        // SAFETY: the caller's contract.
        let product = unsafe {
            if H::DIGITS == 1 { whole::<M, F, H, N>(m, q, x[t].0) } else { digits::<M, F, H, N>(m, q, x[t]) }
        };
        let scale = if F::SIXTEENS {
            let own = m.spread_two::<N>(own.scales[t], &own.same[t]);
            m.mul(m.spread_four::<HALF>(scales.scale[N / 2]), own)
        } else {
            m.spread_two::<N>(own.scales[t], &own.same[t])
        };
        *sum = m.mul_add(m.to_float(product), scale, *sum);
    }
}

/// (q − zero)·r, of four neighbours each.
///
/// # Safety
/// The line's activations can be read.
#[inline(always)]
unsafe fn whole<M: Bytes, F: Format, H: Held, const N: usize>(m: M, q: M::B, x: *const i8) -> M::S {
    // SAFETY: the caller's contract.
    let x = unsafe { m.load(x.add(N * 64).cast()) };
    let nothing = m.splat_int(0);
    let product = if F::SIGNED { m.dot_signed(nothing, q, x) } else { m.dot(nothing, q, x) };
    let zero = match F::SIGNED {
        true => M::SIGNED_ZERO as u8,
        false if zero_beside::<F, H>() => 0,
        false => F::ZERO,
    };
    if zero > 0 { m.sub_int(product, m.dot(nothing, m.splat_byte(zero), x)) } else { product }
}

/// The same for v in digits: that many of q below 32 are within 32 bits.
///
/// # Safety
/// The line's activations can be read, and the sums of their neighbours, times 8.
#[inline(always)]
unsafe fn digits<M: Bytes, F: Format, H: Held, const N: usize>(
    m: M,
    q: M::B,
    (x, fours): (*const i8, *const i32),
) -> M::S {
    debug_assert!(H::DIGITS == 3 && !F::SIGNED && F::MOST < 32 && F::ZERO % 8 == 0);
    // SAFETY: the caller's contract.
    let [a, b, c] = unsafe { [0, 1, 2].map(|digit| m.load(x.add((N * H::DIGITS + digit) * 64).cast())) };
    let product = m.dot(m.shift_left(m.dot(m.dot_256(q, a), q, b), 8), q, c);
    if F::ZERO == 0 {
        return product;
    }
    // SAFETY: the caller's contract.
    let fours = unsafe { m.load_ints(fours.add(N * 16)) };
    m.sub_int(product, if F::ZERO == 8 { fours } else { m.shift_left(fours, (F::ZERO / 8).ilog2()) })
}
