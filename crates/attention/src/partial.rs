//! Sums over a run of keys, which merge exactly with those of any other run.

use camelid_kernels::{Backend, LANES, Lane};

use crate::cache::lanes;

/// Attention's sums over some of the keys, one row per query and head: m = max s, ℓ = Σ e^(s−m) and Σ e^(s−m)·v.
///
/// Two of them over disjoint runs merge to those of the union, in any grouping; [`Partial::finish`] divides. So one
/// softmax can be computed block by block, run by run, or on several machines.
#[derive(Clone, Debug)]
pub struct Partial {
    pub(crate) max: Vec<f32>,
    pub(crate) sum: Vec<f32>,
    /// `[rows]` of head_dim features on whole lanes; without meaning where the row's sum is 0.
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

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.sum.len()
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
        let shapes = [[self.rows(), self.head_dim], [other.rows(), other.head_dim]];
        assert_eq!(shapes[0], shapes[1], "sums of different [rows, head_dim]");
        for row in 0..self.rows() {
            if other.sum[row] == 0.0 {
                continue;
            }
            let span = row * lanes(self.head_dim)..(row + 1) * lanes(self.head_dim);
            let (value, added) = (&mut self.value[span.clone()], &other.value[span]);
            if self.sum[row] == 0.0 {
                value.copy_from_slice(added);
                (self.max[row], self.sum[row]) = (other.max[row], other.sum[row]);
                continue;
            }
            let max = self.max[row].max(other.max[row]);
            let (keep, gain) = ((self.max[row] - max).exp(), (other.max[row] - max).exp());
            let value = bytemuck::cast_slice_mut(value);
            if keep != 1.0 {
                backend.scale(keep, value);
            }
            backend.axpy(gain, bytemuck::cast_slice(added), value);
            self.sum[row] = self.sum[row] * keep + other.sum[row] * gain;
            self.max[row] = max;
        }
    }

    /// Σ e^(s−m)·v ÷ Σ e^(s−m) of a row; zeros where no key was seen.
    ///
    /// # Panics
    /// Where `out` has not head_dim elements.
    #[track_caller]
    pub fn finish(&self, row: usize, out: &mut [f32], backend: &Backend) {
        self.finish_beside(None, row, out, backend);
    }

    /// The same where one more score without a value, the sink, takes part in the sum: Σ e^(s−m)·v ÷ (Σ e^(s−m) + e^(sink−m)).
    ///
    /// # Panics
    /// Where `out` has not head_dim elements.
    #[track_caller]
    pub fn finish_beside(&self, sink: Option<f32>, row: usize, out: &mut [f32], backend: &Backend) {
        assert_eq!(out.len(), self.head_dim, "{} places for {} features", out.len(), self.head_dim);
        if self.sum[row] == 0.0 {
            return out.fill(0.0);
        }
        let start = row * lanes(self.head_dim) * LANES;
        let value: &[f32] = bytemuck::cast_slice(&self.value);
        out.copy_from_slice(&value[start..start + self.head_dim]);
        // A sink far above all scores is an infinite sum, and the result 0, as it should be.
        let beside = sink.map_or(0.0, |sink| (sink - self.max[row]).exp());
        backend.scale(1.0 / (self.sum[row] + beside), out);
    }

    /// Makes every row empty again.
    pub(crate) fn clear(&mut self) {
        self.max.fill(f32::NEG_INFINITY);
        self.sum.fill(0.0);
    }

    /// Puts the rows of another behind these.
    pub(crate) fn append(&mut self, other: Self) {
        self.max.extend(other.max);
        self.sum.extend(other.sum);
        self.value.extend(other.value);
    }
}
