//! Small f32 products over strided tiles: the two of attention.

use crate::Backend;

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
        for i in 0..q.rows {
            for j in 0..k.rows {
                s.values[i * s.stride + j] = self.dot(q.row(i), k.row(j));
            }
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
        for i in 0..p.rows {
            for j in 0..v.rows {
                let start = i * o.stride;
                self.axpy(p.values[i * p.stride + j], v.row(j), &mut o.values[start..start + v.cols]);
            }
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
