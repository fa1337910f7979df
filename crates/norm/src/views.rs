//! The norms of `ndarray` views.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, ArrayViewMut1, ArrayViewMut2, ArrayViewMut3, Axis};

use crate::norm::Norm;
use crate::unit::unit_factor;

impl Norm {
    /// Normalises each row of `x`, `[tokens, features]`.
    ///
    /// # Panics
    /// If `x` has another number of features than the weight.
    #[track_caller]
    pub fn forward(&self, x: ArrayView2<'_, f32>) -> Array2<f32> {
        let mut y = Array2::zeros(x.raw_dim());
        self.check_features(x.dim());
        for (from, mut to) in x.outer_iter().zip(y.outer_iter_mut()) {
            to.assign(&from);
            edit(to, |row| self.normalise(row, 0));
        }
        y
    }

    /// Normalises each row of `x`, `[tokens, features]`, in place.
    ///
    /// # Panics
    /// If `x` has another number of features than the weight.
    #[track_caller]
    pub fn forward_in_place(&self, mut x: ArrayViewMut2<'_, f32>) {
        self.check_features(x.dim());
        for row in x.outer_iter_mut() {
            edit(row, |row| self.normalise(row, 0));
        }
    }

    /// Normalises each head of `x`, `[tokens, heads, head_dim]`, by itself and in place: the norm of queries
    /// and keys.
    ///
    /// A weight of `head_dim` elements is shared by all heads; one of `heads · head_dim` elements, head after
    /// head, gives each head its own. A norm over all heads at once is [`forward_in_place`](Self::forward_in_place)
    /// on `[tokens, heads · head_dim]`.
    ///
    /// # Panics
    /// If the weight has neither length.
    #[track_caller]
    pub fn forward_heads(&self, mut x: ArrayViewMut3<'_, f32>) {
        let (tokens, heads, head_dim) = x.dim();
        let shared = self.features() == head_dim;
        assert!(
            shared || self.features() == heads * head_dim,
            "norm weight has {} elements, x is [{tokens}, {heads}, {head_dim}]",
            self.features()
        );
        for (head, mut rows) in x.axis_iter_mut(Axis(1)).enumerate() {
            let start = if shared { 0 } else { head * head_dim };
            for row in rows.outer_iter_mut() {
                edit(row, |row| self.normalise(row, start));
            }
        }
    }

    #[track_caller]
    fn check_features(&self, (tokens, features): (usize, usize)) {
        assert!(
            features == self.features(),
            "norm weight has {} elements, x is [{tokens}, {features}]",
            self.features()
        );
    }
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

/// Hands a row to `edit` as a slice, by way of a copy where its elements do not lie side by side.
fn edit(mut row: ArrayViewMut1<'_, f32>, edit: impl FnOnce(&mut [f32])) {
    if let Some(slice) = row.as_slice_mut() {
        edit(slice);
    } else {
        let mut copy = row.to_vec();
        edit(&mut copy);
        row.assign(&ArrayView1::from(&copy));
    }
}
