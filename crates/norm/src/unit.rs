//! Rows of length one, as torch's `F.normalize` makes them.

use crate::row::sum;

/// The least length that a row is divided by, so that a row of zeros stays one.
const LEAST: f64 = 1e-12;

/// 1 / max(‖x‖, 10⁻¹²): what a row is multiplied by to have length one.
///
/// A head whose rows are normalised can keep its stored weights and multiply its outputs by these factors.
pub fn unit_factor(x: &[f32]) -> f32 {
    sum(x, |value| value * value).sqrt().max(LEAST).recip() as f32
}
