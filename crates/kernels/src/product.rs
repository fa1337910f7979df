//! y = x·Wᵀ for weights as stored: dot products for few tokens ([`few`]), packed tiles for many ([`many`]).

mod ahead;
mod few;
mod many;
pub(crate) mod pack;

use crate::pool::SyncPtr;
use crate::{Backend, Compute, Dtype, Rows};

impl Backend {
    /// `y[t, o] = Σ_i x[t, i] · weight[o, i]`, `[tokens, out]` row-major, for each of `weights` `[out, in]`, which
    /// share `x` `[tokens, in]`, in one region. A weight of no columns has no rows either.
    ///
    /// bf16 and f16 weights give the bits that the same values stored as f32 give (except in `Compute::Bf16`).
    ///
    /// # Panics
    /// Where `x` is not `tokens` rows, or a weight not whole rows of as many elements as those of `x`.
    #[track_caller]
    pub fn multiply<const N: usize>(
        &self,
        x: &[f32],
        tokens: usize,
        weights: [Rows<'_>; N],
    ) -> [Vec<f32>; N] {
        let cols = x.len().checked_div(tokens).unwrap_or(0);
        assert_eq!(cols * tokens, x.len(), "{} activations for {tokens} tokens", x.len());
        if cols == 0 {
            return weights.map(|_| Vec::new());
        }
        let rows = weights.map(|weight| rows(weight, cols));
        let mut results = rows.map(|rows| Vec::with_capacity(tokens * rows));
        let outs = results.iter_mut().map(|out| SyncPtr(out.as_mut_ptr()));
        let jobs =
            weights.into_iter().zip(rows).zip(outs).map(|((weight, rows), out)| Job { weight, rows, out });
        self.compute_all(x, (tokens, cols), jobs.collect());
        for (result, rows) in results.iter_mut().zip(rows) {
            // SAFETY: there is room for them, and each has been written: every row of a job is in one part.
            unsafe { result.set_len(tokens * rows) };
        }
        results
    }

    /// Writes every result of these jobs.
    fn compute_all(&self, x: &[f32], (tokens, cols): (usize, usize), jobs: Vec<Job<'_>>) {
        let in_bf16 = |job: &Job<'_>| self.compute() == Compute::Bf16 && job.weight.dtype() == Dtype::Bf16;
        let (bf16, f32): (Vec<_>, Vec<_>) = jobs.into_iter().partition(in_bf16);
        if !f32.is_empty() {
            self.compute_jobs(Region { x, tokens, cols, jobs: &f32 }, false);
        }
        if !bf16.is_empty() && self.isa().has_pairs() {
            self.compute_jobs(Region { x, tokens, cols, jobs: &bf16 }, true);
        } else if !bf16.is_empty() {
            // Without a product of pairs, f32 is faster on the rounded numbers.
            let rounded: Vec<f32> = x.iter().map(|&x| half::bf16::from_f32(x).to_f32()).collect();
            self.compute_jobs(Region { x: &rounded, tokens, cols, jobs: &bf16 }, false);
        }
    }

    /// The same in one way: in f32, or in pairs of bf16.
    fn compute_jobs(&self, region: Region<'_>, pairs: bool) {
        if region.tokens < many::WORTH_PACKING {
            few::multiply(self, region, pairs);
        } else {
            many::multiply(self, region, pairs);
        }
    }
}

/// How many rows of `cols` elements a weight has.
#[track_caller]
fn rows(weight: Rows<'_>, cols: usize) -> usize {
    let whole = weight.len().is_multiple_of(cols);
    assert!(whole, "weight of {} elements, not rows of {cols}", weight.len());
    weight.len() / cols
}

/// What one call computes; every length has been checked.
#[derive(Clone, Copy)]
struct Region<'a> {
    x: &'a [f32],
    tokens: usize,
    cols: usize,
    jobs: &'a [Job<'a>],
}

/// A product whose result is written by several threads, each its own rows of the weight.
struct Job<'a> {
    weight: Rows<'a>,
    rows: usize,
    /// Room for `[tokens, rows]`.
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
