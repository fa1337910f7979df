//! The turn of `ndarray` views.

use ndarray::{ArrayView1, ArrayViewMut1, ArrayViewMut3};

use crate::{Pairing, Table};

impl Table {
    /// Turns the leading `2 × pairs` features of each head of `x`, `[tokens, heads, head_dim]`, in place.
    ///
    /// `x` may be any part of a larger array: some of the heads (to share the work among threads), or half of
    /// each head (two rotary axes: one table and one call for each half).
    ///
    /// # Panics
    /// If `x` has another number of tokens than the table, or heads too small for its pairs.
    #[track_caller]
    pub fn turn(&self, mut x: ArrayViewMut3<'_, f32>, pairing: Pairing) {
        let (tokens, heads, head_dim) = x.dim();
        assert!(
            tokens == self.tokens() && head_dim >= 2 * self.pairs(),
            "rotary table has {} tokens and {} pairs, x is [{tokens}, {heads}, {head_dim}]",
            self.tokens(),
            self.pairs()
        );
        for (token, mut heads) in x.outer_iter_mut().enumerate() {
            for head in heads.outer_iter_mut() {
                edit(head, |head| self.turn_head(head, token, pairing));
            }
        }
    }
}

/// Hands a head to `edit` as a slice, by way of a copy where its features do not lie side by side.
fn edit(mut head: ArrayViewMut1<'_, f32>, edit: impl FnOnce(&mut [f32])) {
    if let Some(slice) = head.as_slice_mut() {
        edit(slice);
    } else {
        let mut copy = head.to_vec();
        edit(&mut copy);
        head.assign(&ArrayView1::from(&copy));
    }
}
