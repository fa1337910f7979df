//! Quantised blocks to numbers, as ggml's reference does it: the same operations in f32, in the same order.
//!
//! A block holds 32 numbers, or 256 in the K types, that run along the last axis of a tensor. Within a block:
//!
//! | type | bytes | layout | number |
//! | --- | --- | --- | --- |
//! | Q4_0 | 18 | d f16, 16 bytes of two q | (q − 8) d |
//! | Q4_1 | 20 | d f16, m f16, 16 bytes of two q | q d + m |
//! | Q5_0 | 22 | d f16, 32 high bits, 16 bytes of two q | (q − 16) d |
//! | Q5_1 | 24 | d f16, m f16, 32 high bits, 16 bytes of two q | q d + m |
//! | Q8_0 | 34 | d f16, 32 signed q | q d |
//! | Q4_K | 144 | d f16, dmin f16, 8 six-bit pairs (s, t) in 12 bytes, 128 bytes of two q | (d s) q − dmin t |
//! | Q5_K | 176 | as Q4_K, with 32 bytes of high bits before the q | (d s) q − dmin t |
//! | Q6_K | 210 | 128 bytes of two low halves, 64 of four high pairs, 16 signed scales s, d f16 | (d s)(q − 32) |
//!
//! In every byte of two, the low half belongs to the earlier number; the halves of one byte lie 16 numbers apart in the
//! small types, 32 in Q4_K and Q5_K, 64 in Q6_K. Reference: ggml, `dequantize_row_*` in `ggml-quants.c`.

use half::f16;

const SMALL: usize = 32;
const LARGE: usize = 256;

fn half(bytes: &[u8], at: usize) -> f32 {
    f16::from_le_bytes([bytes[at], bytes[at + 1]]).to_f32()
}

/// Low halves of 16 bytes, then their high halves: 32 numbers of four bits.
fn nibbles(bytes: &[u8], number: impl Fn(usize, u8) -> f32, out: &mut [f32; SMALL]) {
    for (position, &byte) in bytes.iter().enumerate() {
        out[position] = number(position, byte & 15);
        out[position + 16] = number(position + 16, byte >> 4);
    }
}

pub(crate) fn q4_0(block: &[u8; 18], out: &mut [f32; SMALL]) {
    let d = half(block, 0);
    nibbles(&block[2..], |_, q| (f32::from(q) - 8.0) * d, out);
}

pub(crate) fn q4_1(block: &[u8; 20], out: &mut [f32; SMALL]) {
    let (d, m) = (half(block, 0), half(block, 2));
    nibbles(&block[4..], |_, q| f32::from(q) * d + m, out);
}

/// The fifth bit of number `position`, in its place.
fn fifth(high: &[u8], position: usize) -> u8 {
    (high[position / 8] >> (position % 8) & 1) << 4
}

pub(crate) fn q5_0(block: &[u8; 22], out: &mut [f32; SMALL]) {
    let d = half(block, 0);
    let (high, low) = block[2..].split_at(4);
    nibbles(low, |position, q| (f32::from(q | fifth(high, position)) - 16.0) * d, out);
}

pub(crate) fn q5_1(block: &[u8; 24], out: &mut [f32; SMALL]) {
    let (d, m) = (half(block, 0), half(block, 2));
    let (high, low) = block[4..].split_at(4);
    nibbles(low, |position, q| f32::from(q | fifth(high, position)) * d + m, out);
}

pub(crate) fn q8_0(block: &[u8; 34], out: &mut [f32; SMALL]) {
    let d = half(block, 0);
    for (number, &q) in out.iter_mut().zip(&block[2..]) {
        *number = f32::from(q as i8) * d;
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
