//! The two products of attention over a cache that is laid out for them: keys in panels of sixteen positions, so that
//! scores need no sum across a register, and values in rows of whole registers.

use crate::{Backend, Tile};

/// Floats of one [`Lane`]: positions of a key panel, or features of a value row.
pub const LANES: usize = 16;

/// Rows that one call of [`Backend::key_scores`] or [`Backend::value_sums`] takes at most.
pub const PANEL_ROWS: usize = 8;

/// Sixteen floats on a cache line of their own.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[repr(C, align(64))]
pub struct Lane(pub [f32; LANES]);

// SAFETY: all bits zero are sixteen zeros.
unsafe impl bytemuck::Zeroable for Lane {}
// SAFETY: 64 bytes of f32 aligned to 64, so without padding; any bits are floats; it is `Copy` and has no lifetime.
unsafe impl bytemuck::Pod for Lane {}

impl Lane {
    /// Sixteen zeros.
    pub const ZERO: Self = Self([0.0; LANES]);
}

impl Backend {
    /// `scores[i, 16p + l] = Σ_c queries[c, i] · keys[p, c][l]` for `rows` queries and the panels of `keys`, on the calling
    /// thread: queries `[head_dim, rows]`, keys `[panels][head_dim]`, scores `[rows][panels]`, overwritten.
    ///
    /// # Panics
    /// Where `rows` is 0 or above [`PANEL_ROWS`], or the lengths don't fit.
    #[track_caller]
    pub fn key_scores(&self, queries: &[f32], rows: usize, keys: &[Lane], scores: &mut [Lane]) {
        assert!((1..=PANEL_ROWS).contains(&rows), "{rows} rows, not 1 to {PANEL_ROWS}");
        let head_dim = queries.len() / rows;
        let panels = scores.len() / rows;
        let fits =
            [head_dim * rows, panels * rows, panels * head_dim] == [queries.len(), scores.len(), keys.len()];
        assert!(fits, "{} queries, {} keys, {} scores, {rows} rows", queries.len(), keys.len(), scores.len());
        scores.fill(Lane::ZERO);
        if head_dim == 0 {
            return;
        }
        for (panel, keys) in keys.chunks_exact(head_dim).enumerate() {
            for (query, key) in queries.chunks_exact(rows).zip(keys) {
                for (row, q) in query.iter().enumerate() {
                    for (s, k) in scores[row * panels + panel].0.iter_mut().zip(key.0) {
                        *s += q * k;
                    }
                }
            }
        }
    }

    /// `sums[i] = Σ_j weights[i, j] · values[j]`, on the calling thread: weights `[rows, keys]`, values `[keys][width]`, sums
    /// `[rows][width]`, overwritten.
    ///
    /// # Panics
    /// Where the rows are none or more than [`PANEL_ROWS`], or the shapes don't fit.
    #[track_caller]
    pub fn value_sums(&self, weights: Tile<'_>, values: &[Lane], sums: &mut [Lane]) {
        let (rows, keys) = (weights.rows, weights.cols);
        assert!((1..=PANEL_ROWS).contains(&rows), "{rows} rows, not 1 to {PANEL_ROWS}");
        let width = sums.len() / rows;
        let fits = [width * rows, width * keys] == [sums.len(), values.len()];
        assert!(fits, "{rows} × {keys} weights, {} values, {} sums", values.len(), sums.len());
        sums.fill(Lane::ZERO);
        if width == 0 {
            return;
        }
        for (row, sums) in sums.chunks_exact_mut(width).enumerate() {
            for (weight, value) in
                weights.values[row * weights.stride..][..keys].iter().zip(values.chunks_exact(width))
            {
                for (sum, v) in sums.iter_mut().zip(value) {
                    sum.0.iter_mut().zip(v.0).for_each(|(sum, v)| *sum += weight * v);
                }
            }
        }
    }
}
