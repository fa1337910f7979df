//! Blocks with one scale, and in some types one minimum.
//!
//! | type | numbers | bytes | layout | number |
//! | --- | --- | --- | --- | --- |
//! | Q1_0 | 128 | 18 | d f16, 16 bytes of eight q | d, or −d where the bit is 0 |
//! | Q2_0 | 64 | 18 | d f16, 16 bytes of four q | (q − 1) d |
//! | Q4_0 | 32 | 18 | d f16, 16 bytes of two q | (q − 8) d |
//! | Q4_1 | 32 | 20 | d f16, m f16, 16 bytes of two q | q d + m |
//! | Q5_0 | 32 | 22 | d f16, 32 high bits, 16 bytes of two q | (q − 16) d |
//! | Q5_1 | 32 | 24 | d f16, m f16, 32 high bits, 16 bytes of two q | q d + m |
//! | Q8_0 | 32 | 34 | d f16, 32 signed q | q d |
//!
//! In every byte of two, the low half belongs to the earlier number, and the halves of one byte lie 16 numbers apart. In
//! Q1_0 and Q2_0 the numbers of one byte follow each other, the lowest bits first.

use super::bits::{SMALL, half};

pub(crate) fn q1_0(block: &[u8; 18], out: &mut [f32; 128]) {
    let d = half(block, 0);
    for (at, number) in out.iter_mut().enumerate() {
        *number = if block[2 + at / 8] >> (at % 8) & 1 == 1 { d } else { -d };
    }
}

pub(crate) fn q2_0(block: &[u8; 18], out: &mut [f32; 64]) {
    let d = half(block, 0);
    for (at, number) in out.iter_mut().enumerate() {
        let q = block[2 + at / 4] >> (2 * (at % 4)) & 3;
        *number = (f32::from(q) - 1.0) * d;
    }
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
