//! y = x·Wᵀ for weights as stored.

use crate::pool::SyncPtr;
use crate::{Backend, Rows};

/// One product of a region: its weight `[out, in]` and the result `[tokens, out]`, which is overwritten.
#[derive(Debug)]
pub struct Product<'a> {
    /// The weight, `[out, in]`.
    pub weight: Rows<'a>,
    /// The result, `[tokens, out]`, row-major.
    pub out: &'a mut [f32],
}

impl Backend {
    /// `out[t, o] = Σ_i x[t, i] · weight[o, i]` for each of `products`, which share `x` `[tokens, in]`, in one region.
    ///
    /// # Panics
    /// Where lengths don't fit: `x` must have `tokens · in` elements, each weight `out · in`, each result `tokens · out`.
    #[track_caller]
    pub fn multiply(&self, x: &[f32], tokens: usize, products: &mut [Product<'_>]) {
        let cols = x.len().checked_div(tokens).unwrap_or(0);
        assert_eq!(cols * tokens, x.len(), "{} activations for {tokens} tokens", x.len());
        for Product { weight, out } in products {
            let rows = out.len().checked_div(tokens).unwrap_or(0);
            assert_eq!(rows * tokens, out.len(), "{} results for {tokens} tokens", out.len());
            if tokens == 0 {
                continue;
            }
            assert_eq!(
                weight.len(),
                rows * cols,
                "weight of {} elements, not [{rows}, {cols}]",
                weight.len()
            );
            let (weight, base) = (*weight, SyncPtr(out.as_mut_ptr()));
            self.run(rows, |row| {
                let range = row * cols..(row + 1) * cols;
                let row_values: Vec<f32> = match weight {
                    Rows::F32(values) => values[range].to_vec(),
                    Rows::Bf16(values) => values[range].iter().map(|v| v.to_f32()).collect(),
                    Rows::F16(values) => values[range].iter().map(|v| v.to_f32()).collect(),
                };
                for token in 0..tokens {
                    let y = self.dot(&x[token * cols..(token + 1) * cols], &row_values);
                    // SAFETY: within `out`, and each (token, row) is written by the one part of this row.
                    unsafe { *base.get().add(token * rows + row) = y };
                }
            });
        }
    }
}
