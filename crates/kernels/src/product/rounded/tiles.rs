//! The same tiles with AMX: one instruction multiplies 16 tokens by 16 rows over a run. What takes the time is to scale its
//! sums, which happens while the next run is multiplied.

use crate::simd::{Bytes, amx};

use super::activations::{RUN, Rounded};
use super::format::Format;
use super::pack::Panel;
use super::tile::{MOST_ROWS, MOST_TOKENS, Sums};

/// Integers of a tile: `[token][row]`.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(super) struct Products([[i32; MOST_ROWS]; MOST_TOKENS]);

impl Products {
    /// Two, of nothing yet: one is written while the other is read.
    pub(super) fn pair() -> [Self; 2] {
        [Self([[0; MOST_ROWS]; MOST_TOKENS]); 2]
    }
}

/// Numbers that have one scale.
pub(super) const fn unit<F: Format>() -> usize {
    if F::SIXTEENS { RUN / 2 } else { RUN }
}

/// sums ← tokens · panel, as [`tile`](super::tile::tile) in order and to the bit, for `count` tokens from `first` on, at
/// most [`MOST_TOKENS`].
///
/// # Safety
/// Tiles were detected, and are configured for so many rows of [`unit`] bytes; the panel is [`MOST_ROWS`] wide and packed, with
/// signed bytes; the tokens are there.
#[inline(always)]
pub(super) unsafe fn tile<M: Bytes, F: Format>(
    m: M,
    (x, first, count): (Rounded<'_>, usize, usize),
    panel: Panel,
    (products, sums): (&mut [Products; 2], &mut Sums),
) {
    sums.0[..count].fill([0.0; MOST_ROWS]);
    let units = panel.runs * RUN / unit::<F>();
    let left = x.token(first).bytes.as_ptr();
    for next in 0..=units {
        // SAFETY: the caller's contract; a unit has as many bytes of each token, and as many rows of four of the panel.
        unsafe {
            if next < units {
                let left = left.wrapping_add(next * unit::<F>());
                let right = panel.quads(0).wrapping_add(next * unit::<F>() * MOST_ROWS);
                let out = products[next % 2].0.as_mut_ptr().cast();
                amx::multiply_bytes(count, (left, x.stride()), right, out);
            }
            if next > 0 {
                let done = &products[(next - 1) % 2];
                scaled::<M, F>(m, (x, first, count), (done, next - 1), panel, sums);
            }
        }
    }
}

/// Adds the products of a unit times the scales of both sides; after the last one of a run its offsets.
///
/// # Safety
/// As [`tile`].
#[inline(always)]
unsafe fn scaled<M: Bytes, F: Format>(
    m: M,
    (x, first, count): (Rounded<'_>, usize, usize),
    (products, unit): (&Products, usize),
    panel: Panel,
    sums: &mut Sums,
) {
    let run = if F::SIXTEENS { unit / 2 } else { unit };
    let (token, stride) = (x.token(first), x.stride() / size_of::<f32>());
    let (scales, offsets) = (token.scales[run..].as_ptr(), token.sums[run..].as_ptr());
    // SAFETY: the caller's contract; tokens lie `stride` places apart.
    unsafe {
        let own = panel.scales(unit);
        let own: [M::F; 2] = [m.load_floats(own), m.load_floats(own.add(16))];
        for nth in 0..count {
            let scale = m.splat(*scales.add(nth * stride));
            for (half, &own) in own.iter().enumerate() {
                let at = sums.0[nth].as_mut_ptr().add(16 * half);
                let product = m.to_float(m.load_ints(products.0[nth].as_ptr().add(16 * half)));
                m.store_floats(at, m.mul_add(product, m.mul(own, scale), m.load_floats(at)));
            }
        }
        if F::OFFSETS {
            let own = panel.offsets(run);
            let own: [M::F; 2] = [m.load_floats(own), m.load_floats(own.add(16))];
            for nth in 0..count {
                let offset = m.splat(*offsets.add(nth * stride));
                for (half, &own) in own.iter().enumerate() {
                    let at = sums.0[nth].as_mut_ptr().add(16 * half);
                    m.store_floats(at, m.mul_add(own, offset, m.load_floats(at)));
                }
            }
        }
    }
}
