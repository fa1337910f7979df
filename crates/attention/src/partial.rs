//! Sums over a run of keys, which merge exactly with those of any other run.

use camelid_kernels::{Backend, LANES, Lane};
use ndarray::{ArrayView2, ArrayViewMut1};

use crate::cache::lanes;

/// Attention's sums over some of the keys, one row per query and head: m = max s, ℓ = Σ e^(s−m) and Σ e^(s−m)·v.
///
/// Two of them over disjoint runs merge to those of the union, in any grouping; [`Partial::finish`] divides. So one softmax can be
/// computed block by block, run by run, or on several machines.
#[derive(Clone, Debug)]
pub struct Partial {
    pub(crate) max: Vec<f32>,
    pub(crate) sum: Vec<f32>,
    pub(crate) value: Vec<Lane>,
    head_dim: usize,
}

impl Partial {
    /// The sums over no keys: m = −∞, the rest 0. Merging it changes nothing.
    pub fn empty(rows: usize, head_dim: usize) -> Self {
        Self {
            max: vec![f32::NEG_INFINITY; rows],
            sum: vec![0.0; rows],
            value: bytemuck::zeroed_vec(rows * lanes(head_dim)),
            head_dim,
        }
    }

    /// The largest score m of a row; −∞ where no key was seen.
    pub fn max(&self, row: usize) -> f32 {
        self.max[row]
    }

    /// Σ e^(s−m) of a row; 0 where no key was seen.
    pub fn sum(&self, row: usize) -> f32 {
        self.sum[row]
    }

    /// Adds the sums over other keys: both are brought to the larger maximum, then added.
    ///
    /// # Panics
    /// Where the two differ in shape.
    #[track_caller]
    pub fn merge(&mut self, other: &Self, backend: &Backend) {
        let (rows, width) = (self.sum.len(), lanes(self.head_dim));
        assert_eq!(
            [rows, self.head_dim],
            [other.sum.len(), other.head_dim],
            "sums of different [rows, head_dim]"
        );
        for row in 0..rows {
            if other.sum[row] == 0.0 {
                continue;
            }
            let max = self.max[row].max(other.max[row]);
            let (keep, gain) = (decay(self.max[row], max), decay(other.max[row], max));
            let span = row * width..(row + 1) * width;
            let value = bytemuck::cast_slice_mut(&mut self.value[span.clone()]);
            if keep != 1.0 {
                backend.scale(keep, value);
            }
            backend.axpy(gain, bytemuck::cast_slice(&other.value[span]), value);
            self.sum[row] = self.sum[row] * keep + other.sum[row] * gain;
            self.max[row] = max;
        }
    }

    /// Σ e^(s−m)·v ÷ Σ e^(s−m) of a row; zeros where no key was seen.
    ///
    /// # Panics
    /// Where `out` has not head_dim elements.
    #[track_caller]
    pub fn finish(&self, row: usize, out: ArrayViewMut1<'_, f32>) {
        assert_eq!(out.len(), self.head_dim, "{} places for {} features", out.len(), self.head_dim);
        let sum = if self.sum[row] == 0.0 { 1.0 } else { self.sum[row] };
        for (y, &x) in out.into_iter().zip(self.values().row(row)) {
            *y = x / sum;
        }
    }

    /// Puts the rows of another behind these.
    pub(crate) fn append(&mut self, other: Self) {
        self.max.extend(other.max);
        self.sum.extend(other.sum);
        self.value.extend(other.value);
    }

    /// Σ e^(s−m)·v, `[rows, head_dim up to a multiple of 16]`.
    fn values(&self) -> ArrayView2<'_, f32> {
        let shape = (self.sum.len(), lanes(self.head_dim) * LANES);
        ArrayView2::from_shape(shape, bytemuck::cast_slice(&self.value))
            .expect("one row of lanes for each sum")
    }
}

/// e^(from − to), where nothing (−∞) decays to 0 even from −∞.
fn decay(from: f32, to: f32) -> f32 {
    match from {
        _ if from == to => 1.0,
        f32::NEG_INFINITY => 0.0,
        _ => (from - to).exp(),
    }
}
