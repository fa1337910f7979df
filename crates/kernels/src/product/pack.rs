//! Operands in the order that tiles read them.
//!
//! ```text
//! x  [tokens, depth]  →  per panel of ≤ TILE_ROWS tokens:  [depth / CHUNK][token][CHUNK]
//! W  [out, depth]     →  per panel of VECTORS·LANES rows:  [depth][row]
//! ```
//!
//! Depth is counted in units (see [`Units`]) and filled up with zeros to whole chunks.

use std::ops::Range;

use crate::register::{Units, VECTORS};
use crate::simd::{CHUNK, MOST_LANES, Simd};

/// Packs the units `block` of the activations `x` `[rows, cols]` of one panel.
///
/// # Safety
/// `to` has room for `rows · block.len()` units; `block` begins and ends with a chunk.
#[inline(always)]
pub(super) unsafe fn activations<S: Simd, U: Units<S>>(
    simd: S,
    x: &[f32],
    cols: usize,
    block: Range<usize>,
    to: *mut f32,
) {
    let rows = x.len() / cols;
    let mut filled = [0.0; 2 * CHUNK];
    for (index, chunk) in block.step_by(CHUNK).enumerate() {
        for (r, row) in x.chunks_exact(cols).enumerate() {
            let start = cols.min(chunk * U::WIDTH);
            let count = (cols - start).min(CHUNK * U::WIDTH);
            let mut from = row[start..].as_ptr();
            if count < CHUNK * U::WIDTH {
                filled[..count].copy_from_slice(&row[start..]);
                filled[count..].fill(0.0);
                from = filled.as_ptr();
            }
            for lane in (0..CHUNK).step_by(S::LANES) {
                // SAFETY: a whole chunk can be read at `from`, and the caller has room for it.
                unsafe {
                    let units = U::activations(simd, from.add(lane * U::WIDTH));
                    simd.store(to.add((index * rows + r) * CHUNK + lane), units);
                }
            }
        }
    }
}

/// Rows of a weight.
#[derive(Clone, Copy)]
pub(crate) struct Panel<'a, E> {
    pub(crate) values: &'a [E],
    pub(crate) rows: usize,
    pub(crate) cols: usize,
}

/// Packs the units `block` of one panel of a weight; rows that it lacks of `VECTORS · LANES` are 0.
///
/// # Safety
/// The panel's values are `rows · cols`; `to` has room for `block.len() · VECTORS · LANES` units; `block` begins with a chunk and is a multiple of `LANES`
/// long.
#[inline(always)]
pub(crate) unsafe fn weights<S: Simd, U: Units<S>>(
    simd: S,
    panel: Panel<'_, U::Weight>,
    block: Range<usize>,
    to: *mut f32,
) {
    let Panel { values, rows, cols } = panel;
    let (width, step) = (VECTORS * S::LANES, S::LANES * U::WIDTH);
    for vector in 0..VECTORS {
        for (index, unit) in block.clone().step_by(S::LANES).enumerate() {
            let start = cols.min(unit * U::WIDTH);
            let count = (cols - start).min(step);
            let first = vector * S::LANES;
            let mut square = [simd.splat(0.0); MOST_LANES];
            // SAFETY: each row has `count` elements from `start` on. A whole square stays in registers.
            unsafe {
                if count == step && first + S::LANES <= rows {
                    for (lane, units) in square.iter_mut().enumerate().take(S::LANES) {
                        *units = U::load(simd, values.as_ptr().add((first + lane) * cols + start));
                    }
                } else {
                    let there = rows.saturating_sub(first).min(S::LANES);
                    for (lane, units) in square.iter_mut().enumerate().take(there) {
                        let from = values.as_ptr().add((first + lane) * cols + start);
                        *units = U::load_first(simd, from, count);
                    }
                }
            }
            // SAFETY: the square lies within the panel, for which the caller has room.
            unsafe {
                simd.store_transposed(&square, to.add(index * S::LANES * width + vector * S::LANES), width);
            };
        }
    }
}
