//! Quantised weights as GGUF files hold them: blocks of 32 or 256 numbers that share scales.
//!
//! ```text
//! type   numbers  bytes   number                    layout of a block
//! Q4_0     32      18     (q − 8) d                 d f16, 16 bytes of two q
//! Q4_1     32      20     q d + m                   d f16, m f16, 16 bytes of two q
//! Q5_0     32      22     (q − 16) d                d f16, 32 high bits, 16 bytes of two q
//! Q5_1     32      24     q d + m                   d f16, m f16, 32 high bits, 16 bytes of two q
//! Q8_0     32      34     q d                       d f16, 32 signed q
//! Q4_K    256     144     (d s) q − dmin t          d f16, dmin f16, 8 six-bit pairs (s, t) in 12 bytes, 128 bytes of two q
//! Q5_K    256     176     (d s) q − dmin t          as Q4_K, with 32 bytes of high bits before the q
//! Q6_K    256     210     (d s)(q − 32)             128 bytes of low halves, 64 of high pairs, 16 signed s, d f16
//! ```
//!
//! A number is unpacked in registers to the very f32 that ggml's reference gives it: all products above are exact in f32,
//! and what remains is one rounding, as there. Source: ggml, `dequantize_row_*`.

mod format;
mod large;
mod small;

use std::marker::PhantomData;

use crate::Backend;
use crate::rows::Blocks;
use crate::simd::{Kernel, Simd};

pub(crate) use format::{Each, Format, GROUP, steps};
pub(crate) use large::{Q4K, Q5K, Q6K};
pub(crate) use small::{Q4_0, Q4_1, Q5_0, Q5_1, Q8_0};

/// Evaluates an expression in which a name stands for the [`Format`] of a type of blocks.
macro_rules! with_format {
    ($blocks:expr, $format:ident => $body:expr) => {
        match $blocks {
            $crate::rows::Blocks::Q4_0 => {
                type $format = $crate::blocks::Q4_0;
                $body
            }
            $crate::rows::Blocks::Q4_1 => {
                type $format = $crate::blocks::Q4_1;
                $body
            }
            $crate::rows::Blocks::Q5_0 => {
                type $format = $crate::blocks::Q5_0;
                $body
            }
            $crate::rows::Blocks::Q5_1 => {
                type $format = $crate::blocks::Q5_1;
                $body
            }
            $crate::rows::Blocks::Q8_0 => {
                type $format = $crate::blocks::Q8_0;
                $body
            }
            $crate::rows::Blocks::Q4K => {
                type $format = $crate::blocks::Q4K;
                $body
            }
            $crate::rows::Blocks::Q5K => {
                type $format = $crate::blocks::Q5K;
                $body
            }
            $crate::rows::Blocks::Q6K => {
                type $format = $crate::blocks::Q6K;
                $body
            }
        }
    };
}
pub(crate) use with_format;

impl Blocks {
    /// How many numbers are unpacked together.
    pub(crate) const fn step(self) -> usize {
        with_format!(self, F => <F as Format>::STEP)
    }

    /// Writes the numbers of whole blocks to `out`.
    ///
    /// # Panics
    /// Where `bytes` are no whole blocks, or `out` has not as many places as they hold numbers.
    #[track_caller]
    pub fn unpack(self, bytes: &[u8], out: &mut [f32]) {
        let whole = bytes.len().is_multiple_of(self.bytes());
        assert!(whole, "{} bytes are no whole blocks of {self:?}", bytes.len());
        let numbers = bytes.len() / self.bytes() * self.numbers();
        assert_eq!(out.len(), numbers, "{} places for {numbers} numbers", out.len());
        // SAFETY: the blocks have as many numbers, which are whole steps, as `out` has places.
        unsafe { unpack_steps(&Backend::serial(), self, bytes.as_ptr(), (0, numbers), out.as_mut_ptr()) }
    }
}

/// Writes them down, those of a group from its first one on.
struct Write(*mut f32);

impl<S: Simd> Each<S> for Write {
    #[inline(always)]
    fn take(&mut self, simd: S, place: usize, numbers: S::V) {
        // SAFETY: who makes one has room for the steps that are unpacked.
        unsafe { simd.store(self.0.wrapping_add(place), numbers) };
    }
    #[inline(always)]
    unsafe fn take_bytes<const COUNT: usize>(
        &mut self,
        simd: S,
        place: usize,
        bytes: *const u8,
        scale: &f32,
    ) {
        let scale = simd.broadcast(scale);
        for lane in (0..COUNT).step_by(S::LANES) {
            // SAFETY: the caller's contract.
            let numbers = simd.to_float(unsafe { simd.load_i8(bytes.add(lane)) });
            self.take(simd, place + lane, simd.mul(numbers, scale));
        }
    }
}

/// Writes `count` numbers of a row of blocks, from number `first` on, to `to`; both are multiples of the format's step.
///
/// # Safety
/// The row has these numbers, and `to` room for them.
pub(crate) unsafe fn unpack_steps(
    backend: &Backend,
    blocks: Blocks,
    row: *const u8,
    (first, count): (usize, usize),
    to: *mut f32,
) {
    with_format!(blocks, F => backend.call(Unpack::<F> { row, first, count, to, format: PhantomData }));
}

/// See [`unpack_steps`]; a function of its own for each format.
struct Unpack<F> {
    row: *const u8,
    first: usize,
    count: usize,
    to: *mut f32,
    format: PhantomData<F>,
}

impl<F: Format> Kernel for Unpack<F> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { row, first, count, to, .. } = self;
        let (numbers, end) = (F::BLOCKS.numbers(), first + count);
        for start in (first / GROUP * GROUP..end).step_by(GROUP) {
            // Places of a group, and its first one; blocks of the group that lie beyond the end aren't looked at.
            let own = first.max(start) - start..end.min(start + GROUP) - start;
            let to = to.wrapping_add(start).wrapping_sub(first);
            // SAFETY: whoever calls `unpack_steps` has these numbers, and room for them.
            unsafe {
                let group = row.add(start / numbers * F::BLOCKS.bytes());
                let scales = F::scales(simd, group, own.end.div_ceil(numbers));
                steps::<S, F>(simd, group, &scales, own.start / F::STEP..own.end / F::STEP, &mut Write(to));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_of_their_types() {
        for blocks in Blocks::ALL {
            assert_eq!(with_format!(blocks, F => <F as Format>::BLOCKS), blocks);
            assert!(blocks.numbers().is_multiple_of(blocks.step()), "{blocks:?}");
        }
    }
}
