//! Activations as bytes: 32 at a time share a scale.

use crate::Backend;
use crate::blocks::GROUP;
use crate::product::region::Region;
use crate::scratch::Buffer;
use crate::simd::{ByteKernel, Bytes};

/// Activations of one scale.
pub(super) const RUN: usize = 32;

/// Below it a run counts as zeros: its scale would have no inverse.
const LEAST: f32 = 1e-30;

/// From here on an f32 has no fraction left, so that adding it rounds to an integer, in its lowest bits.
const BIG: f32 = 12_582_912.0;

/// How the places of a token lie, counted in 32 bits: bytes, scales, sums times scales, and sums of each 16 bytes. Columns
/// are filled up with zeros to whole groups.
#[derive(Clone, Copy)]
pub(super) struct Layout {
    /// Runs of a token.
    runs: usize,
}

impl Layout {
    pub(super) fn of(cols: usize) -> Self {
        Self { runs: runs(cols) }
    }

    /// Places of a token: whole cache lines, and rarely a power of two.
    pub(super) fn width(self) -> usize {
        (self.runs * (RUN / 4 + 4) + 16).next_multiple_of(16)
    }
}

/// Runs of a token, in whole groups.
pub(super) fn runs(cols: usize) -> usize {
    cols.next_multiple_of(GROUP) / RUN
}

/// A run of a token, beyond its end zeros.
#[inline(always)]
pub(super) fn run_of(x: &[f32], run: usize) -> [f32; RUN] {
    let mut filled = [0.0; RUN];
    let own = &x[x.len().min(run * RUN)..x.len().min((run + 1) * RUN)];
    filled[..own.len()].copy_from_slice(own);
    filled
}

/// max |x|; where not all are finite, neither is it.
#[inline(always)]
pub(super) fn largest(x: &[f32; RUN]) -> f32 {
    // Without their sign floats are ordered as their bits are, and what is not finite comes last.
    f32::from_bits(x.iter().fold(0, |most, x| most.max(x.to_bits() & 0x7fff_ffff)))
}

/// The activations of a region, rounded.
#[derive(Clone, Copy)]
pub(super) struct Rounded<'a> {
    places: &'a [f32],
    layout: Layout,
}

/// One token's.
#[derive(Clone, Copy)]
pub(super) struct Token<'a> {
    /// Activations as integers: in a byte, or in [`Held::DIGITS`] of them, digit by digit for each 64.
    pub(super) bytes: &'a [i8],
    /// One for each run.
    pub(super) scales: &'a [f32],
    /// Σ of each run's integers, times its scale.
    pub(super) sums: &'a [f32],
    /// Σ of each 16 integers; where there are several digits, 8 times that of each four.
    pub(super) wholes: &'a [i32],
}

/// Activations as integers that share a scale, as few tokens meet them.
pub(super) trait Held: Copy + Sync {
    /// Bytes of an integer, of which the first counts most.
    const DIGITS: usize;
    fn token(&self, token: usize) -> Token<'_>;
}

impl Held for Rounded<'_> {
    const DIGITS: usize = 1;
    fn token(&self, token: usize) -> Token<'_> {
        Self::token(*self, token)
    }
}

impl<'a> Rounded<'a> {
    /// Rounds them all; tokens by themselves, so that a token's bytes do not depend on the others.
    pub(super) fn new(
        backend: &Backend,
        region: Region<'_>,
        layout: Layout,
        buffer: &'a mut Buffer<'_>,
    ) -> Self {
        let places = buffer.places(region.tokens * layout.width());
        backend.run_chunks(places, layout.width(), |token, places| {
            let x = &region.x[token * region.cols..(token + 1) * region.cols];
            backend.call_bytes(Round { x, places, layout });
        });
        Self { places, layout }
    }

    /// Runs of a token, in whole groups.
    pub(super) fn runs(self) -> usize {
        self.layout.runs
    }

    /// Bytes from a token's to the next one's.
    #[cfg(target_arch = "x86_64")]
    pub(super) fn stride(self) -> usize {
        4 * self.layout.width()
    }

    pub(super) fn token(self, token: usize) -> Token<'a> {
        let (runs, width) = (self.layout.runs, self.layout.width());
        let (bytes, rest) = self.places[token * width..(token + 1) * width].split_at(runs * RUN / 4);
        let (scales, rest) = rest.split_at(runs);
        let (sums, wholes) = rest.split_at(runs);
        Token {
            bytes: bytemuck::cast_slice(bytes),
            scales,
            sums,
            wholes: bytemuck::cast_slice(&wholes[..2 * runs]),
        }
    }
}

/// Rounds a token.
struct Round<'a> {
    x: &'a [f32],
    places: &'a mut [f32],
    layout: Layout,
}

impl ByteKernel for Round<'_> {
    #[inline(always)]
    fn run<M: Bytes>(self, _: M) {
        let runs = self.layout.runs;
        let (bytes, rest) = self.places.split_at_mut(runs * RUN / 4);
        let (scales, rest) = rest.split_at_mut(runs);
        let (sums, wholes) = rest.split_at_mut(runs);
        let (bytes, _) = bytemuck::cast_slice_mut::<f32, i8>(bytes).as_chunks_mut::<RUN>();
        let (wholes, _) = bytemuck::cast_slice_mut::<f32, i32>(wholes).as_chunks_mut::<2>();
        for (run, bytes) in bytes.iter_mut().enumerate() {
            scales[run] = round(&run_of(self.x, run), bytes);
            let mut halves = [0; 2];
            for (place, &byte) in bytes.iter().enumerate() {
                halves[place / 16] += i32::from(byte);
            }
            wholes[run] = halves;
            sums[run] = (halves[0] + halves[1]) as f32 * scales[run];
        }
    }
}

/// Rounds a run, and gives its scale: NaN where not all are finite. Compilers see to the vectors.
#[inline(always)]
fn round(x: &[f32; RUN], bytes: &mut [i8; RUN]) -> f32 {
    let most = largest(x);
    if !most.is_finite() || most < LEAST {
        bytes.fill(0);
        return if most.is_finite() { 0.0 } else { f32::NAN };
    }
    let inverse = 127.0 / most;
    for (byte, &x) in bytes.iter_mut().zip(x) {
        *byte = (x * inverse + BIG).to_bits() as i8;
    }
    most / 127.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_rounded_to_the_nearest_and_ties_to_even() {
        let mut x = [0.0; RUN];
        x[..6].copy_from_slice(&[-127.0, 0.5, 1.5, -2.5, 63.49, 1e-9]);
        let mut bytes = [9; RUN];
        assert_eq!(round(&x, &mut bytes), 1.0);
        assert_eq!(bytes[..7], [-127, 0, 2, -2, 63, 0, 0]);
    }

    #[test]
    fn what_is_not_finite_makes_its_scale_so_and_what_is_tiny_is_zero() {
        for (x, scale) in [(f32::NAN, f32::NAN), (f32::INFINITY, f32::NAN), (1e-31, 0.0), (0.0, 0.0)] {
            let mut bytes = [9; RUN];
            let ours = round(&[x; RUN], &mut bytes);
            assert!(ours == scale || ours.is_nan() && scale.is_nan(), "{x}: {ours}");
            assert_eq!(bytes, [0; RUN]);
        }
    }
}
