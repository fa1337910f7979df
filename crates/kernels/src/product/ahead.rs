//! What will be needed is brought near while the multipliers are at work.

use std::ops::Range;

use crate::simd::Simd;

/// A cache line, in bytes.
const LINE: usize = 64;

/// How a weight lies in memory.
#[derive(Clone, Copy)]
pub(super) struct Lying {
    pub(super) at: *const u8,
    /// Bytes from row to row.
    pub(super) stride: usize,
}

/// A block of a weight: some rows, and some units of their depth.
pub(super) struct Block {
    pub(super) rows: Range<usize>,
    pub(super) units: Range<usize>,
}

/// Brings the block that is packed next near, a few lines with each tile: packing reads it by rows that lie far apart,
/// in no order that the machine would foresee.
pub(super) struct Ahead {
    /// Where the block begins in the row that is on.
    row: *const u8,
    /// Bytes from row to row.
    stride: usize,
    /// Bytes of a row in the block, and how many of them are done.
    bytes: usize,
    done: usize,
    rows: usize,
    /// Lines with each tile.
    lines: usize,
}

impl Ahead {
    /// The rows `rows` of a weight, of which the bytes `own` are in the block, in as many goes as there are `tiles`.
    pub(super) fn new(rows: Range<usize>, weight: Lying, own: Range<usize>, tiles: usize) -> Self {
        let bytes = own.len();
        let count = if bytes == 0 { 0 } else { rows.len() };
        Self {
            row: weight.at.wrapping_add(rows.start * weight.stride + own.start),
            stride: weight.stride,
            bytes,
            done: 0,
            rows: count,
            lines: (count * bytes.div_ceil(LINE)).div_ceil(tiles.max(1)),
        }
    }

    /// The lines of one tile.
    #[inline(always)]
    pub(super) fn fetch<S: Simd>(&mut self, simd: S) {
        for _ in 0..self.lines {
            if self.rows == 0 {
                return;
            }
            simd.prefetch(self.row.wrapping_add(self.done));
            self.done += LINE;
            if self.done >= self.bytes {
                (self.done, self.rows) = (0, self.rows - 1);
                self.row = self.row.wrapping_add(self.stride);
            }
        }
    }
}
