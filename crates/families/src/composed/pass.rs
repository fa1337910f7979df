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
    /// Puts together what `make` gives for each sequence and what it has of its own, in the order of their rows. Sequences
    /// that bring a token each are shared among the threads, where there are enough of them.
    pub(crate) fn each<T: Send, D: RemoveAxis>(
        &self,
        own: &mut [T],
        make: impl Fn(&mut T, &Sequence) -> Array<f32, D> + Sync,
    ) -> Array<f32, D> {
        if let ([one], [own]) = (self.sequences, &mut *own) {
            return make(own, one);
        }
        let mut parts: Vec<_> = self.sequences.iter().zip(own).map(|(of, own)| (of, own, None)).collect();
        if self.one_by_one && parts.len() >= self.own.threads() {
            self.own.run_each(&mut parts, |_, (sequence, own, made)| *made = Some(make(own, sequence)));
        } else {
            parts.iter_mut().for_each(|(sequence, own, made)| *made = Some(make(own, sequence)));
        }
        let views: Vec<_> = parts.iter().filter_map(|(_, _, made)| Some(made.as_ref()?.view())).collect();
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
