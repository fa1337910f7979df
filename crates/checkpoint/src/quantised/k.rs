//! Blocks of 256 numbers in runs of 16 or 32, each with a scale of its own, in some types with a minimum too.
//!
//! | type | bytes | layout | number |
//! | --- | --- | --- | --- |
//! | Q2_K | 84 | 16 bytes of (s, t), 64 bytes of four q, d f16, dmin f16 | (d s) q − dmin t |
//! | Q3_K | 110 | 32 bytes of high bits, 64 bytes of four q, 16 six-bit s in 12 bytes, d f16 | (d (s − 32)) (q − 4 where the high bit is 0) |
//! | Q4_K | 144 | d f16, dmin f16, 8 six-bit pairs (s, t) in 12 bytes, 128 bytes of two q | (d s) q − dmin t |
//! | Q5_K | 176 | as Q4_K, with 32 bytes of high bits before the q | (d s) q − dmin t |
//! | Q6_K | 210 | 128 bytes of two low halves, 64 of four high pairs, 16 signed scales s, d f16 | (d s)(q − 32) |
//!
//! The halves of one byte lie 32 numbers apart in Q4_K and Q5_K, 64 in Q6_K; the quarters of one byte 32.

use super::bits::{LARGE, half, nibble};

/// Two bits of number `at`: two halves of 128 numbers; in each, four runs of 32 share 32 bytes.
fn pair(bytes: &[u8], at: usize) -> u8 {
    let (part, run, position) = (at / 128, at / 32 % 4, at % 32);
    bytes[part * 32 + position] >> (2 * run) & 3
}

pub(crate) fn q2_k(block: &[u8; 84], out: &mut [f32; LARGE]) {
    let (d, minimum) = (half(block, 80), half(block, 82));
    for (at, number) in out.iter_mut().enumerate() {
        let both = block[at / 16];
        let (scale, offset) = (d * f32::from(both & 15), minimum * f32::from(both >> 4));
        *number = scale * f32::from(pair(&block[16..80], at)) - offset;
    }
}

pub(crate) fn q3_k(block: &[u8; 110], out: &mut [f32; LARGE]) {
    let d = half(block, 108);
    let (high, low, scales) = (&block[..32], &block[32..96], &block[96..108]);
    for (at, number) in out.iter_mut().enumerate() {
        let run = at / 16;
        // The low halves of the first eight scales, the high halves the last eight; then two more bits each.
        let four = nibble(scales, run % 8 * 2 + run / 8);
        let scale = (four | (scales[8 + run % 4] >> (run / 4 * 2) & 3) << 4) as i8 - 32;
        let missing = if high[at % 32] >> (at / 32) & 1 == 1 { 0 } else { 4 };
        *number = d * f32::from(scale) * f32::from(pair(low, at) as i8 - missing);
    }
}

/// Scale and minimum of run `run` of eight. The first four have six bits in bytes `run` and `run + 4`; the last four
/// have their low halves in byte `run + 4` and their two upper bits on top of the first four.
fn scale_and_minimum(packed: &[u8], run: usize) -> (u8, u8) {
    match run.checked_sub(4) {
        None => (packed[run] & 63, packed[run + 4] & 63),
        Some(early) => {
            (packed[run + 4] & 15 | packed[early] >> 6 << 4, packed[run + 4] >> 4 | packed[run] >> 6 << 4)
        }
    }
}

/// Q4_K and Q5_K: eight runs of 32 numbers; `high` gives the fifth bit of a number in a run.
fn runs_of_32(block: &[u8], low: &[u8], high: impl Fn(usize, usize) -> u8, out: &mut [f32; LARGE]) {
    let (d, minimum) = (half(block, 0), half(block, 2));
    for (run, out) in out.chunks_exact_mut(32).enumerate() {
        let (s, t) = scale_and_minimum(&block[4..16], run);
        let (scale, offset) = (d * f32::from(s), minimum * f32::from(t));
        let low = &low[run / 2 * 32..][..32];
        for (position, number) in out.iter_mut().enumerate() {
            let q = if run % 2 == 0 { low[position] & 15 } else { low[position] >> 4 };
            *number = scale * f32::from(q | high(run, position)) - offset;
        }
    }
}

pub(crate) fn q4_k(block: &[u8; 144], out: &mut [f32; LARGE]) {
    runs_of_32(block, &block[16..], |_, _| 0, out);
}

pub(crate) fn q5_k(block: &[u8; 176], out: &mut [f32; LARGE]) {
    let (high, low) = block[16..].split_at(32);
    runs_of_32(block, low, |run, position| (high[position] >> run & 1) << 4, out);
}

pub(crate) fn q6_k(block: &[u8; 210], out: &mut [f32; LARGE]) {
    let d = half(block, 208);
    let (low, rest) = block.split_at(128);
    let (high, scales) = rest.split_at(64);
    for (at, number) in out.iter_mut().enumerate() {
        // Two halves of 128 numbers; in each, four runs of 32 share 64 bytes of `low` and 32 bytes of `high`.
        let (part, run, position) = (at / 128, at / 32 % 4, at % 32);
        let byte = low[part * 64 + run % 2 * 32 + position];
        let four = if run < 2 { byte & 15 } else { byte >> 4 };
        let two = high[part * 32 + position] >> (2 * run) & 3;
        let scale = d * f32::from(scales[at / 16] as i8);
        *number = scale * f32::from((four | two << 4) as i8 - 32);
    }
}
