//! How far two tables of numbers are apart, and in which of their parts.

use ndarray::{ArrayView1, ArrayView2, Axis, Slice, Zip};
use serde::Serialize;

/// The largest error of a reference's values that is rounding: beyond it the reference computes something else.
pub(crate) const NOISE: f64 = 1e-4;

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
    pub fn between<A: Copy + Into<f64>, B: Copy + Into<f64>>(
        ours: ArrayView2<'_, A>,
        reference: ArrayView2<'_, B>,
    ) -> Distance {
        assert_eq!(ours.dim(), reference.dim(), "tables of different shapes are not compared");
        let (mut max_abs, mut scale) = (0f64, 0f64);
        Zip::from(ours).and(reference).for_each(|ours, reference| {
            let reference: f64 = (*reference).into();
            let apart = ((*ours).into() - reference).abs();
            max_abs = max_abs.max(if apart.is_nan() { f64::INFINITY } else { apart });
            scale = scale.max(reference.abs());
        });
        let relative = if scale > 0.0 { max_abs / scale } else { max_abs };
        Distance { max_abs, relative: if relative.is_nan() { f64::INFINITY } else { relative } }
    }
}

/// Which tokens of a table differ, and which heads of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Spread {
    /// Tokens in the table.
    pub(crate) of: usize,
    /// Those that differ.
    pub(crate) tokens: Vec<usize>,
    /// Heads that differ, where the features are heads; and how many there are.
    pub(crate) heads: Option<(Vec<usize>, usize)>,
}

impl Spread {
    /// Where ours is further from theirs than `tolerance` times the largest value.
    pub(crate) fn of(ours: ArrayView2<'_, f64>, theirs: ArrayView2<'_, f64>, tolerance: f64) -> Spread {
        let limit = tolerance * theirs.iter().fold(0.0, |most: f64, x| most.max(x.abs()));
        let apart = |a: &f64, b: &f64| (a - b).is_nan() || (a - b).abs() > limit;
        let differs =
            |a: ArrayView1<'_, f64>, b: ArrayView1<'_, f64>| a.iter().zip(b).any(|(a, b)| apart(a, b));
        let tokens = (0..ours.nrows()).filter(|token| differs(ours.row(*token), theirs.row(*token)));
        Spread { of: ours.nrows(), tokens: tokens.collect(), heads: None }
    }

    /// The same for features that are `heads` heads side by side.
    pub(crate) fn of_heads(
        ours: ArrayView2<'_, f64>,
        theirs: ArrayView2<'_, f64>,
        tolerance: f64,
        heads: usize,
    ) -> Spread {
        let size = ours.ncols() / heads;
        let part = |head: usize| Slice::from(head * size..(head + 1) * size);
        let limit = tolerance * theirs.iter().fold(0.0, |most: f64, x| most.max(x.abs()));
        let differs = |head: &usize| {
            let (ours, theirs) =
                (ours.slice_axis(Axis(1), part(*head)), theirs.slice_axis(Axis(1), part(*head)));
            ours.iter().zip(theirs).any(|(a, b)| (a - b).is_nan() || (a - b).abs() > limit)
        };
        let which = (0..heads).filter(differs).collect();
        Spread { heads: Some((which, heads)), ..Spread::of(ours, theirs, tolerance) }
    }

    /// `from token 12 on, all heads`; `every token, head 3`.
    pub(crate) fn words(&self) -> String {
        let tokens = match self.tokens[..] {
            [] => "no token".to_owned(),
            _ if self.tokens.len() == self.of => "every token".to_owned(),
            [only] => format!("token {only} alone"),
            [first, ..] if self.tokens.len() == self.of - first => format!("from token {first} on"),
            [first, ..] => format!("{} of {} tokens, from token {first}", self.tokens.len(), self.of),
        };
        match &self.heads {
            Some((which, all)) if which.len() == *all => format!("{tokens}, all heads"),
            Some((which, _)) if !which.is_empty() => {
                let which: Vec<_> = which.iter().map(ToString::to_string).collect();
                let noun = if which.len() == 1 { "head" } else { "heads" };
                format!("{tokens}, {noun} {}", which.join(", "))
            }
            Some(_) | None => tokens,
        }
    }
}

/// c where ours is c × theirs throughout, if c is not 1: within `tolerance` of the largest value.
pub(crate) fn factor(ours: ArrayView2<'_, f64>, theirs: ArrayView2<'_, f64>, tolerance: f64) -> Option<f64> {
    let product: f64 = ours.iter().zip(theirs).map(|(a, b)| a * b).sum();
    let square: f64 = theirs.iter().map(|b| b * b).sum();
    let c = product / square;
    let scaled = theirs.mapv(|b| c * b);
    let fits = c.is_finite() && Distance::between(ours, scaled.view()).relative <= tolerance;
    (fits && (c - 1.0).abs() > tolerance).then_some(c)
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

    #[test]
    fn tokens_and_heads_that_differ_are_told_in_words() {
        let theirs = array![[1.0, 1.0, 1.0, 1.0], [1.0, 1.0, 1.0, 1.0], [1.0, 1.0, 1.0, 1.0]];
        let check = |at: &[(usize, usize)], expected: &str| {
            let mut ours = theirs.clone();
            at.iter().for_each(|at| ours[[at.0, at.1]] = 2.0);
            let spread = Spread::of_heads(ours.view(), theirs.view(), 1e-5, 2);
            assert_eq!(spread.words(), expected, "{at:?}");
        };
        check(&[(1, 0), (2, 3)], "from token 1 on, all heads");
        check(&[(1, 2)], "token 1 alone, head 1");
        check(&[(0, 0), (2, 0)], "2 of 3 tokens, from token 0, head 0");
        check(&[(0, 0), (1, 0), (2, 1)], "every token, head 0");
    }

    #[test]
    fn one_factor_throughout_is_found_and_no_other() {
        let theirs = array![[1.0, -2.0], [3.0, 4.0]];
        let found = factor(theirs.mapv(|x| 1.5 * x).view(), theirs.view(), 1e-9);
        assert!(found.is_some_and(|c| (c - 1.5).abs() < 1e-12));
        assert_eq!(factor(theirs.view(), theirs.view(), 1e-9), None);
        assert_eq!(factor(array![[1.5, -2.0], [3.0, 4.0]].view(), theirs.view(), 1e-9), None);
    }
}
