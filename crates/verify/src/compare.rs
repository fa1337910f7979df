//! How far two tables of numbers are apart.

use ndarray::{ArrayView2, Zip};
use serde::Serialize;

/// The largest difference, and the same over the largest value of the reference.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Distance {
    /// max |ours − reference|.
    pub max_abs: f64,
    /// max |ours − reference| / max |reference|.
    pub relative: f64,
}

impl Distance {
    /// Of tables of equal shape. A number that is not finite on one side is infinitely far.
    ///
    /// # Panics
    /// If the shapes differ.
    #[track_caller]
    pub fn between<A: Copy + Into<f64>>(ours: ArrayView2<'_, A>, reference: ArrayView2<'_, f64>) -> Distance {
        assert_eq!(ours.dim(), reference.dim(), "tables of different shapes are not compared");
        let (mut max_abs, mut scale) = (0f64, 0f64);
        Zip::from(ours).and(reference).for_each(|ours, reference| {
            let apart = ((*ours).into() - reference).abs();
            max_abs = max_abs.max(if apart.is_nan() { f64::INFINITY } else { apart });
            scale = scale.max(reference.abs());
        });
        let relative = if scale > 0.0 { max_abs / scale } else { max_abs };
        Distance { max_abs, relative: if relative.is_nan() { f64::INFINITY } else { relative } }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn the_largest_difference_is_measured_against_the_largest_value() {
        let distance = Distance::between(
            array![[1.0f32, 2.0], [3.0, 4.5]].view(),
            array![[1.0, 2.0], [3.0, 4.0]].view(),
        );
        assert_eq!(distance, Distance { max_abs: 0.5, relative: 0.125 });
    }

    #[test]
    fn what_is_not_a_number_is_infinitely_far_wherever_it_stands() {
        for at in 0..3 {
            let mut ours = array![[1.0f64, 2.0, 3.0]];
            ours[[0, at]] = f64::NAN;
            let distance = Distance::between(ours.view(), array![[1.0, 2.0, 3.0]].view());
            assert_eq!(distance.relative, f64::INFINITY, "at {at}");
        }
    }
}
