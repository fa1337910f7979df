//! Blocks of 32 numbers, of which eight make a group. In a byte of two, the low half belongs to the number 16 places earlier.

use super::format::{Each, Format, half, word};
use crate::rows::Blocks;
use crate::simd::Simd;

/// Blocks of a group.
const COUNT: usize = 8;

/// The scale of each block, and its minimum.
pub(crate) struct Affine {
    scale: [f32; COUNT],
    first: [f32; COUNT],
}

/// The f16 at byte `at` of each of the first `count` blocks.
///
/// # Safety
/// These blocks can be read, of `bytes` each.
#[inline(always)]
unsafe fn halves<S: Simd>(
    simd: S,
    group: *const u8,
    (bytes, at): (usize, usize),
    count: usize,
) -> [f32; COUNT] {
    let mut quads = [0_u64; 2];
    for (side, quad) in quads.iter_mut().enumerate() {
        for nth in 0..4 {
            let block = side * 4 + nth;
            if count == COUNT || block < count {
                // SAFETY: the caller's contract.
                *quad |= u64::from(unsafe { half(group.add(block * bytes + at)) }) << (16 * nth);
            }
        }
    }
    simd.halves(quads)
}

/// A block of 16 bytes of two q at `low`; with `FIVE` bits, the fifth ones are those of the word at `high`.
///
/// # Safety
/// They can be read.
#[inline(always)]
unsafe fn numbers<S: Simd, const FIVE: bool>(
    simd: S,
    (low, high): (*const u8, *const u8),
    ramp: [S::V; 2],
    place: usize,
    each: &mut impl Each<S>,
) {
    if FIVE && !S::TABLES {
        // SAFETY: the caller's contract.
        let q = unsafe { five(&*low.cast(), &simd.fifths(word(high))) };
        for at in (0..32).step_by(S::LANES) {
            // SAFETY: within the array.
            let q = unsafe { simd.load_u8(q.as_ptr().add(at)) };
            each.take(simd, place + at, simd.at_four(ramp, q));
        }
        return;
    }
    for lane in (0..16).step_by(S::LANES) {
        // SAFETY: the caller's contract.
        let nibbles = simd.nibbles(unsafe { simd.load_u8(low.add(lane)) });
        for (side, q) in nibbles.into_iter().enumerate() {
            let at = 16 * side + lane;
            let numbers = if FIVE {
                // SAFETY: the caller's contract.
                let high = unsafe { word(high) };
                simd.at_five(ramp, q, simd.spread(high, at as u32))
            } else {
                simd.at_four(ramp, q)
            };
            each.take(simd, place + at, numbers);
        }
    }
}

/// q of five bits, in bytes, of which an instruction takes four times as many as of lanes; compilers see to that.
#[inline(always)]
fn five(low: &[u8; 16], fifths: &[u8; 32]) -> [u8; 32] {
    let mut q = [0; 32];
    for place in 0..16 {
        q[place] = low[place] & 15 | fifths[place];
        q[16 + place] = low[place] >> 4 | fifths[16 + place];
    }
    q
}

pub(crate) struct Q8_0;

impl Format for Q8_0 {
    const BLOCKS: Blocks = Blocks::Q8_0;
    const STEP: usize = 32;
    type Scales = [f32; COUNT];
    #[inline(always)]
    unsafe fn scales<S: Simd>(simd: S, group: *const u8, count: usize) -> [f32; COUNT] {
        // SAFETY: the caller's contract.
        unsafe { halves(simd, group, (Self::BLOCKS.bytes(), 0), count) }
    }
    #[inline(always)]
    unsafe fn step<S: Simd, const N: usize>(
        simd: S,
        group: *const u8,
        scales: &[f32; COUNT],
        each: &mut impl Each<S>,
    ) {
        // SAFETY: the caller's contract.
        unsafe {
            let block = group.add(N * Self::BLOCKS.bytes());
            each.take_bytes::<32>(simd, N * 32, block.add(2), &scales[N]);
        }
    }
}

/// A format of 16 bytes of two q: the ramp of a block, where its fifth bits are if it has any, and where the bytes begin.
macro_rules! format {
    ($name:ident, zero $zero:literal, $five:literal at $high:literal, $low:literal) => {
        format!($name, [f32; COUNT], |scale, _simd, _group, _count| scale,
            |simd, scales| simd.ramp_around($zero, &scales[N]), $five at $high, $low);
    };
    ($name:ident, minimum, $five:literal at $high:literal, $low:literal) => {
        format!($name, Affine,
            // SAFETY: the caller's contract.
            |scale, simd, group, count| Affine { scale, first: unsafe { halves(simd, group, (Self::BLOCKS.bytes(), 2), count) } },
            |simd, scales| simd.ramp(&scales.scale[N], &scales.first[N]), $five at $high, $low);
    };
    ($name:ident, $scales:ty, |$scale:ident, $simd:ident, $group:ident, $count:ident| $all:expr,
        |$machine:ident, $own:ident| $ramp:expr, $five:literal at $high:literal, $low:literal) => {
        pub(crate) struct $name;

        impl Format for $name {
            const BLOCKS: Blocks = Blocks::$name;
            const STEP: usize = 32;
            type Scales = $scales;
            #[inline(always)]
            unsafe fn scales<S: Simd>(simd: S, group: *const u8, count: usize) -> $scales {
                // SAFETY: the caller's contract.
                let $scale = unsafe { halves(simd, group, (Self::BLOCKS.bytes(), 0), count) };
                let ($simd, $group, $count) = (simd, group, count);
                $all
            }
            #[inline(always)]
            unsafe fn step<S: Simd, const N: usize>(
                simd: S,
                group: *const u8,
                scales: &$scales,
                each: &mut impl Each<S>,
            ) {
                let ($machine, $own) = (simd, scales);
                let ramp = $ramp;
                // SAFETY: the caller's contract.
                unsafe {
                    let block = group.add(N * Self::BLOCKS.bytes());
                    numbers::<S, $five>(simd, (block.add($low), block.add($high)), ramp, N * 32, each);
                }
            }
        }
    };
}

format!(Q4_0, zero 8.0, false at 0, 2);
format!(Q4_1, minimum, false at 0, 4);
format!(Q5_0, zero 16.0, true at 2, 6);
format!(Q5_1, minimum, true at 4, 8);
