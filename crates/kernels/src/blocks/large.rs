//! Blocks of 256 numbers, a group each, in runs that have scales of their own.

use super::format::{Each, Format, half, word};
use crate::rows::Blocks;
use crate::simd::Simd;

/// What a run's numbers are multiplied by, and what is added: eight of each.
pub(crate) struct RunScales {
    scale: [f32; 8],
    offset: [f32; 8],
}

/// d s and −dmin t of the eight runs. s and t have six bits: of the first four runs in the bytes 0–3 and 4–7; of the last
/// four the low halves in the two halves of bytes 8–11, and the upper two bits on top of the first four.
///
/// # Safety
/// The first 16 bytes of a block can be read.
#[inline(always)]
unsafe fn run_scales<S: Simd>(simd: S, block: *const u8) -> RunScales {
    // SAFETY: the caller's contract.
    let (both, a, b, c) =
        unsafe { (word(block), word(block.add(4)), word(block.add(8)), word(block.add(12))) };
    let [d, minimum, ..] = simd.halves([both.into(), 0]);
    let eight = |low: u32, high: u32| u64::from(low) | u64::from(high) << 32;
    let s = eight(a & 0x3f3f_3f3f, c & 0x0f0f_0f0f | a >> 2 & 0x3030_3030);
    let t = eight(b & 0x3f3f_3f3f, c >> 4 & 0x0f0f_0f0f | b >> 2 & 0x3030_3030);
    RunScales { scale: simd.times_bytes(d, s), offset: simd.times_bytes(-minimum, t) }
}

/// Two runs of 32 numbers in the halves of 32 bytes at `low`; with `FIVE` bits, the fifth bit of a number of run r is bit r
/// of the byte at its place from `high` on.
///
/// # Safety
/// The block can be read.
#[inline(always)]
unsafe fn two_runs<S: Simd, const N: usize, const FIVE: bool>(
    simd: S,
    (low, high): (*const u8, *const u8),
    scales: &RunScales,
    each: &mut impl Each<S>,
) {
    let run = 2 * N;
    let ramps = [
        simd.ramp(&scales.scale[run], &scales.offset[run]),
        simd.ramp(&scales.scale[run + 1], &scales.offset[run + 1]),
    ];
    if FIVE && !S::TABLES {
        // SAFETY: the caller's contract.
        let q = unsafe { five::<N>(&*low.add(N * 32).cast(), &*high.cast()) };
        for place in (0..64).step_by(S::LANES) {
            // SAFETY: within the array.
            let q = unsafe { simd.load_u8(q.as_ptr().add(place)) };
            each.take(simd, N * 64 + place, simd.at_four(ramps[place / 32], q));
        }
        return;
    }
    for place in (0..32).step_by(S::LANES) {
        // SAFETY: the caller's contract.
        let nibbles = simd.nibbles(unsafe { simd.load_u8(low.add(N * 32 + place)) });
        for side in 0..2 {
            let (q, ramp) = (nibbles[side], ramps[side]);
            let numbers = if FIVE {
                // SAFETY: the caller's contract.
                let bits = unsafe { simd.load_u8(high.add(place)) };
                // Bit r to bit 4.
                let fifth = simd.shift_right(simd.shift_left::<4>(bits), (run + side) as u32);
                simd.at_five(ramp, q, fifth)
            } else {
                simd.at_four(ramp, q)
            };
            each.take(simd, N * 64 + side * 32 + place, numbers);
        }
    }
}

/// q of five bits of two runs, in bytes, of which an instruction takes four times as many as of lanes; compilers see to
/// that.
#[inline(always)]
fn five<const N: usize>(low: &[u8; 32], high: &[u8; 32]) -> [u8; 64] {
    let mut q = [0; 64];
    for place in 0..32 {
        let fifth = high[place] >> (2 * N);
        q[place] = low[place] & 15 | (fifth & 1) << 4;
        q[32 + place] = low[place] >> 4 | (fifth & 2) << 3;
    }
    q
}

/// A format of eight runs: where its fifth bits are, if it has any, and where the bytes of two q begin.
macro_rules! format {
    ($name:ident, $five:literal at $high:literal, $low:literal) => {
        pub(crate) struct $name;

        impl Format for $name {
            const BLOCKS: Blocks = Blocks::$name;
            const STEP: usize = 64;
            type Scales = RunScales;
            #[inline(always)]
            unsafe fn scales<S: Simd>(simd: S, block: *const u8, _: usize) -> RunScales {
                // SAFETY: the caller's contract.
                unsafe { run_scales(simd, block) }
            }
            #[inline(always)]
            unsafe fn step<S: Simd, const N: usize>(
                simd: S,
                block: *const u8,
                scales: &RunScales,
                each: &mut impl Each<S>,
            ) {
                // SAFETY: the caller's contract.
                unsafe {
                    two_runs::<S, N, $five>(simd, (block.add($low), block.add($high)), scales, each);
                }
            }
        }
    };
}

format!(Q4K, false at 0, 16);
format!(Q5K, true at 16, 48);

pub(crate) struct Q6K;

/// Numbers of a step of [`Q6K`]: four runs of 32 share 64 bytes of low halves and 32 bytes of high pairs.
const SIX: usize = 128;

impl Format for Q6K {
    const BLOCKS: Blocks = Blocks::Q6K;
    const STEP: usize = SIX;
    /// One for each 16 numbers.
    type Scales = [[f32; 8]; 2];
    #[inline(always)]
    unsafe fn scales<S: Simd>(simd: S, block: *const u8, _: usize) -> Self::Scales {
        // SAFETY: the caller's contract.
        let (d, [low, high]) =
            unsafe { (half(block.add(208)), block.add(192).cast::<[[u8; 8]; 2]>().read()) };
        let [d, ..] = simd.halves([d.into(), 0]);
        [simd.times_bytes(d, u64::from_le_bytes(low)), simd.times_bytes(d, u64::from_le_bytes(high))]
    }
    #[inline(always)]
    unsafe fn step<S: Simd, const N: usize>(
        simd: S,
        block: *const u8,
        scales: &Self::Scales,
        each: &mut impl Each<S>,
    ) {
        // SAFETY: the caller's contract.
        let (low, high) = unsafe {
            let low = block.add(N * SIX / 2).cast::<[u8; SIX / 2]>();
            (&*low, &*block.add(128 + N * SIX / 4).cast::<[u8; SIX / 4]>())
        };
        // In bytes, of which an instruction takes twice or four times as many; compilers see to that.
        let mut q = [0_u8; SIX];
        for place in 0..32 {
            let bits = high[place];
            q[place] = (low[place] & 15 | (bits & 3) << 4).wrapping_sub(32);
            q[32 + place] = (low[32 + place] & 15 | (bits >> 2 & 3) << 4).wrapping_sub(32);
            q[64 + place] = (low[place] >> 4 | (bits >> 4 & 3) << 4).wrapping_sub(32);
            q[96 + place] = (low[32 + place] >> 4 | bits >> 6 << 4).wrapping_sub(32);
        }
        for (run, scale) in scales[N].iter().enumerate() {
            // SAFETY: the array has 16 bytes for each run.
            unsafe {
                let q = q.as_ptr().add(run * 16);
                each.take_bytes::<16>(simd, N * SIX + run * 16, q, scale);
            }
        }
    }
}
