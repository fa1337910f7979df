//! Blocks of random bits, and the numbers that they hold.

use camelid_kernels::Blocks;
use half::f16;

use crate::noise::noise;

/// Blocks of a type: random bits, but scales that are small numbers.
pub(crate) fn random_blocks(blocks: Blocks, count: usize, seed: u64) -> Vec<u8> {
    let noise = noise(count * blocks.bytes(), seed);
    let mut bytes: Vec<u8> =
        noise.iter().map(|v| (v * 12_345.0).to_bits() as u8 ^ (v.to_bits() >> 9) as u8).collect();
    for (index, block) in bytes.chunks_exact_mut(blocks.bytes()).enumerate() {
        for (nth, &at) in scale_places(blocks).iter().enumerate() {
            let scale = f16::from_f32(0.001 + 0.37 * noise[index * blocks.bytes() + nth].abs());
            block[at..at + 2].copy_from_slice(&scale.to_le_bytes());
        }
    }
    bytes
}

/// Where a block has an f16.
pub(crate) fn scale_places(blocks: Blocks) -> &'static [usize] {
    match blocks {
        Blocks::Q4_0 | Blocks::Q5_0 | Blocks::Q8_0 => &[0],
        Blocks::Q4_1 | Blocks::Q5_1 | Blocks::Q4K | Blocks::Q5K => &[0, 2],
        Blocks::Q6K => &[208],
    }
}

/// Number `at` of a block, from the definition, one at a time.
fn number(blocks: Blocks, block: &[u8], at: usize) -> f32 {
    let half = |at: usize| f16::from_le_bytes([block[at], block[at + 1]]).to_f32();
    let bit = |from: usize, at: usize| block[from + at / 8] >> (at % 8) & 1;
    let nibble = |from: usize, at: usize| block[from + at % 16] >> (at / 16 * 4) & 15;
    let six = |run: usize| {
        let packed = &block[4..16];
        match run {
            0..4 => (packed[run] & 63, packed[run + 4] & 63),
            _ => (
                packed[run + 4] & 15 | packed[run - 4] >> 6 << 4,
                packed[run + 4] >> 4 | packed[run] >> 6 << 4,
            ),
        }
    };
    let run_of_32 = |low: usize, fifth: u8| {
        let (s, t) = six(at / 32);
        let q = block[low + at / 64 * 32 + at % 32] >> (at / 32 % 2 * 4) & 15;
        half(0) * f32::from(s) * f32::from(q | fifth << 4) - half(2) * f32::from(t)
    };
    match blocks {
        Blocks::Q4_0 => (f32::from(nibble(2, at)) - 8.0) * half(0),
        Blocks::Q4_1 => f32::from(nibble(4, at)) * half(0) + half(2),
        Blocks::Q5_0 => (f32::from(nibble(6, at) | bit(2, at) << 4) - 16.0) * half(0),
        Blocks::Q5_1 => f32::from(nibble(8, at) | bit(4, at) << 4) * half(0) + half(2),
        Blocks::Q8_0 => f32::from(block[2 + at] as i8) * half(0),
        Blocks::Q4K => run_of_32(16, 0),
        Blocks::Q5K => run_of_32(48, block[16 + at % 32] >> (at / 32) & 1),
        Blocks::Q6K => {
            let (part, run, place) = (at / 128, at / 32 % 4, at % 32);
            let low = block[part * 64 + run % 2 * 32 + place] >> (run / 2 * 4) & 15;
            let high = block[128 + part * 32 + place] >> (2 * run) & 3;
            let scale = half(208) * f32::from(block[192 + at / 16] as i8);
            scale * (f32::from(low | high << 4) - 32.0)
        }
    }
}

pub(crate) fn widened(blocks: Blocks, bytes: &[u8]) -> Vec<f32> {
    let each = bytes.chunks_exact(blocks.bytes());
    each.flat_map(|block| (0..blocks.numbers()).map(move |at| number(blocks, block, at))).collect()
}

pub(crate) fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}
