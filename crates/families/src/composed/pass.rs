//! What all layers of one call share.

use std::ops::Range;

use camelid_kernels::Backend;
use ndarray::{Array, Array3, ArrayView, ArrayViewMut, Axis, Dimension, RemoveAxis, Slice};

use crate::composed::cache::Kept;
use crate::composed::rotary::Turns;

/// What all layers of one call share. The rows of several sequences stand one below the other: what is done row by row is
/// done for all at once.
pub(crate) struct Pass<'a> {
    /// Whose rows they are, in their order.
    pub(crate) sequences: &'a [Sequence],
    /// The embeddings that layers have of their own, `[tokens, layers, width]`.
    pub(crate) layered: Option<&'a Array3<f32>>,
    /// Whether products are summed for each token as for one alone.
    pub(crate) one_by_one: bool,
    /// For what is done for all rows.
    pub(crate) backend: &'a Backend,
    /// For what a sequence does by itself.
    pub(crate) own: &'a Backend,
}

/// The rows of one sequence.
pub(crate) struct Sequence {
    /// Its rows.
    pub(crate) rows: Range<usize>,
    /// The place of its first token.
    pub(crate) first: usize,
    /// Where its two-way prefix ends, if there is one.
    pub(crate) prefix: Option<usize>,
    /// For each distinct rotary setting.
    pub(crate) turns: Vec<Turns>,
}

/// What each sequence keeps, layer by layer.
pub(crate) type AllKept<'k> = [&'k mut [Kept]];

impl Pass<'_> {
    /// Puts together what `make` gives for each sequence, in the order of their rows.
    pub(crate) fn each<D: RemoveAxis>(
        &self,
        mut make: impl FnMut(usize, &Sequence) -> Array<f32, D>,
    ) -> Array<f32, D> {
        if let [one] = self.sequences {
            return make(0, one);
        }
        let parts: Vec<_> =
            self.sequences.iter().enumerate().map(|(index, sequence)| make(index, sequence)).collect();
        let views: Vec<_> = parts.iter().map(|part| part.view()).collect();
        ndarray::concatenate(Axis(0), &views).expect("parts of one shape, but for their rows")
    }
}

impl Sequence {
    /// Its rows of x.
    pub(crate) fn of<'x, D: Dimension>(&self, x: &'x Array<f32, D>) -> ArrayView<'x, f32, D> {
        x.slice_axis(Axis(0), Slice::from(self.rows.clone()))
    }

    /// Its rows of x, to be changed.
    pub(crate) fn of_mut<'x, D: Dimension>(&self, x: &'x mut Array<f32, D>) -> ArrayViewMut<'x, f32, D> {
        x.slice_axis_mut(Axis(0), Slice::from(self.rows.clone()))
    }
}
