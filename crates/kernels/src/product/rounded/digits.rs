//! Activations in 24 bits: 32 at a time share a power of two, and each is three bytes, so that bytes are all that is
//! multiplied.
//!
//! ```text
//! x ≈ 2ᵉ·v,  v = x / 2ᵉ to the nearest integer, |v| ≤ 8,355,711 = 127·(256² + 256 + 1);  e the least such exponent
//! v = (a·256 + b)·256 + c,  each digit from −128 to 127
//! ```
//!
//! An activation errs by at most 1 / 8,355,711 of the largest of its 32 (or by 2⁻¹²⁷, where that is more), about as a sum in
//! f32 with that one errs; sums of a run are exact.

use crate::Backend;
use crate::product::region::Region;
use crate::scratch::Buffer;
use crate::simd::{ByteKernel, Bytes};

use super::activations::{Held, RUN, Token, largest, run_of, runs};

/// The largest integer whose digits are bytes.
const MOST: f32 = 8_355_711.0;

/// The least exponent of a scale, whose inverse is an f32.
const LEAST: i32 = -126;

/// Places of a run, counted in 32 bits: digits, a scale, a sum, and eight sums of four, times 8.
const PLACES: usize = DIGITS * RUN / 4 + 2 + RUN / 4;

const DIGITS: usize = 3;

/// Integers of which a digit's bytes lie side by side.
const LINE: usize = 64;

/// The activations of a region.
#[derive(Clone, Copy)]
pub(super) struct Digits<'a> {
    places: &'a [f32],
    /// Runs of a token, in whole groups.
    runs: usize,
}

impl<'a> Digits<'a> {
    /// How many places they take.
    pub(super) fn places(region: Region<'_>) -> usize {
        region.tokens * runs(region.cols) * PLACES
    }

    /// Takes them all apart; tokens by themselves, so that a token's digits do not depend on the others.
    pub(super) fn new(backend: &Backend, region: Region<'_>, buffer: &'a mut Buffer<'_>) -> Self {
        let (runs, places) = (runs(region.cols), buffer.places(Self::places(region)));
        backend.run_chunks(places, runs * PLACES, |token, places| {
            let x = &region.x[token * region.cols..(token + 1) * region.cols];
            backend.call_bytes(TakeApart { x, places, runs });
        });
        Self { places, runs }
    }
}

impl Held for Digits<'_> {
    const DIGITS: usize = DIGITS;
    fn token(&self, token: usize) -> Token<'_> {
        let runs = self.runs;
        let own = &self.places[token * runs * PLACES..(token + 1) * runs * PLACES];
        let (bytes, rest) = own.split_at(runs * DIGITS * RUN / 4);
        let (scales, rest) = rest.split_at(runs);
        let (sums, wholes) = rest.split_at(runs);
        Token { bytes: bytemuck::cast_slice(bytes), scales, sums, wholes: bytemuck::cast_slice(wholes) }
    }
}

/// Takes a token apart.
struct TakeApart<'a> {
    x: &'a [f32],
    places: &'a mut [f32],
    runs: usize,
}

impl ByteKernel for TakeApart<'_> {
    #[inline(always)]
    fn run<M: Bytes>(self, _: M) {
        let runs = self.runs;
        let (bytes, rest) = self.places.split_at_mut(runs * DIGITS * RUN / 4);
        let (scales, rest) = rest.split_at_mut(runs);
        let (sums, wholes) = rest.split_at_mut(runs);
        let (lines, _) = bytemuck::cast_slice_mut::<f32, i8>(bytes).as_chunks_mut::<{ DIGITS * LINE }>();
        let (wholes, _) = bytemuck::cast_slice_mut::<f32, i32>(wholes).as_chunks_mut::<{ RUN / 4 }>();
        for run in 0..runs {
            let (scale, integers) = integers(&run_of(self.x, run));
            scales[run] = scale;
            let at = run % (LINE / RUN) * RUN;
            digits(&integers, &mut lines[run / (LINE / RUN)], at);
            for (whole, four) in wholes[run].iter_mut().zip(integers.as_chunks::<4>().0) {
                *whole = 8 * (four[0] + four[1] + four[2] + four[3]);
            }
            sums[run] = (wholes[run].iter().sum::<i32>() / 8) as f32 * scale;
        }
    }
}

/// The scale of a run, and its integers: NaN and zeros where not all are finite.
#[inline(always)]
fn integers(x: &[f32; RUN]) -> (f32, [i32; RUN]) {
    let most = largest(x);
    if !most.is_finite() {
        return (f32::NAN, [0; RUN]);
    }
    // 2^(n + 1) > most ≥ 2ⁿ: by 2^(n − 22) it is below 2²³, which is a little too much.
    let power = (most.to_bits() >> 23) as i32 - 127 - 22;
    let power = power.max(LEAST);
    let power = if most * exp2(-power) > MOST { power + 1 } else { power };
    let inverse = exp2(-power);
    (exp2(power), x.map(|x| (x * inverse).round_ties_even() as i32))
}

/// 2ⁿ, for normal numbers.
#[inline(always)]
fn exp2(n: i32) -> f32 {
    f32::from_bits(((n + 127) as u32) << 23)
}

/// Writes the digits of a run to its places of a line, those of a digit side by side.
#[inline(always)]
fn digits(integers: &[i32; RUN], line: &mut [i8; DIGITS * LINE], at: usize) {
    for digit in 0..DIGITS {
        let down = 8 * (DIGITS - 1 - digit);
        let bytes = &mut line[digit * LINE + at..digit * LINE + at + RUN];
        for (byte, &v) in bytes.iter_mut().zip(integers) {
            // With half a byte's range added to each digit, none borrows from the next.
            *byte = ((v + 0x80_8080) >> down) as u8 as i8 ^ -128;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the digits of a run stand for.
    fn joined(line: &[i8; DIGITS * LINE], at: usize) -> [i32; RUN] {
        std::array::from_fn(|i| {
            (0..DIGITS).fold(0, |v, digit| v * 256 + i32::from(line[digit * LINE + at + i]))
        })
    }

    #[test]
    fn an_activation_is_taken_apart_and_put_together_again() {
        for (most, power) in [
            (1.0, -22),
            (1.999, -21),
            (8_355_711.0, 0),
            (8_355_712.0, 1),
            (1e38, 104),
            (1e-38, -126),
            (0.0, -126),
        ] {
            let mut x: [f32; RUN] = std::array::from_fn(|i| most * (i as f32 / 31.0 - 0.5));
            x[7] = -most;
            let (scale, integers) = integers(&x);
            assert_eq!(scale, 2_f32.powi(power), "{most}");
            let mut line = [0; DIGITS * LINE];
            digits(&integers, &mut line, RUN);
            assert_eq!(joined(&line, RUN), integers);
            for (v, x) in integers.into_iter().zip(x) {
                let error = (f64::from(v) * f64::from(scale) - f64::from(x)).abs();
                assert!(error <= f64::from(scale) / 2.0, "{x} as {v}·{scale}");
            }
        }
    }

    #[test]
    fn every_digit_takes_all_its_values() {
        for v in (-8_355_711..=8_355_711)
            .step_by(101)
            .chain([-8_355_711, -32_896, -129, -128, 127, 128, 8_355_711])
        {
            let mut line = [0; DIGITS * LINE];
            digits(&[v; RUN], &mut line, 0);
            assert_eq!(joined(&line, 0), [v; RUN]);
        }
    }

    #[test]
    fn what_is_not_finite_makes_its_scale_so() {
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let mut x = [1.0; RUN];
            x[3] = bad;
            let (scale, integers) = integers(&x);
            assert!(scale.is_nan() && integers == [0; RUN]);
        }
    }
}
