//! Rows of length one, as torch's `F.normalize` makes them.

use ndarray::{Array1, Array2, ArrayView2, Axis};

use crate::row::sum;

/// The least length that a row is divided by, so that a row of zeros stays one.
const LEAST: f64 = 1e-12;

/// 1 / max(‖x‖, 10⁻¹²): what a row is multiplied by to have length one.
///
/// A head whose rows are normalised can keep its stored weights and multiply its outputs by these factors.
pub fn unit_factor(x: &[f32]) -> f32 {
    sum(x, |value| value * value).sqrt().max(LEAST).recip() as f32
}

/// [`unit_factor`] of each row of `x`, `[rows, features]`.
pub fn unit_factors(x: ArrayView2<'_, f32>) -> Array1<f32> {
    x.map_axis(Axis(1), |row| match row.as_slice() {
        Some(row) => unit_factor(row),
        None => unit_factor(&row.to_vec()),
    })
}

/// Each row of `x`, `[rows, features]`, divided by max(‖row‖, 10⁻¹²).
pub fn unit_rows(x: ArrayView2<'_, f32>) -> Array2<f32> {
    &x * &unit_factors(x).insert_axis(Axis(1))
}
