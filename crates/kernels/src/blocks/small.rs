//! Blocks of 32 numbers. In a byte of two, the low half belongs to the number 16 places earlier.

use super::format::{Each, Format, half, word};
use crate::simd::Simd;

/// A scale, and what is added.
type Scales = (f32, f32);

/// Scale alone, or scale and minimum, at the beginning of a block.
///
/// # Safety
/// A block can be read.
#[inline(always)]
unsafe fn scales<S: Simd>(simd: S, block: *const u8, minimum: bool) -> Scales {
    // SAFETY: the caller's contract.
    unsafe { (half(simd, block), if minimum { half(simd, block.add(2)) } else { 0.0 }) }
}

/// The four low bits of the numbers from `place` on.
///
/// # Safety
/// The 16 bytes at `from` can be read.
#[inline(always)]
unsafe fn nibbles<S: Simd>(simd: S, from: *const u8, place: usize) -> S::I {
    // SAFETY: the caller's contract.
    unsafe {
        if place < 16 {
            simd.and(simd.load_u8(from.add(place)), simd.splat_int(15))
        } else {
            simd.shift_right(simd.load_u8(from.add(place - 16)), 4)
        }
    }
}

/// The same with the fifth bit.
///
/// # Safety
/// As for [`nibbles`].
#[inline(always)]
unsafe fn five<S: Simd>(simd: S, high: u32, from: *const u8, place: usize) -> S::I {
    let fifth = simd.shift_left::<4>(simd.bits(high >> place));
    // SAFETY: the caller's contract.
    simd.or(fifth, unsafe { nibbles(simd, from, place) })
}

/// (q − zero) d
#[inline(always)]
fn centred<S: Simd>(simd: S, q: S::I, zero: i32, d: f32) -> S::V {
    simd.mul(simd.to_float(simd.sub_int(q, simd.splat_int(zero))), simd.splat(d))
}

/// q d + m
#[inline(always)]
fn shifted<S: Simd>(simd: S, q: S::I, (d, m): Scales) -> S::V {
    simd.mul_add(simd.to_float(q), simd.splat(d), simd.splat(m))
}

/// A format of blocks of 32: its bytes, whether it has a minimum, and a vector of its numbers.
macro_rules! format {
    ($name:ident, $bytes:literal, $minimum:literal, |$simd:ident, $block:ident, $scales:ident, $place:ident| $numbers:expr) => {
        pub(crate) struct $name;

        impl Format for $name {
            const NUMBERS: usize = 32;
            const BYTES: usize = $bytes;
            const STEP: usize = 32;
            type Scales = Scales;
            #[inline(always)]
            unsafe fn scales<S: Simd>(simd: S, block: *const u8) -> Scales {
                // SAFETY: the caller's contract.
                unsafe { scales(simd, block, $minimum) }
            }
            #[inline(always)]
            unsafe fn step<S: Simd>(
                $simd: S,
                $block: *const u8,
                $scales: &Scales,
                _: usize,
                each: &mut impl Each<S>,
            ) {
                for $place in (0..32).step_by(S::LANES) {
                    // SAFETY: within the block, which the caller lets us read.
                    let numbers = unsafe { $numbers };
                    each.take($simd, $place, numbers);
                }
            }
        }
    };
}

format!(Q8_0, 34, false, |simd, block, scales, place| {
    simd.mul(simd.to_float(simd.load_i8(block.add(2 + place))), simd.splat(scales.0))
});
format!(Q4_0, 18, false, |simd, block, scales, place| {
    centred(simd, nibbles(simd, block.add(2), place), 8, scales.0)
});
format!(Q4_1, 20, true, |simd, block, scales, place| {
    shifted(simd, nibbles(simd, block.add(4), place), *scales)
});
format!(Q5_0, 22, false, |simd, block, scales, place| {
    centred(simd, five(simd, word(block.add(2)), block.add(6), place), 16, scales.0)
});
format!(Q5_1, 24, true, |simd, block, scales, place| {
    shifted(simd, five(simd, word(block.add(4)), block.add(8), place), *scales)
});
