//! The two products of attention over a cache that is laid out for them: keys in panels of 32 positions, so that
//! scores need no sum across a register, and values in panels of 32 features. A panel is one stream of two [`Lane`]s
//! for each feature or position, which is what the memory gives fastest.

use crate::Backend;
use crate::simd::{Kernel, Simd};

/// Floats of one [`Lane`].
pub const LANES: usize = 16;

/// Lanes of a panel, side by side: 32 positions of keys, or 32 features of values.
pub const PANEL: usize = 2;

/// Rows that one call of [`Backend::key_scores`] or [`Backend::value_sums`] takes at most.
pub const PANEL_ROWS: usize = 8;

/// Sixteen floats on a cache line of their own.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[repr(C, align(64))]
pub struct Lane(pub [f32; LANES]);

// SAFETY: all bits zero are sixteen zeros.
unsafe impl bytemuck::Zeroable for Lane {}
// SAFETY: 64 bytes of f32 aligned to 64, so without padding; any bits are floats; it is `Copy` and has no lifetime.
unsafe impl bytemuck::Pod for Lane {}

impl Lane {
    /// Sixteen zeros.
    pub const ZERO: Self = Self([0.0; LANES]);
}

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

impl Backend {
    /// `scores[i, 32p + l] = Σ_c queries[i, c] · keys[p, c, l]`, on the calling thread: queries `[rows, head_dim]`,
    /// keys `[panels][head_dim][2]` lanes, scores `[rows][lanes]`, overwritten. The second lane of the last panel may
    /// be left out. Each sum runs over c in ascending order, whatever the shapes.
    ///
    /// # Panics
    /// Where the rows are none or more than [`PANEL_ROWS`], or the shapes don't fit.
    #[track_caller]
    pub fn key_scores(&self, queries: Tile<'_>, keys: &[Lane], scores: &mut [Lane]) {
        let (rows, head_dim) = check(queries);
        let lanes = scores.len() / rows;
        let size = lanes.div_ceil(PANEL).checked_mul(PANEL * head_dim);
        let fits = lanes * rows == scores.len() && size == Some(keys.len());
        assert!(fits, "{rows} queries of {head_dim} features, {} keys, {} scores", keys.len(), scores.len());
        let right = Right { at: keys.as_ptr().cast(), row: PANEL * LANES, panel: PANEL * head_dim * LANES };
        self.call(Outer { depth: head_dim, lanes, left: queries, right, out: scores, stride: lanes });
    }

    /// `sums[i, f] = Σ_j weights[i, j] · values[from + j, f]`, on the calling thread: weights `[rows, keys]`, sums
    /// `[rows][width]` lanes, overwritten; values `[panels][positions][2]` lanes, the last panel a single lane wide
    /// where the width is odd. Each sum runs over j in ascending order, whatever the shapes.
    ///
    /// # Panics
    /// Where the rows are none or more than [`PANEL_ROWS`], or the shapes don't fit.
    #[track_caller]
    pub fn value_sums(&self, weights: Tile<'_>, values: &[Lane], from: usize, sums: &mut [Lane]) {
        let (rows, keys) = check(weights);
        let width = sums.len() / rows;
        let positions = values.len().checked_div(width).unwrap_or(0);
        let fits = [width * rows, width * positions] == [sums.len(), values.len()];
        assert!(fits, "{rows} × {keys} weights, {} values, {} sums", values.len(), sums.len());
        let within = width == 0 || from.checked_add(keys).is_some_and(|end| end <= positions);
        assert!(within, "{keys} values from {from} on, of {positions}");
        let whole = width - width % PANEL;
        for (first, lanes, side) in [(0, whole, PANEL), (whole, width - whole, 1)] {
            if lanes > 0 {
                let at = values[first * positions + from * side..].as_ptr().cast();
                let right = Right { at, row: side * LANES, panel: positions * PANEL * LANES };
                self.call(Outer {
                    depth: keys,
                    lanes,
                    left: weights,
                    right,
                    out: &mut sums[first..],
                    stride: width,
                });
            }
        }
    }
}

/// The shape of a left operand, whose rows must be few and within their slice.
#[track_caller]
fn check(Tile { values, rows, cols, stride }: Tile<'_>) -> (usize, usize) {
    assert!((1..=PANEL_ROWS).contains(&rows), "{rows} rows, not 1 to {PANEL_ROWS}");
    let end = (rows - 1).checked_mul(stride).and_then(|start| start.checked_add(cols));
    let fits = end.is_some_and(|end| end <= values.len());
    assert!(fits, "[{rows}, {cols}] with stride {stride} over {} elements", values.len());
    (rows, cols)
}

/// Row d of panel p at `at + p·panel + d·row`.
#[derive(Clone, Copy)]
struct Right {
    at: *const f32,
    row: usize,
    panel: usize,
}

/// The first `lanes` of each row of out, rows `stride` lanes apart, ← left `[rows, depth]` · right `[depth, lanes]`.
/// Whoever makes one has checked that they fit.
struct Outer<'a> {
    depth: usize,
    lanes: usize,
    left: Tile<'a>,
    right: Right,
    out: &'a mut [Lane],
    stride: usize,
}

impl Kernel for Outer<'_> {
    type Output = ();

    /// Cuts the rows into even groups that the registers hold, and the panels into pairs of vectors.
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let height = self.left.rows.div_ceil(self.left.rows.div_ceil(S::TILE_ROWS));
        for row in (0..self.left.rows).step_by(height) {
            let shape = (height.min(self.left.rows - row), self.depth);
            let stride = self.stride * LANES;
            for vector in (0..self.lanes * LANES / S::LANES).step_by(2) {
                let (panel, within) =
                    (vector * S::LANES / (PANEL * LANES), vector * S::LANES % (PANEL * LANES));
                // SAFETY: within the operands, whose shapes were checked. Where nothing is to be read the address may
                // lie beyond them.
                unsafe {
                    let left = (self.left.values.as_ptr().add(row * self.left.stride), self.left.stride);
                    let right =
                        (self.right.at.wrapping_add(panel * self.right.panel + within), self.right.row);
                    let out =
                        (self.out.as_mut_ptr().cast::<f32>().add(row * stride + vector * S::LANES), stride);
                    if vector + 2 <= self.lanes * LANES / S::LANES {
                        tile::<S, 2>(simd, shape, left, right, out);
                    } else {
                        tile::<S, 1>(simd, shape, left, right, out);
                    }
                }
            }
        }
    }
}

/// One register tile: `rows` rows of `N` vectors over the whole depth.
///
/// # Safety
/// The operands can be read and `out` can be written, their rows as far apart as their second number says.
#[inline(always)]
unsafe fn tile<S: Simd, const N: usize>(
    simd: S,
    (rows, depth): (usize, usize),
    left: (*const f32, usize),
    right: (*const f32, usize),
    out: (*mut f32, usize),
) {
    macro_rules! with_rows {
        ($($rows:literal)*) => {
            match rows {
                // SAFETY: the caller's contract.
                $($rows if $rows <= S::TILE_ROWS => unsafe { tile_of::<S, N, $rows>(simd, depth, left, right, out) },)*
                _ => debug_assert_eq!(rows, 0, "a group has at most {} rows", S::TILE_ROWS),
            }
        };
    }
    with_rows!(1 2 3 4 5 6 7 8);
}

/// # Safety
/// As [`tile`], with `R` rows.
#[inline(always)]
unsafe fn tile_of<S: Simd, const N: usize, const R: usize>(
    simd: S,
    depth: usize,
    left: (*const f32, usize),
    right: (*const f32, usize),
    out: (*mut f32, usize),
) {
    let mut sums = [[simd.splat(0.0); N]; R];
    // SAFETY: the caller's contract.
    unsafe {
        for d in 0..depth {
            let mut vectors = [simd.splat(0.0); N];
            for (vector, lanes) in vectors.iter_mut().enumerate() {
                *lanes = simd.load(right.0.add(d * right.1 + vector * S::LANES));
            }
            for (row, sums) in sums.iter_mut().enumerate() {
                let factor = simd.splat(*left.0.add(row * left.1 + d));
                for (sum, lanes) in sums.iter_mut().zip(vectors) {
                    *sum = simd.mul_add(factor, lanes, *sum);
                }
            }
        }
        for (row, sums) in sums.into_iter().enumerate() {
            for (vector, sum) in sums.into_iter().enumerate() {
                simd.store(out.0.add(row * out.1 + vector * S::LANES), sum);
            }
        }
    }
}
