//! What will be needed is brought near while the multipliers are at work.

use std::ops::Range;

use crate::simd::Simd;

/// A cache line, in bytes.
const LINE: usize = 64;

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
    /// `block` of the rows of `weight`, `cols` elements each, in as many goes as there are `tiles`; a unit has `width`
    /// elements.
    pub(super) fn new<E>(block: &Block, (weight, cols): (&[E], usize), width: usize, tiles: usize) -> Self {
        let size = size_of::<E>();
        let elements = cols.min(block.units.start * width)..cols.min(block.units.end * width);
        let bytes = elements.len() * size;
        let rows = if bytes == 0 { 0 } else { block.rows.len() };
        let first = (block.rows.start * cols + elements.start) * size;
        let lines = (rows * bytes.div_ceil(LINE)).div_ceil(tiles.max(1));
        Self {
            row: weight.as_ptr().cast::<u8>().wrapping_add(first),
            stride: cols * size,
            bytes,
            done: 0,
            rows,
            lines,
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
