//! Rows of a weight in the order that tiles read them.
//!
//! ```text
//! q        [depth / 4][row][4]        bytes; with a sign where tiles of AMX take them, else as blocks hold them
//! scales   [run][row]                 runs of 32 numbers, or of 16
//! offsets  [run of 32][row]           where there are any
//! ```

use std::ops::Range;

use crate::blocks::GROUP;
use crate::simd::Bytes;

use super::format::{Format, MOST_BYTES};

/// Rows that are packed at once.
pub(super) const ROWS: usize = 16;

/// Where a panel of some rows lies: [`Panel::places`] of 32 bits from `at` on.
#[derive(Clone, Copy)]
pub(super) struct Panel {
    pub(super) at: *mut f32,
    /// Rows, those that are only filled in among them: a multiple of [`ROWS`].
    pub(super) width: usize,
    /// Runs of 32 numbers, in whole groups.
    pub(super) runs: usize,
}

impl Panel {
    /// How many places a panel takes, whatever the format.
    pub(super) fn places(width: usize, runs: usize) -> usize {
        width * runs * (8 + 2 + 1)
    }

    /// q of a run of 32.
    pub(super) fn quads(self, run: usize) -> *mut u8 {
        self.at.wrapping_add(run * 8 * self.width).cast()
    }

    /// Scales of a run, of 32 or of 16 numbers.
    pub(super) fn scales(self, run: usize) -> *mut f32 {
        self.at.wrapping_add((self.runs * 8 + run) * self.width)
    }

    /// Offsets of a run of 32.
    pub(super) fn offsets(self, run: usize) -> *mut f32 {
        self.at.wrapping_add((self.runs * 10 + run) * self.width)
    }
}

/// Packs some rows of a weight, at most the panel's; those that it lacks are 0.
///
/// # Safety
/// The panel can be written.
#[inline(always)]
pub(super) unsafe fn pack<M: Bytes, F: Format, const SIGNED: bool>(
    m: M,
    (weight, row_bytes): (&[u8], usize),
    rows: Range<usize>,
    panel: Panel,
) {
    let mut spare = [[0; MOST_BYTES]; ROWS];
    for first in (0..panel.width).step_by(ROWS) {
        for group in 0..panel.runs * 32 / GROUP {
            let mut sources = [spare[0].as_ptr(); ROWS];
            for ((nth, source), spare) in sources.iter_mut().enumerate().zip(&mut spare) {
                let row = rows.start + first + nth;
                let own = if row < rows.end { &weight[row * row_bytes..(row + 1) * row_bytes] } else { &[] };
                *source = whole::<F>(own, group, spare);
            }
            // SAFETY: each source is a whole group, of zeros where there is none; the panel is the caller's contract.
            unsafe {
                line::<M, F, SIGNED, 0>(m, &sources, (first, group), panel);
                line::<M, F, SIGNED, 1>(m, &sources, (first, group), panel);
                line::<M, F, SIGNED, 2>(m, &sources, (first, group), panel);
                line::<M, F, SIGNED, 3>(m, &sources, (first, group), panel);
                scales::<M, F>(m, &sources, (first, group), panel);
            }
        }
    }
}

/// A group of a row; where the row ends within it, copied to `spare` and filled up with zeros.
#[inline(always)]
fn whole<F: Format>(row: &[u8], group: usize, spare: &mut [u8; MOST_BYTES]) -> *const u8 {
    if let Some(whole) = row.get(group * F::BYTES..(group + 1) * F::BYTES) {
        return whole.as_ptr();
    }
    let rest = &row[row.len().min(group * F::BYTES)..];
    spare[..rest.len()].copy_from_slice(rest);
    spare[rest.len()..].fill(0);
    spare.as_ptr()
}

/// Line `N` of a group of 16 rows.
///
/// # Safety
/// As [`pack`]; the groups can be read.
#[inline(always)]
unsafe fn line<M: Bytes, F: Format, const SIGNED: bool, const N: usize>(
    m: M,
    sources: &[*const u8; ROWS],
    (first, group): (usize, usize),
    panel: Panel,
) {
    // SAFETY: the caller's contract.
    unsafe {
        let mut square = [m.splat_byte(0); ROWS];
        for (q, &source) in square.iter_mut().zip(sources) {
            let own = F::line::<M, N>(m, source);
            *q = if SIGNED && F::ZERO > 0 { m.minus(own, F::ZERO) } else { own };
        }
        let to = panel.quads(group * 8 + N * 2).add(4 * first);
        m.store_transposed(&square, to, 4 * panel.width);
    }
}

/// The scales of a group of 16 rows.
///
/// # Safety
/// As [`line`].
#[inline(always)]
unsafe fn scales<M: Bytes, F: Format>(
    m: M,
    sources: &[*const u8; ROWS],
    (first, group): (usize, usize),
    panel: Panel,
) {
    let runs = if F::SIXTEENS { 16 } else { 8 };
    for (nth, &source) in sources.iter().enumerate() {
        let (mut scale, mut offset) = ([0.0; 16], [0.0; 8]);
        // SAFETY: the caller's contract; the arrays have room.
        unsafe {
            let scales = F::scales(m, source, GROUP / F::BLOCKS.numbers());
            m.store_eight(scale.as_mut_ptr(), scales.scale[0]);
            m.store_eight(scale.as_mut_ptr().add(8), scales.scale[1]);
            m.store_eight(offset.as_mut_ptr(), scales.offset);
            for (run, &scale) in scale.iter().enumerate().take(runs) {
                *panel.scales(group * runs + run).add(first + nth) = scale;
            }
            if F::OFFSETS {
                for (run, &offset) in offset.iter().enumerate() {
                    *panel.offsets(group * 8 + run).add(first + nth) = offset;
                }
            }
        }
    }
}
