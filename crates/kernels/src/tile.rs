//! Small f32 products over strided tiles: the two of attention.

use std::mem::MaybeUninit;

use crate::Backend;
use crate::product::pack::{self, Panel};
use crate::register::{CHUNK, Left, Out, Right, Single, VECTORS, WIDE_VECTORS, Write, tile};
use crate::simd::{Kernel, MOST_LANES, Simd};

/// A borrowed matrix `[rows, cols]`, its rows `stride` elements apart.
#[derive(Clone, Copy, Debug)]
pub struct Tile<'a> {
    /// The elements, from the first of the first row.
    pub values: &'a [f32],
    /// Number of rows.
    pub rows: usize,
    /// Number of columns.
    pub cols: usize,
    /// Elements from a row's start to the next one's; at least `cols`.
    pub stride: usize,
}

/// As [`Tile`], to be written.
#[derive(Debug)]
pub struct TileMut<'a> {
    /// The elements, from the first of the first row.
    pub values: &'a mut [f32],
    /// Number of rows.
    pub rows: usize,
    /// Number of columns.
    pub cols: usize,
    /// Elements from a row's start to the next one's; at least `cols`.
    pub stride: usize,
}

impl Backend {
    /// s ← q·kᵀ: `s[i, j] = Σ_c q[i, c] · k[j, c]`, on the calling thread.
    ///
    /// # Panics
    /// Where shapes don't fit each other or the slices.
    #[track_caller]
    pub fn scores(&self, q: Tile<'_>, k: Tile<'_>, s: &mut TileMut<'_>) {
        check(q);
        check(k);
        check(s.view());
        let fits = s.rows == q.rows && s.cols == k.rows && q.cols == k.cols;
        assert!(fits, "{:?} × {:?}ᵀ into {:?}", q.shape(), k.shape(), s.view().shape());
        if q.rows < WORTH_PACKING {
            self.call(FewScores { q, k, s });
        } else {
            self.call(ManyScores { q, k, s });
        }
    }

    /// o ← o + p·v: `o[i, c] += Σ_j p[i, j] · v[j, c]`, on the calling thread.
    ///
    /// # Panics
    /// Where shapes don't fit each other or the slices.
    #[track_caller]
    pub fn accumulate(&self, p: Tile<'_>, v: Tile<'_>, o: &mut TileMut<'_>) {
        check(p);
        check(v);
        check(o.view());
        let fits = o.rows == p.rows && o.cols == v.cols && p.cols == v.rows;
        assert!(fits, "{:?} × {:?} into {:?}", p.shape(), v.shape(), o.view().shape());
        self.call(Accumulate { p, v, o });
    }
}

/// From this number of queries on, keys are worth packing.
const WORTH_PACKING: usize = 4;

/// Depth packed at a time: a panel of it takes 32 KiB at most, on the stack.
const BLOCK: usize = 256;

/// Room for a panel.
#[repr(C, align(64))]
struct Buffer([MaybeUninit<f32>; BLOCK * VECTORS * MOST_LANES]);

impl Buffer {
    fn new() -> Self {
        Self([MaybeUninit::uninit(); BLOCK * VECTORS * MOST_LANES])
    }

    fn at(&mut self) -> *mut f32 {
        self.0.as_mut_ptr().cast()
    }
}

/// Dot products: each key is read once and meets all queries.
struct FewScores<'a, 's> {
    q: Tile<'a>,
    k: Tile<'a>,
    s: &'a mut TileMut<'s>,
}

impl Kernel for FewScores<'_, '_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) {
        match self.q.rows {
            1 => self.keys::<S, 1>(simd),
            2 => self.keys::<S, 2>(simd),
            3 => self.keys::<S, 3>(simd),
            _ => {}
        }
    }
}

impl FewScores<'_, '_> {
    #[inline(always)]
    fn keys<S: Simd, const R: usize>(&mut self, simd: S) {
        let (q, cols) = (self.q, self.q.cols);
        let whole = cols - cols % S::LANES;
        for j in 0..self.k.rows {
            let key = self.k.row(j).as_ptr();
            let mut sums = [simd.splat(0.0); R];
            // SAFETY: `check` has found every row of `cols` elements within its slice.
            unsafe {
                for at in (0..whole).step_by(S::LANES) {
                    let key = simd.load(key.add(at));
                    for (i, sum) in sums.iter_mut().enumerate() {
                        *sum = simd.mul_add(key, simd.load(q.values.as_ptr().add(i * q.stride + at)), *sum);
                    }
                }
                if whole < cols {
                    let key = simd.load_first(key.add(whole), cols - whole);
                    for (i, sum) in sums.iter_mut().enumerate() {
                        let q = simd.load_first(q.values.as_ptr().add(i * q.stride + whole), cols - whole);
                        *sum = simd.mul_add(key, q, *sum);
                    }
                }
            }
            for (i, &sum) in sums.iter().enumerate() {
                self.s.values[i * self.s.stride + j] = simd.sum(sum);
            }
        }
    }
}

/// Keys are packed panel by panel, and tiles of queries run over them.
struct ManyScores<'a, 's> {
    q: Tile<'a>,
    k: Tile<'a>,
    s: &'a mut TileMut<'s>,
}

impl Kernel for ManyScores<'_, '_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { q, k, s } = self;
        let (width, mut buffer) = (VECTORS * S::LANES, Buffer::new());
        for j in (0..k.rows).step_by(width) {
            let keys = width.min(k.rows - j);
            let panel =
                Panel { values: &k.values[j * k.stride..], rows: keys, cols: k.cols, stride: k.stride };
            for start in (0..q.cols.max(1)).step_by(BLOCK) {
                let depth = BLOCK.min(q.cols - start);
                let write = if start == 0 { Write::Replace } else { Write::Add };
                // SAFETY: the buffer has room for BLOCK rows, a multiple of any LANES.
                unsafe { pack::weights::<S, Single<f32>>(simd, panel, start..start + depth, buffer.at()) };
                let right = Right { at: buffer.at(), stride: width };
                for i in (0..q.rows).step_by(S::TILE_ROWS) {
                    let rows = S::TILE_ROWS.min(q.rows - i);
                    let left =
                        Left { at: q.values[i * q.stride + start..].as_ptr(), row: q.stride, chunk: CHUNK };
                    let at = s.values[i * s.stride + j..].as_mut_ptr();
                    let out = Out { at, stride: s.stride, cols: keys, write };
                    // SAFETY: `check` has found every row within its slice; the panel is packed for this depth.
                    unsafe { tile::<S, Single<f32>, VECTORS>(simd, (rows, depth), left, right, out) };
                }
            }
        }
    }
}

/// Tiles straight over the values, whose rows lie as a packed operand's do.
struct Accumulate<'a, 'o> {
    p: Tile<'a>,
    v: Tile<'a>,
    o: &'a mut TileMut<'o>,
}

impl Kernel for Accumulate<'_, '_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) {
        if self.v.rows == 0 {
            return;
        }
        let mut col = 0;
        while col < self.v.cols {
            let vectors = (self.v.cols - col) / S::LANES;
            let few = self.p.rows <= S::TILE_ROWS / 2;
            col += match vectors {
                0 => self.rest(simd, col),
                1 => self.columns::<S, 1>(simd, col),
                _ if few && vectors >= WIDE_VECTORS => self.columns::<S, WIDE_VECTORS>(simd, col),
                _ => self.columns::<S, VECTORS>(simd, col),
            };
        }
    }
}

impl Accumulate<'_, '_> {
    /// `N` vectors of columns from `col`; their number.
    #[inline(always)]
    fn columns<S: Simd, const N: usize>(&mut self, simd: S, col: usize) -> usize {
        let right = Right { at: self.v.values[col..].as_ptr(), stride: self.v.stride };
        self.tiles::<S, N>(simd, (0, self.v.rows), right, (col, N * S::LANES));
        N * S::LANES
    }

    /// The columns from `col` to the end, fewer than a vector: copied first, so that no read goes beyond the values.
    #[inline(always)]
    fn rest<S: Simd>(&mut self, simd: S, col: usize) -> usize {
        let (cols, mut buffer) = (self.v.cols - col, Buffer::new());
        for start in (0..self.v.rows).step_by(BLOCK) {
            let depth = BLOCK.min(self.v.rows - start);
            for row in 0..depth {
                let from = self.v.row(start + row)[col..].as_ptr();
                // SAFETY: `cols` elements can be read there; the buffer has room for BLOCK vectors.
                unsafe { simd.store(buffer.at().add(row * S::LANES), simd.load_first(from, cols)) };
            }
            let right = Right { at: buffer.at(), stride: S::LANES };
            self.tiles::<S, 1>(simd, (start, depth), right, (col, cols));
        }
        cols
    }

    /// All rows of p by the columns of `right`, over the depth `start .. start + depth`.
    #[inline(always)]
    fn tiles<S: Simd, const N: usize>(
        &mut self,
        simd: S,
        (start, depth): (usize, usize),
        right: Right,
        (col, cols): (usize, usize),
    ) {
        let (p, o) = (self.p, &mut *self.o);
        let most = S::TILE_ROWS * VECTORS / N.max(VECTORS);
        for i in (0..p.rows).step_by(most) {
            let left = Left { at: p.values[i * p.stride + start..].as_ptr(), row: p.stride, chunk: CHUNK };
            let at = o.values[i * o.stride + col..].as_mut_ptr();
            let out = Out { at, stride: o.stride, cols, write: Write::Add };
            // SAFETY: `check` has found every row within its slice; `right` has `depth` rows of N vectors.
            unsafe { tile::<S, Single<f32>, N>(simd, (most.min(p.rows - i), depth), left, right, out) };
        }
    }
}

impl<'a> Tile<'a> {
    fn row(&self, index: usize) -> &'a [f32] {
        &self.values[index * self.stride..][..self.cols]
    }

    fn shape(&self) -> [usize; 2] {
        [self.rows, self.cols]
    }
}

impl TileMut<'_> {
    fn view(&self) -> Tile<'_> {
        Tile { values: self.values, rows: self.rows, cols: self.cols, stride: self.stride }
    }
}

/// The last row must end within the slice, and rows must not overlap.
#[track_caller]
fn check(tile: Tile<'_>) {
    let fits = match tile.rows {
        0 => true,
        rows => (rows - 1)
            .checked_mul(tile.stride)
            .is_some_and(|start| tile.values.len().checked_sub(start).is_some_and(|rest| rest >= tile.cols)),
    };
    let shape = tile.shape();
    assert!(fits, "tile {shape:?} with stride {} over {} elements", tile.stride, tile.values.len());
    assert!(tile.rows < 2 || tile.stride >= tile.cols, "tile {shape:?} with stride {}", tile.stride);
}
