//! y = x·Wᵀ for weights as stored: dot products for few tokens ([`few`]), packed tiles for many ([`many`]).

mod few;
mod many;
pub(crate) mod pack;
mod pairs;

use crate::pool::SyncPtr;
use crate::{Backend, Compute, Dtype, Rows};

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
    /// bf16 and f16 weights give the bits that the same values stored as f32 give (except in `Compute::Bf16`).
    ///
    /// # Panics
    /// Where lengths don't fit: `x` must have `tokens · in` elements, each weight `out · in`, each result `tokens · out`.
    #[track_caller]
    pub fn multiply(&self, x: &[f32], tokens: usize, products: &mut [Product<'_>]) {
        let cols = x.len().checked_div(tokens).unwrap_or(0);
        assert_eq!(cols * tokens, x.len(), "{} activations for {tokens} tokens", x.len());
        let jobs: Vec<_> = products.iter_mut().map(|product| product.job(tokens, cols)).collect();
        if tokens < many::WORTH_PACKING || cols == 0 {
            return few::multiply(self, Region { x, tokens, cols, jobs: &jobs });
        }
        let in_bf16 = |job: &Job<'_>| self.compute() == Compute::Bf16 && job.weight.dtype() == Dtype::Bf16;
        let (bf16, f32): (Vec<_>, Vec<_>) = jobs.into_iter().partition(in_bf16);
        if !f32.is_empty() {
            many::multiply(self, Region { x, tokens, cols, jobs: &f32 });
        }
        if !bf16.is_empty() {
            pairs::multiply(self, Region { x, tokens, cols, jobs: &bf16 });
        }
    }
}

impl Product<'_> {
    /// Checks the lengths.
    #[track_caller]
    fn job(&mut self, tokens: usize, cols: usize) -> Job<'_> {
        let rows = self.out.len().checked_div(tokens).unwrap_or(0);
        assert_eq!(rows * tokens, self.out.len(), "{} results for {tokens} tokens", self.out.len());
        let fits = tokens == 0 || self.weight.len() == rows * cols;
        assert!(fits, "weight of {} elements, not [{rows}, {cols}]", self.weight.len());
        Job { weight: self.weight, rows, out: SyncPtr(self.out.as_mut_ptr()) }
    }
}

/// What one call computes; every length has been checked.
#[derive(Clone, Copy)]
struct Region<'a> {
    x: &'a [f32],
    tokens: usize,
    cols: usize,
    jobs: &'a [Job<'a>],
}

/// A [`Product`] whose result is written by several threads, each its own rows of the weight.
struct Job<'a> {
    weight: Rows<'a>,
    rows: usize,
    /// `[tokens, rows]`
    out: SyncPtr<f32>,
}

impl<'a> Region<'a> {
    /// Number of parts when each job's rows are cut every `step` rows.
    fn parts(&self, step: usize) -> usize {
        self.jobs.iter().map(|job| job.rows.div_ceil(step)).sum()
    }

    /// The job and the first row of a part.
    fn locate(&self, mut part: usize, step: usize) -> (&'a Job<'a>, std::ops::Range<usize>) {
        for job in self.jobs {
            let parts = job.rows.div_ceil(step);
            if part < parts {
                return (job, part * step..job.rows.min((part + 1) * step));
            }
            part -= parts;
        }
        unreachable!("parts are counted by `parts`")
    }

    fn total_rows(&self) -> usize {
        self.jobs.iter().map(|job| job.rows).sum()
    }
}
