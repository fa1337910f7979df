//! The two products of attention over a cache that is laid out for them: keys in panels of sixteen positions, so that
//! scores need no sum across a register, and values in rows of whole registers.

use crate::simd::{Kernel, Simd};
use crate::{Backend, Tile};

/// Floats of one [`Lane`]: positions of a key panel, or features of a value row.
pub const LANES: usize = 16;

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

impl Backend {
    /// `scores[i, 16p + l] = Σ_c queries[i, c] · keys[p, c][l]` for the panels of `keys`, on the calling thread: queries
    /// `[rows, head_dim]`, keys `[panels][head_dim]`, scores `[rows][panels]`, overwritten. Each sum runs over c in
    /// ascending order, whatever the shapes.
    ///
    /// # Panics
    /// Where the rows are none or more than [`PANEL_ROWS`], or the shapes don't fit.
    #[track_caller]
    pub fn key_scores(&self, queries: Tile<'_>, keys: &[Lane], scores: &mut [Lane]) {
        let (rows, head_dim) = check(queries);
        let panels = scores.len() / rows;
        let fits = panels * rows == scores.len() && panels.checked_mul(head_dim) == Some(keys.len());
        assert!(fits, "{rows} queries of {head_dim} features, {} keys, {} scores", keys.len(), scores.len());
        self.call(Outer {
            rows,
            depth: head_dim,
            lanes: panels,
            left: queries,
            right: Right { at: keys.as_ptr().cast(), depth: LANES, lane: head_dim * LANES },
            out: scores.as_mut_ptr().cast(),
        });
    }

    /// `sums[i] = Σ_j weights[i, j] · values[j]`, on the calling thread: weights `[rows, keys]`, values `[keys][width]`,
    /// sums `[rows][width]`, overwritten. Each sum runs over j in ascending order, whatever the shapes.
    ///
    /// # Panics
    /// Where the rows are none or more than [`PANEL_ROWS`], or the shapes don't fit.
    #[track_caller]
    pub fn value_sums(&self, weights: Tile<'_>, values: &[Lane], sums: &mut [Lane]) {
        let (rows, keys) = check(weights);
        let width = sums.len() / rows;
        let fits = width * rows == sums.len() && width.checked_mul(keys) == Some(values.len());
        assert!(fits, "{rows} × {keys} weights, {} values, {} sums", values.len(), sums.len());
        self.call(Outer {
            rows,
            depth: keys,
            lanes: width,
            left: weights,
            right: Right { at: values.as_ptr().cast(), depth: width * LANES, lane: LANES },
            out: sums.as_mut_ptr().cast(),
        });
    }
}

/// The shape of a left operand, whose rows must be few and within their slice.
#[track_caller]
fn check(Tile { values, rows, cols, stride }: Tile<'_>) -> (usize, usize) {
    assert!((1..=PANEL_ROWS).contains(&rows), "{rows} rows, not 1 to {PANEL_ROWS}");
    let end = (rows - 1).checked_mul(stride).and_then(|start| start.checked_add(cols));
    assert!(
        end.is_some_and(|end| end <= values.len()),
        "[{rows}, {cols}] with stride {stride} over {} elements",
        values.len()
    );
    (rows, cols)
}

/// Lane l of row d at `at + d·depth + l·lane`.
#[derive(Clone, Copy)]
struct Right {
    at: *const f32,
    depth: usize,
    lane: usize,
}

/// out `[rows][lanes]` ← left `[rows, depth]` · right `[depth, lanes]`; whoever makes one has checked the pointers.
struct Outer<'a> {
    rows: usize,
    depth: usize,
    lanes: usize,
    left: Tile<'a>,
    right: Right,
    out: *mut f32,
}

impl Kernel for Outer<'_> {
    type Output = ();

    /// Cuts the rows into even groups that the registers hold, and the lanes into pairs of vectors.
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let groups = self.rows.div_ceil(S::TILE_ROWS);
        let height = self.rows.div_ceil(groups);
        let (vectors, per_lane) = (self.lanes * LANES / S::LANES, LANES / S::LANES);
        // Two vectors of one lane lie side by side; where a vector is a whole lane, they lie in two lanes.
        let apart = if per_lane == 1 { self.right.lane } else { S::LANES };
        for row in (0..self.rows).step_by(height) {
            let rows = height.min(self.rows - row);
            // SAFETY: within the operands, whose shapes were checked; `out` is borrowed by the caller.
            unsafe {
                let left = (self.left.values.as_ptr().add(row * self.left.stride), self.left.stride);
                let mut vector = 0;
                while vector < vectors {
                    let start = vector / per_lane * self.right.lane + vector % per_lane * S::LANES;
                    let right =
                        Right { at: self.right.at.wrapping_add(start), depth: self.right.depth, lane: apart };
                    let out = self.out.add(row * self.lanes * LANES + vector * S::LANES);
                    if vector + 2 <= vectors {
                        tile::<S, 2>(simd, (rows, self.depth), left, right, (out, self.lanes * LANES));
                        vector += 2;
                    } else {
                        tile::<S, 1>(simd, (rows, self.depth), left, right, (out, self.lanes * LANES));
                        vector += 1;
                    }
                }
            }
        }
    }
}

/// One register tile: `rows` rows of `N` vectors over the whole depth.
///
/// # Safety
/// The operands can be read and `out` can be written; rows of `left` and `out` are as far apart as their second number says.
#[inline(always)]
unsafe fn tile<S: Simd, const N: usize>(
    simd: S,
    (rows, depth): (usize, usize),
    left: (*const f32, usize),
    right: Right,
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
    right: Right,
    (out, stride): (*mut f32, usize),
) {
    let mut sums = [[simd.splat(0.0); N]; R];
    // SAFETY: the caller's contract.
    unsafe {
        for d in 0..depth {
            let mut vectors = [simd.splat(0.0); N];
            for (vector, lanes) in vectors.iter_mut().enumerate() {
                *lanes = simd.load(right.at.add(d * right.depth + vector * right.lane));
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
                simd.store(out.add(row * stride + vector * S::LANES), sum);
            }
        }
    }
}
