//! Blocks whose four bits choose one of sixteen values that do not lie at equal distances.
//!
//! | type | numbers | bytes | layout | number |
//! | --- | --- | --- | --- | --- |
//! | IQ4_NL | 32 | 18 | d f16, 16 bytes of two q | d v(q) |
//! | IQ4_XS | 256 | 136 | d f16, 8 high pairs and 8 low halves of scales s in 2 + 4 bytes, 128 bytes of two q | (d (s − 32)) v(q) |
//! | MXFP4 | 32 | 17 | an exponent e of one byte, 16 bytes of two q | 2^(e − 128) w(q) |
//! | NVFP4 | 64 | 36 | four scales s in E4M3, 32 bytes of two q | (s / 2) w(q) |
//!
//! The halves of one byte lie 16 numbers apart, in NVFP4 8. w holds the doubled values of a float with two bits of
//! exponent and one of mantissa, which is why the scales are halved.

use super::bits::{LARGE, SMALL, half, nibble, two};

const V: [f32; 16] = [
    -127.0, -104.0, -83.0, -65.0, -49.0, -35.0, -22.0, -10.0, 1.0, 13.0, 25.0, 38.0, 53.0, 69.0, 89.0, 113.0,
];
const W: [f32; 16] =
    [0.0, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 0.0, -1.0, -2.0, -3.0, -4.0, -6.0, -8.0, -12.0];

/// The low halves of `bytes`, then their high halves, each the value of its number times the scale.
fn halves(bytes: &[u8], scale: f32, values: &[f32; 16], out: &mut [f32]) {
    let (early, late) = out.split_at_mut(bytes.len());
    for ((early, late), &byte) in early.iter_mut().zip(late).zip(bytes) {
        *early = scale * values[usize::from(byte & 15)];
        *late = scale * values[usize::from(byte >> 4)];
    }
}

pub(crate) fn iq4_nl(block: &[u8; 18], out: &mut [f32; SMALL]) {
    halves(&block[2..], half(block, 0), &V, out);
}

pub(crate) fn iq4_xs(block: &[u8; 136], out: &mut [f32; LARGE]) {
    let (d, high) = (half(block, 0), two(block, 2));
    for (run, (bytes, out)) in block[8..].chunks_exact(16).zip(out.chunks_exact_mut(32)).enumerate() {
        let scale = nibble(&block[4..8], run) | ((high >> (2 * run) & 3) as u8) << 4;
        halves(bytes, d * f32::from(scale as i8 - 32), &V, out);
    }
}

pub(crate) fn mxfp4(block: &[u8; 17], out: &mut [f32; SMALL]) {
    let exponent = u32::from(block[0]);
    // 2^(e − 128): below the normal floats for 0 and 1.
    let bits = if exponent < 2 { 0x0020_0000 << exponent } else { (exponent - 1) << 23 };
    halves(&block[1..], f32::from_bits(bits), &W, out);
}

pub(crate) fn nvfp4(block: &[u8; 36], out: &mut [f32; 64]) {
    for (run, (bytes, out)) in block[4..].chunks_exact(8).zip(out.chunks_exact_mut(16)).enumerate() {
        halves(bytes, 0.5 * e4m3(block[run]), &W, out);
    }
}

/// An unsigned float of four bits of exponent and three of mantissa; the uppermost bit says nothing, NaN counts as 0.
fn e4m3(bits: u8) -> f32 {
    let (exponent, mantissa) = (i32::from(bits >> 3 & 15), f32::from(bits & 7));
    match (bits, exponent) {
        (0x7f, _) => 0.0,
        (_, 0) => mantissa * 2_f32.powi(-9),
        (_, exponent) => (1.0 + mantissa / 8.0) * 2_f32.powi(exponent - 7),
    }
}
