//! Blocks of 256 numbers that are each one of three.
//!
//! | type | bytes | layout | number |
//! | --- | --- | --- | --- |
//! | TQ1_0 | 54 | 32 + 16 bytes of five q, 4 bytes of four, d f16 | d (q − 1) |
//! | TQ2_0 | 66 | 64 bytes of four q, d f16 | d (q − 1) |
//!
//! TQ1_0 writes five digits to base three as a fraction of 256: the first digit is the whole part of 3 x / 256, the next
//! that of 3 (3 x mod 256) / 256, …. Numbers of one byte lie as far apart as its group has bytes.

use super::bits::{LARGE, half};

pub(crate) fn tq1_0(block: &[u8; 54], out: &mut [f32; LARGE]) {
    let d = half(block, 52);
    let mut rest = &mut out[..];
    for (bytes, digits) in [(&block[..32], 5), (&block[32..48], 5), (&block[48..52], 4)] {
        let (numbers, others) = rest.split_at_mut(bytes.len() * digits);
        rest = others;
        let mut power = 1_u8;
        for numbers in numbers.chunks_exact_mut(bytes.len()) {
            for (number, byte) in numbers.iter_mut().zip(bytes) {
                let digit = (u16::from(byte.wrapping_mul(power)) * 3) >> 8;
                *number = d * (f32::from(digit) - 1.0);
            }
            power = power.wrapping_mul(3);
        }
    }
}

pub(crate) fn tq2_0(block: &[u8; 66], out: &mut [f32; LARGE]) {
    let d = half(block, 64);
    for (at, number) in out.iter_mut().enumerate() {
        let (part, run, position) = (at / 128, at / 32 % 4, at % 32);
        let q = block[part * 32 + position] >> (2 * run) & 3;
        *number = d * (f32::from(q) - 1.0);
    }
}
