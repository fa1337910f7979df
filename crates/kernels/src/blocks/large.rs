//! Blocks of 256 numbers, in runs that have scales of their own.

use super::format::{Each, Format, half, word};
use crate::simd::Simd;

/// What a run's numbers are multiplied by, and what is added: eight of each.
pub(crate) struct RunScales {
    scale: [f32; 8],
    offset: [f32; 8],
}

/// 16 bytes as numbers, with signs or without.
///
/// # Safety
/// They can be read.
#[inline(always)]
unsafe fn floats<S: Simd, const SIGNED: bool>(simd: S, from: *const u8) -> [f32; 16] {
    const { assert!(16 % S::LANES == 0) };
    let mut floats = [0.0; 16];
    for place in (0..16).step_by(S::LANES) {
        // SAFETY: the caller's contract; within the array, which is a whole number of vectors.
        unsafe {
            let from = from.add(place);
            let bytes = if SIGNED { simd.load_i8(from) } else { simd.load_u8(from) };
            simd.store(floats.as_mut_ptr().add(place), simd.to_float(bytes));
        }
    }
    floats
}

/// d s and −dmin t of the eight runs. s and t have six bits: of the first four runs in the bytes 0–3 and 4–7; of the last
/// four the low halves in the two halves of bytes 8–11, and the upper two bits on top of the first four.
///
/// # Safety
/// The first 16 bytes of a block can be read.
#[inline(always)]
unsafe fn run_scales<S: Simd>(simd: S, block: *const u8) -> RunScales {
    // SAFETY: the caller's contract; the array has 16 bytes.
    let (d, minimum, six) = unsafe {
        let (a, b, c) = (word(block.add(4)), word(block.add(8)), word(block.add(12)));
        let six = [
            a & 0x3f3f_3f3f,
            c & 0x0f0f_0f0f | a >> 2 & 0x3030_3030,
            b & 0x3f3f_3f3f,
            c >> 4 & 0x0f0f_0f0f | b >> 2 & 0x3030_3030,
        ];
        let six = six.map(u32::to_le_bytes);
        (half(simd, block), half(simd, block.add(2)), floats::<S, false>(simd, six.as_ptr().cast()))
    };
    let (mut scale, mut offset) = ([0.0; 8], [0.0; 8]);
    for run in 0..8 {
        scale[run] = d * six[run];
        offset[run] = -(minimum * six[8 + run]);
    }
    RunScales { scale, offset }
}

/// Two runs of 32 numbers in the halves of 32 bytes at `low`; with `FIVE` bits, the fifth bit of a number of run r is bit r
/// of the byte at its place from `high` on.
///
/// # Safety
/// The block can be read.
#[inline(always)]
unsafe fn two_runs<S: Simd, const FIVE: bool>(
    simd: S,
    (low, high): (*const u8, *const u8),
    scales: &RunScales,
    step: usize,
    each: &mut impl Each<S>,
) {
    for place in (0..32).step_by(S::LANES) {
        // SAFETY: the caller's contract.
        let bytes = unsafe { simd.load_u8(low.add(step * 32 + place)) };
        let mut halves = [simd.and(bytes, simd.splat_int(15)), simd.shift_right(bytes, 4)];
        if FIVE {
            // SAFETY: the caller's contract.
            let bits = simd.shift_right(unsafe { simd.load_u8(high.add(place)) }, 2 * step as u32);
            let fifth = simd.and(bits, simd.splat_int(1));
            halves[0] = simd.or(halves[0], simd.shift_left::<4>(fifth));
            let fifth = simd.and(bits, simd.splat_int(2));
            halves[1] = simd.or(halves[1], simd.shift_left::<3>(fifth));
        }
        for (side, q) in halves.into_iter().enumerate() {
            let run = 2 * step + side;
            let (scale, offset) = (simd.splat(scales.scale[run]), simd.splat(scales.offset[run]));
            each.take(simd, side * 32 + place, simd.mul_add(simd.to_float(q), scale, offset));
        }
    }
}

pub(crate) struct Q4K;

impl Format for Q4K {
    const NUMBERS: usize = 256;
    const BYTES: usize = 144;
    const STEP: usize = 64;
    type Scales = RunScales;
    #[inline(always)]
    unsafe fn scales<S: Simd>(simd: S, block: *const u8) -> RunScales {
        // SAFETY: the caller's contract.
        unsafe { run_scales(simd, block) }
    }
    #[inline(always)]
    unsafe fn step<S: Simd>(
        simd: S,
        block: *const u8,
        scales: &RunScales,
        step: usize,
        each: &mut impl Each<S>,
    ) {
        // SAFETY: the caller's contract.
        unsafe { two_runs::<S, false>(simd, (block.add(16), block), scales, step, each) }
    }
}

pub(crate) struct Q5K;

impl Format for Q5K {
    const NUMBERS: usize = 256;
    const BYTES: usize = 176;
    const STEP: usize = 64;
    type Scales = RunScales;
    #[inline(always)]
    unsafe fn scales<S: Simd>(simd: S, block: *const u8) -> RunScales {
        // SAFETY: the caller's contract.
        unsafe { run_scales(simd, block) }
    }
    #[inline(always)]
    unsafe fn step<S: Simd>(
        simd: S,
        block: *const u8,
        scales: &RunScales,
        step: usize,
        each: &mut impl Each<S>,
    ) {
        // SAFETY: the caller's contract.
        unsafe { two_runs::<S, true>(simd, (block.add(48), block.add(16)), scales, step, each) }
    }
}

pub(crate) struct Q6K;

impl Format for Q6K {
    const NUMBERS: usize = 256;
    const BYTES: usize = 210;
    const STEP: usize = 128;
    /// One for each 16 numbers.
    type Scales = [f32; 16];
    #[inline(always)]
    unsafe fn scales<S: Simd>(simd: S, block: *const u8) -> [f32; 16] {
        // SAFETY: the caller's contract.
        let (d, scales) = unsafe { (half(simd, block.add(208)), floats::<S, true>(simd, block.add(192))) };
        let mut product = [0.0; 16];
        for run in 0..16 {
            product[run] = d * scales[run];
        }
        product
    }
    #[inline(always)]
    unsafe fn step<S: Simd>(
        simd: S,
        block: *const u8,
        scales: &[f32; 16],
        step: usize,
        each: &mut impl Each<S>,
    ) {
        // Four runs of 32 numbers share 64 bytes of low halves and 32 bytes of high pairs.
        for place in (0..32).step_by(S::LANES) {
            // SAFETY: the caller's contract.
            let (low, high) = unsafe {
                let low = block.add(step * 64 + place);
                let low = [simd.load_u8(low), simd.load_u8(low.add(32))];
                (low, simd.load_u8(block.add(128 + step * 32 + place)))
            };
            for run in 0..4 {
                let four = match run {
                    0 | 1 => simd.and(low[run], simd.splat_int(15)),
                    _ => simd.shift_right(low[run - 2], 4),
                };
                let two = simd.and(simd.shift_right(high, 2 * run as u32), simd.splat_int(3));
                let q = simd.sub_int(simd.or(four, simd.shift_left::<4>(two)), simd.splat_int(32));
                let scale = scales[step * 8 + run * 2 + place / 16];
                each.take(simd, run * 32 + place, simd.mul(simd.to_float(q), simd.splat(scale)));
            }
        }
    }
}
