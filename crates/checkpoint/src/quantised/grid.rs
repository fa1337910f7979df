//! Blocks of 256 numbers whose bits choose points of a grid: four or eight numbers at once.
//!
//! | type | bytes | layout | number |
//! | --- | --- | --- | --- |
//! | IQ2_XXS | 66 | d f16, 8 × (4 points of 8 bits, 4 signs of 7, s of 4) | ± (d (½ + s) ¼) g |
//! | IQ2_XS | 74 | d f16, 32 × (point of 9 bits, signs of 7), 16 s of 4 bits | ± (d (½ + s) ¼) g |
//! | IQ2_S | 82 | d f16, 32 low bytes of points, 32 of signs, 8 of high pairs, 16 s of 4 bits | ± (d (½ + s) ¼) g |
//! | IQ3_XXS | 98 | d f16, 64 points, 8 × (4 signs of 7 bits, s of 4) | ± (d (½ + s) ½) g |
//! | IQ3_S | 110 | d f16, 64 low bytes of points, 8 of high bits, 32 of signs, 8 s of 4 bits | ± (d (1 + 2 s)) g |
//! | IQ1_S | 50 | d f16, 32 low bytes of points, 8 × (4 high parts of 3 bits, s of 3, sign of δ) | (d (2 s + 1)) (g ± δ) |
//! | IQ1_M | 56 | 32 low bytes of points, 16 of high parts with a sign of δ, 16 s of 3 bits, d in the four bits left over | (d (2 s + 1)) (g ± δ) |
//!
//! Signs of seven bits have an eighth that makes their number even. δ is ⅛. A grid's file holds its points, two bits for a
//! number of the grids of eight, four for those of four; it is written by `tests/reference/gguf_grids.py`.

use super::bits::{LARGE, four, half, nibble, two};

/// Points of `N` numbers; each number is one of `values`, by its bits in `packed`.
struct Grid<const N: usize> {
    packed: &'static [u8],
    values: &'static [f32],
}

const TWO: &[f32] = &[8.0, 25.0, 43.0];
const ONE: &[f32] = &[-1.0, 0.0, 1.0];
const IQ2_XXS: Grid<8> = Grid { packed: include_bytes!("grids/iq2_xxs.bin"), values: TWO };
const IQ2_XS: Grid<8> = Grid { packed: include_bytes!("grids/iq2_xs.bin"), values: TWO };
const IQ2_S: Grid<8> = Grid { packed: include_bytes!("grids/iq2_s.bin"), values: TWO };
const IQ3_XXS: Grid<4> = Grid {
    packed: include_bytes!("grids/iq3_xxs.bin"),
    values: &[4.0, 12.0, 20.0, 28.0, 36.0, 44.0, 52.0, 62.0],
};
const IQ3_S: Grid<4> =
    Grid { packed: include_bytes!("grids/iq3_s.bin"), values: &[1.0, 3.0, 5.0, 7.0, 9.0, 11.0, 13.0, 15.0] };
const IQ1: Grid<8> = Grid { packed: include_bytes!("grids/iq1.bin"), values: ONE };
const DELTA: f32 = 0.125;

impl<const N: usize> Grid<N> {
    /// The numbers of a point. Both kinds of grid take two bytes for each.
    fn point(&self, index: usize) -> [f32; N] {
        let bits = two(self.packed, 2 * index);
        let width = 16 / N;
        std::array::from_fn(|at| self.values[usize::from(bits >> (width * at)) & ((1 << width) - 1)])
    }
}

/// Signs of seven bits, with the eighth.
fn signs(seven: u32) -> u8 {
    let seven = (seven & 127) as u8;
    seven | ((seven.count_ones() as u8) & 1) << 7
}

/// `scale` times each number of a point, with its sign: 1 is minus.
fn write<const N: usize>(scale: f32, point: [f32; N], signs: u8, out: &mut [f32]) {
    for (at, (number, value)) in out.iter_mut().zip(point).enumerate() {
        *number = scale * value * if signs >> at & 1 == 1 { -1.0 } else { 1.0 };
    }
}

pub(crate) fn iq2_xxs(block: &[u8; 66], out: &mut [f32; LARGE]) {
    let d = half(block, 0);
    for (at, out) in out.chunks_exact_mut(8).enumerate() {
        let (group, place) = (&block[2 + at / 4 * 8..][..8], at % 4);
        let rest = four(group, 4);
        let scale = d * (0.5 + (rest >> 28) as f32) * 0.25;
        write(scale, IQ2_XXS.point(group[place].into()), signs(rest >> (7 * place)), out);
    }
}

pub(crate) fn iq2_xs(block: &[u8; 74], out: &mut [f32; LARGE]) {
    let d = half(block, 0);
    for (at, out) in out.chunks_exact_mut(8).enumerate() {
        let bits = two(block, 2 + 2 * at);
        let scale = d * (0.5 + f32::from(nibble(&block[66..], at / 2))) * 0.25;
        write(scale, IQ2_XS.point(usize::from(bits & 511)), signs(u32::from(bits >> 9)), out);
    }
}

pub(crate) fn iq2_s(block: &[u8; 82], out: &mut [f32; LARGE]) {
    let d = half(block, 0);
    let (points, signs, high, scales) = (&block[2..34], &block[34..66], &block[66..74], &block[74..]);
    for (at, out) in out.chunks_exact_mut(8).enumerate() {
        let index = usize::from(points[at]) | usize::from(high[at / 4] >> (2 * (at % 4)) & 3) << 8;
        let scale = d * (0.5 + f32::from(nibble(scales, at / 2))) * 0.25;
        write(scale, IQ2_S.point(index), signs[at], out);
    }
}

pub(crate) fn iq3_xxs(block: &[u8; 98], out: &mut [f32; LARGE]) {
    let d = half(block, 0);
    let (points, groups) = block[2..].split_at(64);
    for (at, out) in out.chunks_exact_mut(4).enumerate() {
        let rest = four(groups, at / 8 * 4);
        let scale = d * (0.5 + (rest >> 28) as f32) * 0.5;
        let signs = signs(rest >> (at % 8 / 2 * 7)) >> (at % 2 * 4);
        write(scale, IQ3_XXS.point(points[at].into()), signs, out);
    }
}

pub(crate) fn iq3_s(block: &[u8; 110], out: &mut [f32; LARGE]) {
    let d = half(block, 0);
    let (points, high, signs, scales) = (&block[2..66], &block[66..74], &block[74..106], &block[106..]);
    for (at, out) in out.chunks_exact_mut(4).enumerate() {
        let index = usize::from(points[at]) | usize::from(high[at / 8] >> (at % 8) & 1) << 8;
        let scale = d * f32::from(1 + 2 * nibble(scales, at / 8));
        write(scale, IQ3_S.point(index), signs[at / 2] >> (at % 2 * 4), out);
    }
}

/// IQ1: eight numbers from the index of a point, a scale, and whether δ is taken off.
fn shifted(index: usize, scale: f32, less: bool, out: &mut [f32]) {
    let delta = if less { -DELTA } else { DELTA };
    for (number, value) in out.iter_mut().zip(IQ1.point(index)) {
        *number = scale * (value + delta);
    }
}

pub(crate) fn iq1_s(block: &[u8; 50], out: &mut [f32; LARGE]) {
    let d = half(block, 0);
    for (at, out) in out.chunks_exact_mut(8).enumerate() {
        let high = two(block, 34 + at / 4 * 2);
        let index = usize::from(block[2 + at]) | usize::from(high >> (3 * (at % 4)) & 7) << 8;
        shifted(index, d * f32::from(2 * (high >> 12 & 7) + 1), high & 0x8000 != 0, out);
    }
}

pub(crate) fn iq1_m(block: &[u8; 56], out: &mut [f32; LARGE]) {
    let scales = |group: usize| two(block, 48 + 2 * group);
    let d = (0..4).fold(0, |bits, group| bits | scales(group) >> 12 << (4 * group));
    let d = half(&d.to_le_bytes(), 0);
    for (at, out) in out.chunks_exact_mut(8).enumerate() {
        let high = nibble(&block[32..48], at);
        let index = usize::from(block[at]) | usize::from(high & 7) << 8;
        let scale = scales(at / 8) >> (3 * (at / 2 % 4)) & 7;
        shifted(index, d * f32::from(2 * scale + 1), high & 8 != 0, out);
    }
}
