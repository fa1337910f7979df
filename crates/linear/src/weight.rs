//! A matrix over shared bytes, in the type it is stored in.

use std::ops::Range;

use bytemuck::Pod;
use bytes::Bytes;
use camelid_kernels::{Dtype, Rows};
use half::{bf16, f16};

/// Why bytes are not the matrix they are said to be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The number of bytes differs from what `rows · cols` elements take.
    #[error("{found} bytes for a matrix [{rows}, {cols}] of {dtype:?}, which takes {expected}")]
    Length {
        /// Rows asked for.
        rows: usize,
        /// Columns asked for.
        cols: usize,
        /// Element type asked for.
        dtype: Dtype,
        /// Bytes that such a matrix takes.
        expected: usize,
        /// Bytes given.
        found: usize,
    },
    /// A row is no whole number of the blocks that quantised elements stand in.
    #[error("a row of {cols} elements is no whole number of blocks of {dtype:?}, which hold {block} each")]
    Row {
        /// Columns asked for.
        cols: usize,
        /// Element type asked for.
        dtype: Dtype,
        /// Elements of a block.
        block: usize,
    },
    /// The matrix would have more bytes than can be addressed.
    #[error("a matrix [{rows}, {cols}] of {dtype:?} is too large")]
    Overflow {
        /// Rows asked for.
        rows: usize,
        /// Columns asked for.
        cols: usize,
        /// Element type asked for.
        dtype: Dtype,
    },
}

/// A matrix `[rows, cols]`, row-major, over shared bytes (a slice of a mapped file, say) in a stored type.
/// Cloning and [`Weight::slice_rows`] share the bytes.
#[derive(Clone, Debug)]
pub struct Weight {
    /// Aligned for `dtype`, in the machine's byte order (blocks as they are in files), `rows · cols` elements.
    bytes: Bytes,
    dtype: Dtype,
    rows: usize,
    cols: usize,
}

impl Weight {
    /// The matrix in little-endian `bytes`. They are used in place where they are aligned for `dtype`, else copied.
    ///
    /// # Errors
    /// Where their number is not that of `rows · cols` elements, or a row is no whole number of quantised blocks.
    pub fn new(bytes: Bytes, dtype: Dtype, rows: usize, cols: usize) -> Result<Self, Error> {
        let (block, size) = dtype.block();
        if !cols.is_multiple_of(block) {
            return Err(Error::Row { cols, dtype, block });
        }
        let expected = rows
            .checked_mul(cols / block)
            .and_then(|blocks| blocks.checked_mul(size))
            .filter(|&size| size <= isize::MAX as usize)
            .filter(|_| rows.checked_mul(cols).is_some())
            .ok_or(Error::Overflow { rows, cols, dtype })?;
        let found = bytes.len();
        if found != expected {
            return Err(Error::Length { rows, cols, dtype, expected, found });
        }
        let aligned = bytes.as_ptr().align_offset(alignment(dtype)) == 0;
        let bytes =
            if aligned && cfg!(target_endian = "little") { bytes } else { aligned_copy(&bytes, dtype) };
        Ok(Self { bytes, dtype, rows, cols })
    }

    /// An f32 matrix of our own, copied from `values`, row by row.
    ///
    /// # Panics
    /// Where `values` has not `rows · cols` elements.
    #[track_caller]
    pub fn from_f32(rows: usize, cols: usize, values: &[f32]) -> Self {
        let fits = rows.checked_mul(cols) == Some(values.len());
        assert!(fits, "{} values for a matrix [{rows}, {cols}]", values.len());
        Self { bytes: Bytes::from_owner(Owned(values.to_vec())), dtype: Dtype::F32, rows, cols }
    }

    /// Number of rows: outputs of a layer, entries of an embedding.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of columns: inputs of a layer, width of an embedding.
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// The stored type.
    pub fn dtype(&self) -> Dtype {
        self.dtype
    }

    /// The elements, row by row, as stored.
    pub fn values(&self) -> Rows<'_> {
        match self.dtype {
            Dtype::F32 => Rows::F32(self.elements()),
            Dtype::Bf16 => Rows::Bf16(self.elements()),
            Dtype::F16 => Rows::F16(self.elements()),
            Dtype::Blocks(blocks) => Rows::Blocks(blocks, &self.bytes),
        }
    }

    /// Writes row `index` to `out`, widened to f32.
    ///
    /// # Panics
    /// Where there is no such row, or `out` has not as many elements as a row.
    #[track_caller]
    pub fn row(&self, index: usize, out: &mut [f32]) {
        assert!(index < self.rows, "row {index} of a matrix [{}, {}]", self.rows, self.cols);
        assert_eq!(out.len(), self.cols, "{} places for a row of {}", out.len(), self.cols);
        let range = index * self.cols..(index + 1) * self.cols;
        match self.values() {
            Rows::F32(values) => out.copy_from_slice(&values[range]),
            Rows::Bf16(values) => widen(&values[range], out),
            Rows::F16(values) => widen(&values[range], out),
            Rows::Blocks(blocks, bytes) => {
                let width = self.row_bytes();
                blocks.unpack(&bytes[index * width..(index + 1) * width], out);
            }
        }
    }

    /// The rows of `range`, sharing the bytes.
    ///
    /// # Panics
    /// Where `range` ends beyond the last row.
    #[track_caller]
    pub fn slice_rows(&self, range: Range<usize>) -> Self {
        self.check(&range);
        let width = self.row_bytes();
        let rows = range.len();
        let bytes =
            if rows == 0 { Bytes::new() } else { self.bytes.slice(range.start * width..range.end * width) };
        // An empty matrix has no address to be aligned.
        let bytes = if bytes.is_empty() { empty(self.dtype) } else { bytes };
        Self { bytes, rows, ..*self }
    }

    /// The rows of each of `ranges`, one after the other: what a layout packed per head or per group takes apart.
    /// Shares the bytes where the ranges follow one another, else copies.
    ///
    /// # Panics
    /// Where a range ends beyond the last row.
    #[track_caller]
    pub fn gather_rows(&self, ranges: &[Range<usize>]) -> Self {
        ranges.iter().for_each(|range| self.check(range));
        let filled: Vec<_> = ranges.iter().filter(|range| !range.is_empty()).collect();
        if let [first, .., last] | [first @ last] = &filled[..]
            && filled.windows(2).all(|pair| pair[0].end == pair[1].start)
        {
            return self.slice_rows(first.start..last.end);
        }
        let rows = filled.iter().map(|range| range.len()).sum();
        let bytes = match self.values() {
            Rows::F32(values) => gather(values, self.cols, &filled),
            Rows::Bf16(values) => gather(values, self.cols, &filled),
            Rows::F16(values) => gather(values, self.cols, &filled),
            Rows::Blocks(_, bytes) => gather(bytes, self.row_bytes(), &filled),
        };
        Self { bytes, rows, ..*self }
    }

    /// The transposed matrix `[cols, rows]`, copied: for weights stored `[in, out]`. Quantised blocks, which lie along
    /// rows, become f32.
    pub fn transposed(&self) -> Self {
        let (bytes, dtype) = match self.values() {
            Rows::F32(values) => (transpose(values, self.rows, self.cols), self.dtype),
            Rows::Bf16(values) => (transpose(values, self.rows, self.cols), self.dtype),
            Rows::F16(values) => (transpose(values, self.rows, self.cols), self.dtype),
            Rows::Blocks(blocks, bytes) => {
                let mut values = vec![0.0_f32; self.rows * self.cols];
                blocks.unpack(bytes, &mut values);
                (transpose(&values, self.rows, self.cols), Dtype::F32)
            }
        };
        Self { bytes, dtype, rows: self.cols, cols: self.rows }
    }

    fn row_bytes(&self) -> usize {
        let (block, size) = self.dtype.block();
        self.cols / block * size
    }

    fn elements<T: Pod>(&self) -> &[T] {
        bytemuck::cast_slice(&self.bytes)
    }

    #[track_caller]
    fn check(&self, range: &Range<usize>) {
        let fits = range.start <= range.end && range.end <= self.rows;
        assert!(fits, "rows {range:?} of a matrix [{}, {}]", self.rows, self.cols);
    }
}

/// Elements that own themselves, aligned by their type.
struct Owned<T>(Vec<T>);

impl<T: Pod> AsRef<[u8]> for Owned<T> {
    fn as_ref(&self) -> &[u8] {
        bytemuck::cast_slice(&self.0)
    }
}

fn owned<T: Pod + Send>(values: Vec<T>) -> Bytes {
    Bytes::from_owner(Owned(values))
}

fn empty(dtype: Dtype) -> Bytes {
    match dtype {
        Dtype::F32 => owned::<f32>(Vec::new()),
        Dtype::Bf16 | Dtype::F16 => owned::<u16>(Vec::new()),
        Dtype::Blocks(_) => Bytes::new(),
    }
}

/// What an address must be a multiple of. Blocks are read byte by byte.
fn alignment(dtype: Dtype) -> usize {
    match dtype {
        Dtype::F32 => 4,
        Dtype::Bf16 | Dtype::F16 => 2,
        Dtype::Blocks(_) => 1,
    }
}

/// The little-endian elements of `bytes`, at an address that suits them, in the machine's byte order.
fn aligned_copy(bytes: &[u8], dtype: Dtype) -> Bytes {
    match dtype {
        Dtype::F32 => owned(bytes.as_chunks().0.iter().map(|&four| u32::from_le_bytes(four)).collect()),
        Dtype::Bf16 | Dtype::F16 => {
            owned(bytes.as_chunks().0.iter().map(|&two| u16::from_le_bytes(two)).collect())
        }
        // Blocks keep the file's byte order.
        Dtype::Blocks(_) => Bytes::copy_from_slice(bytes),
    }
}

fn gather<T: Pod + Send>(values: &[T], cols: usize, ranges: &[&Range<usize>]) -> Bytes {
    owned(ranges.iter().flat_map(|range| &values[range.start * cols..range.end * cols]).copied().collect())
}

fn transpose<T: Pod + Send>(values: &[T], rows: usize, cols: usize) -> Bytes {
    let at = |index: usize| values[index % rows * cols + index / rows];
    owned((0..values.len()).map(at).collect())
}

/// The two half types, seen alike.
trait Half: Copy {
    fn widened(self) -> f32;
}

impl Half for bf16 {
    fn widened(self) -> f32 {
        self.to_f32()
    }
}

impl Half for f16 {
    fn widened(self) -> f32 {
        self.to_f32()
    }
}

fn widen<T: Half>(values: &[T], out: &mut [f32]) {
    for (out, value) in out.iter_mut().zip(values) {
        *out = value.widened();
    }
}
