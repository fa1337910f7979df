//! What a packed panel of a weight is made from: elements as stored, or quantised blocks that are unpacked on the way.

use std::marker::PhantomData;
use std::ops::Range;

use crate::Backend;
use crate::blocks::unpack_steps;
use crate::register::{Single, Units, VECTORS};
use crate::rows::{Blocks, Rows};
use crate::simd::{Element, MOST_LANES, Simd};

use super::ahead::Lying;
use super::pack::{self, Panel};

/// A weight as packing reads it.
pub(super) trait Source<'a, S: Simd>: Copy {
    /// The units that it is packed as.
    type Units: Units<S>;

    /// This weight; it must be of the source's type.
    fn of(weight: Rows<'a>) -> Self;

    /// Packs the units `block` of some rows, `cols` elements each. `room` are [`UNPACKED`] places to work in.
    ///
    /// # Safety
    /// As of [`pack::weights`]; a block begins and ends with whole steps of the format.
    unsafe fn pack(
        self,
        how: (&Backend, S),
        rows: Range<usize>,
        shape: (usize, &Range<usize>),
        places: (*mut f32, *mut f32),
    );

    /// Where its bytes lie, and which bytes of a row are in some units of its depth.
    fn lying(self, cols: usize, units: &Range<usize>) -> (Lying, Range<usize>);
}

/// Places for one panel of a block that is unpacked before it is packed: `units` of each row.
pub(super) fn unpacked(units: usize) -> usize {
    VECTORS * MOST_LANES * units
}

/// Elements as stored.
pub(super) struct Plain<'a, U, E>(&'a [E], PhantomData<U>);

impl<U, E> Clone for Plain<'_, U, E> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<U, E> Copy for Plain<'_, U, E> {}

impl<'a, S: Simd, U: Units<S>> Source<'a, S> for Plain<'a, U, U::Weight> {
    type Units = U;

    fn of(weight: Rows<'a>) -> Self {
        Self(U::Weight::of(weight), PhantomData)
    }

    #[inline(always)]
    unsafe fn pack(
        self,
        (_, simd): (&Backend, S),
        rows: Range<usize>,
        (cols, block): (usize, &Range<usize>),
        (to, _): (*mut f32, *mut f32),
    ) {
        let panel = Panel { values: &self.0[rows.start * cols..rows.end * cols], rows: rows.len(), cols };
        // SAFETY: the caller's contract.
        unsafe { pack::weights::<S, U>(simd, panel, block.clone(), to) };
    }

    fn lying(self, cols: usize, units: &Range<usize>) -> (Lying, Range<usize>) {
        let size = size_of::<U::Weight>();
        let own = cols.min(units.start * U::WIDTH) * size..cols.min(units.end * U::WIDTH) * size;
        (Lying { at: self.0.as_ptr().cast(), stride: cols * size }, own)
    }
}

/// Quantised blocks. Which format they have is looked up row by row, so that the tiles are compiled once for all.
#[derive(Clone, Copy)]
pub(super) struct Quantised<'a>(Blocks, &'a [u8]);

impl<'a, S: Simd> Source<'a, S> for Quantised<'a> {
    type Units = Single<f32>;

    fn of(weight: Rows<'a>) -> Self {
        match weight {
            Rows::Blocks(blocks, bytes) => Self(blocks, bytes),
            Rows::F32(_) | Rows::Bf16(_) | Rows::F16(_) => Self(Blocks::Q8_0, &[]),
        }
    }

    #[inline(always)]
    unsafe fn pack(
        self,
        (backend, simd): (&Backend, S),
        rows: Range<usize>,
        (cols, block): (usize, &Range<usize>),
        (to, room): (*mut f32, *mut f32),
    ) {
        let (bytes, width) = (cols / self.0.numbers() * self.0.bytes(), block.len());
        // Depth is filled up to whole chunks, of which the last may lie beyond the columns.
        let there = width.min(cols - block.start);
        for (index, row) in rows.clone().enumerate() {
            let row = &self.1[row * bytes..(row + 1) * bytes];
            // SAFETY: a row has `cols` numbers, and there is room for `width` of each row of a panel.
            unsafe {
                unpack_steps(backend, self.0, row.as_ptr(), (block.start, there), room.add(index * width));
            }
        }
        // SAFETY: that many places have just been written, row by row; to pack them is the caller's contract.
        unsafe {
            let values = std::slice::from_raw_parts(room, rows.len() * width);
            let panel = Panel { values, rows: rows.len(), cols: width };
            pack::weights::<S, Single<f32>>(simd, panel, 0..width, to);
        }
    }

    fn lying(self, cols: usize, units: &Range<usize>) -> (Lying, Range<usize>) {
        let (numbers, bytes) = (self.0.numbers(), self.0.bytes());
        let within = |number: usize| cols.min(number) * bytes / numbers;
        let stride = cols / numbers * bytes;
        (Lying { at: self.1.as_ptr(), stride }, within(units.start)..within(units.end))
    }
}
