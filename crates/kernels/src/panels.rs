//! The two products of attention over a cache that is laid out for them: keys in panels of 32 positions, so that
//! scores need no sum across a register, and values in panels of 32 features. A panel is one stream of two [`Lane`]s
//! for each feature or position, which is what the memory gives fastest.

use half::bf16;

use crate::Backend;
use crate::register;
use crate::simd::{CHUNK, Kernel, Left, Out, Right, Simd, Write};

/// Floats of one [`Lane`].
pub const LANES: usize = 16;

/// Lanes of a panel, side by side: 32 positions of keys, or 32 features of values.
pub const PANEL: usize = 2;

/// Rows that one call of [`Backend::key_scores`] or [`Backend::value_sums`] takes at most.
pub const PANEL_ROWS: usize = 32;

/// Elements that the depth of a product of bf16 is a multiple of; what a shorter one lacks is 0.
pub const BF16_DEPTH: usize = 2 * CHUNK;

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

/// Elements of a matrix, in the type that they are multiplied in; sums are f32 in both.
#[derive(Clone, Copy, Debug)]
pub enum Factors<'a> {
    /// f32.
    F32(&'a [f32]),
    /// bf16, in pairs of neighbours in depth: a sum takes both products of a pair at once.
    Bf16(&'a [bf16]),
}

/// A borrowed matrix `[rows, cols]`, its rows `stride` elements apart.
#[derive(Clone, Copy, Debug)]
pub struct Tile<'a> {
    /// The elements, from the first of the first row.
    pub values: Factors<'a>,
    /// Number of rows.
    pub rows: usize,
    /// Number of columns; a multiple of [`BF16_DEPTH`] for bf16.
    pub cols: usize,
    /// Elements from a row's start to the next one's: at least `cols`, and even for bf16.
    pub stride: usize,
}

impl Backend {
    /// `scores[i, 32p + l] = Σ_c queries[i, c] · keys[p, c, l]`, on the calling thread: queries `[rows, head_dim]`,
    /// keys `[panels][head_dim][2]` lanes, or with bf16 queries `[panels][head_dim / 2][2]` lanes of pairs; scores
    /// `[rows][lanes]`, overwritten. The second lane of the last panel may be left out. Each sum runs over c in
    /// ascending order, whatever the shapes; with AMX over those of each [`BF16_DEPTH`] first.
    ///
    /// # Panics
    /// Where the rows are none or more than [`PANEL_ROWS`], or the shapes don't fit.
    #[track_caller]
    pub fn key_scores(&self, queries: Tile<'_>, keys: &[Lane], scores: &mut [Lane]) {
        let left = Units::of(queries);
        let (rows, depth) = (left.rows, left.depth);
        let lanes = scores.len() / rows;
        let size = lanes.div_ceil(PANEL).checked_mul(PANEL * depth);
        let fits = lanes * rows == scores.len() && size == Some(keys.len());
        assert!(
            fits,
            "{rows} queries of {} features, {} keys, {} scores",
            queries.cols,
            keys.len(),
            scores.len()
        );
        let right = Panels { at: keys.as_ptr().cast(), row: PANEL * LANES, panel: PANEL * depth * LANES };
        self.call(Outer { lanes, left, right, out: scores, stride: lanes });
    }

    /// `sums[i, f] = Σ_j weights[i, j] · values[from + j, f]`, on the calling thread: weights `[rows, keys]`, sums
    /// `[rows][width]` lanes, overwritten; values `[panels][positions][2]` lanes, the last panel a single lane wide
    /// where the width is odd, or with bf16 weights `[panels][positions / 2][2]` lanes of pairs. Each sum runs over j
    /// in ascending order, whatever the shapes; with AMX over those of each [`BF16_DEPTH`] first.
    ///
    /// # Panics
    /// Where the rows are none or more than [`PANEL_ROWS`], the shapes don't fit, or `from` would part a pair.
    #[track_caller]
    pub fn value_sums(&self, weights: Tile<'_>, values: &[Lane], from: usize, sums: &mut [Lane]) {
        let left = Units::of(weights);
        let (rows, keys) = (left.rows, left.depth);
        let width = sums.len() / rows;
        let positions = values.len().checked_div(width).unwrap_or(0);
        let fits = [width * rows, width * positions] == [sums.len(), values.len()];
        assert!(fits, "{rows} × {} weights, {} values, {} sums", weights.cols, values.len(), sums.len());
        assert!(from.is_multiple_of(left.width), "values from {from} on would part a pair");
        let from = from / left.width;
        let within = width == 0 || from.checked_add(keys).is_some_and(|end| end <= positions);
        assert!(within, "{keys} values from {from} on, of {positions}");
        let whole = width - width % PANEL;
        for (first, lanes, side) in [(0, whole, PANEL), (whole, width - whole, 1)] {
            if lanes > 0 {
                let at = values[first * positions + from * side..].as_ptr().cast();
                let right = Panels { at, row: side * LANES, panel: positions * PANEL * LANES };
                self.call(Outer { lanes, left, right, out: &mut sums[first..], stride: width });
            }
        }
    }

    /// toᵢ ← fromᵢ, rounded to the nearest bf16, ties to even. Subnormal numbers may become 0.
    ///
    /// # Panics
    /// Where the lengths differ.
    #[track_caller]
    pub fn round(&self, from: &[f32], to: &mut [bf16]) {
        assert_eq!(from.len(), to.len(), "slices of {} and {} elements", from.len(), to.len());
        self.call(Round { from, to });
    }
}

/// The left operand in units of 32 bits.
#[derive(Clone, Copy)]
struct Units {
    at: *const f32,
    /// Elements of a unit.
    width: usize,
    rows: usize,
    depth: usize,
    stride: usize,
}

impl Units {
    /// The units of a tile, whose rows must be few, whole and within their slice.
    #[track_caller]
    fn of(Tile { values, rows, cols, stride }: Tile<'_>) -> Self {
        let (at, length, width, whole) = match values {
            Factors::F32(values) => (values.as_ptr(), values.len(), 1, 1),
            Factors::Bf16(values) => (values.as_ptr().cast(), values.len(), 2, BF16_DEPTH),
        };
        assert!((1..=PANEL_ROWS).contains(&rows), "{rows} rows, not 1 to {PANEL_ROWS}");
        let end = (rows - 1).checked_mul(stride).and_then(|start| start.checked_add(cols));
        let fits = end.is_some_and(|end| end <= length);
        assert!(fits, "[{rows}, {cols}] with stride {stride} over {length} elements");
        let whole = cols.is_multiple_of(whole) && stride.is_multiple_of(width);
        assert!(whole, "[{rows}, {cols}] with stride {stride} in bf16");
        Self { at, width, rows, depth: cols / width, stride: stride / width }
    }
}

/// Row d of panel p at `at + p·panel + d·row`.
#[derive(Clone, Copy)]
struct Panels {
    at: *const f32,
    row: usize,
    panel: usize,
}

/// The first `lanes` of each row of out, rows `stride` lanes apart, ← left `[rows, depth]` · right `[depth, lanes]`.
/// Whoever makes one has checked that they fit.
struct Outer<'a> {
    lanes: usize,
    left: Units,
    right: Panels,
    out: &'a mut [Lane],
    stride: usize,
}

impl Kernel for Outer<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        match self.left.width {
            1 => self.multiply::<S, register::Single<f32>>(simd),
            _ => self.multiply::<S, register::Pairs>(simd),
        }
    }
}

impl Outer<'_> {
    /// Cuts the rows into even groups that the registers hold, and the panels into pairs of vectors.
    #[inline(always)]
    fn multiply<S: Simd, U: register::Units<S>>(self, simd: S) {
        let Self { lanes, left, right, out, stride } = self;
        let (stride, vectors) = (stride * LANES, lanes * LANES / S::LANES);
        let height = left.rows.div_ceil(left.rows.div_ceil(U::ROWS));
        for row in (0..left.rows).step_by(height) {
            let shape = (height.min(left.rows - row), left.depth);
            let _ready = U::ready(simd, shape.0);
            for vector in (0..vectors).step_by(2) {
                let (panel, within) =
                    (vector * S::LANES / (PANEL * LANES), vector * S::LANES % (PANEL * LANES));
                // SAFETY: within the operands, whose shapes were checked. Where nothing is to be read the address may
                // lie beyond them.
                unsafe {
                    let left =
                        Left { at: left.at.wrapping_add(row * left.stride), row: left.stride, chunk: CHUNK };
                    let at = right.at.wrapping_add(panel * right.panel + within);
                    let right = Right { at, stride: right.row };
                    let at = out.as_mut_ptr().cast::<f32>().add(row * stride + vector * S::LANES);
                    let out = Out { at, stride, write: Write::Replace };
                    if vectors - vector > 1 {
                        U::tile::<2>(simd, shape, left, right, out);
                    } else {
                        U::tile::<1>(simd, shape, left, right, out);
                    }
                }
            }
        }
    }
}

struct Round<'a> {
    from: &'a [f32],
    to: &'a mut [bf16],
}

impl Kernel for Round<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let (from, from_rest) = self.from.split_at(self.from.len() - self.from.len() % (2 * S::LANES));
        let (to, to_rest) = self.to.split_at_mut(from.len());
        for (from, to) in from.chunks_exact(2 * S::LANES).zip(to.chunks_exact_mut(2 * S::LANES)) {
            // SAFETY: both are two vectors long, in f32 and in bf16.
            unsafe { simd.store(to.as_mut_ptr().cast(), simd.load_rounded(from.as_ptr())) };
        }
        from_rest.iter().zip(to_rest).for_each(|(from, to)| *to = bf16::from_f32(*from));
    }
}
