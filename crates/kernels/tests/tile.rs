//! The strided products of every instruction set against f64; what lies between the rows stays untouched.

use camelid_kernels::{Backend, Isa, Tile, TileMut};
use proptest::prelude::*;

mod noise;

use noise::noise;

/// A matrix with `gap` elements between its rows, filled without a pattern.
#[derive(Clone, Debug)]
struct Matrix {
    values: Vec<f32>,
    rows: usize,
    cols: usize,
    stride: usize,
}

impl Matrix {
    fn new(rows: usize, cols: usize, gap: usize, seed: u64) -> Self {
        let stride = cols + gap;
        let length = if rows == 0 { 0 } else { (rows - 1) * stride + cols };
        Self { values: noise(length, seed), rows, cols, stride }
    }

    fn tile(&self) -> Tile<'_> {
        Tile { values: &self.values, rows: self.rows, cols: self.cols, stride: self.stride }
    }

    fn tile_mut(&mut self) -> TileMut<'_> {
        TileMut { values: &mut self.values, rows: self.rows, cols: self.cols, stride: self.stride }
    }

    fn at(&self, row: usize, col: usize) -> f64 {
        f64::from(self.values[row * self.stride + col])
    }
}

/// Holds `after` to `before · keep + Σ terms` at every element, and to `before` between the rows.
fn check(
    before: &Matrix,
    after: &Matrix,
    keep: f64,
    terms: impl Fn(usize, usize) -> Vec<f64>,
) -> Result<(), String> {
    for (place, (old, new)) in before.values.iter().zip(&after.values).enumerate() {
        let (row, col) = (place / before.stride, place % before.stride);
        if col >= before.cols {
            if old != new {
                return Err(format!("the gap at ({row}, {col}) has changed"));
            }
            continue;
        }
        let mut terms = terms(row, col);
        terms.push(keep * f64::from(*old));
        let bound = 5e-7 * terms.iter().map(|term| term.abs()).sum::<f64>();
        let error = (f64::from(*new) - terms.iter().sum::<f64>()).abs();
        if error > bound {
            return Err(format!("error {error:e} over {bound:e} at ({row}, {col})"));
        }
    }
    Ok(())
}

/// Both products of attention: `queries` by `keys`, `depth` features, rows `gap` apart.
fn check_all([queries, keys, depth, gap]: [usize; 4]) -> Result<(), String> {
    for isa in Isa::available() {
        let backend = Backend::serial().with_isa(isa).expect("available");
        let (q, k, v) = (
            Matrix::new(queries, depth, gap, 1),
            Matrix::new(keys, depth, gap, 2),
            Matrix::new(keys, depth, gap, 3),
        );
        let before = Matrix::new(queries, keys, gap, 4);
        let mut scores = before.clone();
        backend.scores(q.tile(), k.tile(), &mut scores.tile_mut());
        let terms = |i, j| (0..depth).map(|c| q.at(i, c) * k.at(j, c)).collect();
        check(&before, &scores, 0.0, terms).map_err(|e| format!("{isa:?} scores: {e}"))?;
        let before = Matrix::new(queries, depth, gap, 5);
        let mut out = before.clone();
        backend.accumulate(scores.tile(), v.tile(), &mut out.tile_mut());
        let terms = |i, c| (0..keys).map(|j| scores.at(i, j) * v.at(j, c)).collect();
        check(&before, &out, 1.0, terms).map_err(|e| format!("{isa:?} accumulate: {e}"))?;
    }
    Ok(())
}

#[test]
fn sizes_of_real_heads() {
    for queries in [1, 2, 3, 4, 7, 64] {
        for depth in [64, 80, 128, 256] {
            check_all([queries, 75, depth, depth])
                .unwrap_or_else(|e| panic!("{queries} queries, {depth}: {e}"));
        }
    }
}

#[test]
fn the_smallest_of_each_kind() {
    check_all([2, 5, 19, 2]).unwrap_or_else(|e| panic!("{e}"));
    check_all([5, 9, 19, 2]).unwrap_or_else(|e| panic!("{e}"));
}

#[test]
fn more_depth_and_more_keys_than_are_packed_at_once() {
    check_all([13, 600, 300, 0]).unwrap_or_else(|e| panic!("{e}"));
    check_all([2, 600, 5, 1]).unwrap_or_else(|e| panic!("{e}"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn tiles_are_sums_of_products(shape in [0..40_usize, 0..90_usize, 0..90_usize, 0..5_usize]) {
        check_all(shape).map_err(TestCaseError::fail)?;
    }
}

#[test]
#[should_panic(expected = "[2, 3] × [4, 2]ᵀ into [2, 4]")]
fn shapes_that_do_not_fit_panic() {
    let (q, k, mut s) = (Matrix::new(2, 3, 0, 1), Matrix::new(4, 2, 0, 2), Matrix::new(2, 4, 0, 3));
    Backend::serial().scores(q.tile(), k.tile(), &mut s.tile_mut());
}

#[test]
#[should_panic(expected = "tile [3, 2] with stride 4 over 9 elements")]
fn a_tile_beyond_its_slice_panics() {
    let (p, mut o) = (Matrix::new(1, 3, 0, 1), Matrix::new(1, 2, 0, 2));
    let v = Tile { values: &[0.0; 9], rows: 3, cols: 2, stride: 4 };
    Backend::serial().accumulate(p.tile(), v, &mut o.tile_mut());
}
