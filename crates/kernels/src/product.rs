//! y = x·Wᵀ for weights as stored: dot products for few tokens ([`few`]), packed tiles for many ([`many`]).

mod ahead;
mod blocks;
mod few;
mod many;
pub(crate) mod pack;
mod region;
mod rounded;
mod source;

use crate::pool::SyncPtr;
use crate::{Backend, Compute, Dtype, Rows};

pub use region::Meeting;
use region::{Combine, Job, Region};

/// Elements that one part of a parallel region combines; below it a region would cost more than it saves.
const COMBINED: usize = 8192;

impl Backend {
    /// `y[t, o] = Σ_i x[t, i] · weight[o, i]`, `[tokens, out]` row-major, for each of `weights` `[out, in]`, which
    /// share `x` `[tokens, in]`, in one region. A weight of no columns has no rows either.
    ///
    /// bf16 and f16 weights give the bits that the same values stored as f32 give (except in `Compute::Bf16`). Blocks give the
    /// product of the f32 that they hold; with AVX2 fewer than [`Backend::MANY`] tokens may meet those of four and five bits
    /// with x in 24 bits, 32 with a power of two, which errs by at most 1 / 8,355,711 of the largest of the 32.
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
        let Some(cols) = columns(x, tokens) else { return weights.map(|_| Vec::new()) };
        let rows = weights.map(|weight| rows(weight, cols));
        let mut results = rows.map(|rows| Vec::with_capacity(tokens * rows));
        let outs = results.iter_mut().map(|out| SyncPtr(out.as_mut_ptr()));
        let jobs = weights.iter().zip(rows).zip(outs).map(|((weight, rows), out)| Job {
            weights: std::slice::from_ref(weight),
            rows,
            out,
            combine: None,
        });
        self.compute_all(x, (tokens, cols), jobs.collect());
        for (result, rows) in results.iter_mut().zip(rows) {
            // SAFETY: there is room for them, and each has been written: every row of a job is in one part.
            unsafe { result.set_len(tokens * rows) };
        }
        results
    }

    /// `y[t, o]`, `[tokens, out]`, of what `combine` leaves of both weights' results for the same token and row; as they
    /// come out of the product, in pieces, so that they need not be written, read and written again. It must treat
    /// each result alike, whatever piece it is in.
    ///
    /// # Panics
    /// As [`Backend::multiply`], and where the weights differ in rows.
    #[track_caller]
    pub fn multiply_gated(
        &self,
        x: &[f32],
        tokens: usize,
        weights: [Rows<'_>; 2],
        combine: impl Fn(Meeting<'_>) + Sync,
    ) -> Vec<f32> {
        let Some(cols) = columns(x, tokens) else { return Vec::new() };
        let [rows, others] = weights.map(|weight| rows(weight, cols));
        assert_eq!(rows, others, "weights of {rows} and {others} rows");
        let [gate, up] = weights.map(|weight| weight.dtype());
        if !self.are_many(tokens) || gate != up || self.rounds(gate) {
            let [mut gate, mut up] = self.multiply(x, tokens, weights);
            self.combine((&mut gate, &mut up), rows, &combine);
            return gate;
        }
        let mut result = Vec::with_capacity(tokens * rows);
        let out = SyncPtr(result.as_mut_ptr());
        let job = Job { weights: &weights, rows, out, combine: Some(&combine) };
        self.compute_all(x, (tokens, cols), vec![job]);
        // SAFETY: there is room for them, and each has been written: every row of a job is in one part.
        unsafe { result.set_len(tokens * rows) };
        result
    }

    /// Combines whole results, `[tokens, rows]` each.
    fn combine(&self, (gate, up): (&mut [f32], &mut [f32]), rows: usize, combine: &Combine<'_>) {
        let tokens = gate.chunks_mut(rows.max(1)).zip(up.chunks_mut(rows.max(1)));
        let mut pieces: Vec<_> = tokens
            .flat_map(|(gate, up)| gate.chunks_mut(COMBINED).zip(up.chunks_mut(COMBINED)).enumerate())
            .collect();
        self.run_each(&mut pieces, |_, (index, (gate, up))| {
            let first = *index * COMBINED;
            combine(Meeting { rows: first..first + gate.len(), width: gate.len(), gate, up });
        });
    }

    /// Writes every result of these jobs.
    fn compute_all(&self, x: &[f32], (tokens, cols): (usize, usize), jobs: Vec<Job<'_>>) {
        let in_bf16 =
            |job: &Job<'_>| self.compute() == Compute::Bf16 && job.weights[0].dtype() == Dtype::Bf16;
        let (bf16, jobs): (Vec<_>, Vec<_>) = jobs.into_iter().partition(in_bf16);
        let (rounded, f32): (Vec<_>, Vec<_>) =
            jobs.into_iter().partition(|job| self.rounds(job.weights[0].dtype()));
        if !rounded.is_empty() {
            rounded::multiply(self, Region { x, tokens, cols, jobs: &rounded });
        }
        let few = !self.are_many(tokens);
        let (digits, f32): (Vec<_>, Vec<_>) =
            f32.into_iter().partition(|job| few && rounded::in_digits(self, job.weights[0]));
        if !digits.is_empty() {
            rounded::multiply_in_digits(self, Region { x, tokens, cols, jobs: &digits });
        }
        if !f32.is_empty() {
            self.compute_jobs(Region { x, tokens, cols, jobs: &f32 }, false);
        }
        // Few tokens wait for memory, and pairs halve what is read of x; many are as fast as the multipliers.
        let pairs = self.isa().has_pairs() && (!self.are_many(tokens) || self.isa().has_fast_pairs());
        if !bf16.is_empty() && pairs {
            self.compute_jobs(Region { x, tokens, cols, jobs: &bf16 }, true);
        } else if !bf16.is_empty() {
            // Without a fast product of pairs, f32 is faster on the rounded numbers.
            let rounded: Vec<f32> = x.iter().map(|&x| half::bf16::from_f32(x).to_f32()).collect();
            self.compute_jobs(Region { x: &rounded, tokens, cols, jobs: &bf16 }, false);
        }
    }

    /// Whether products with weights of this type round the activations to bytes.
    fn rounds(&self, dtype: Dtype) -> bool {
        match self.compute() {
            Compute::F32 | Compute::Bf16 => false,
            Compute::Q8 => matches!(dtype, Dtype::Blocks(_)),
        }
    }

    /// The same in one way: in f32, or in pairs of bf16.
    fn compute_jobs(&self, region: Region<'_>, pairs: bool) {
        if self.are_many(region.tokens) {
            many::multiply(self, region, pairs);
        } else {
            few::multiply(self, region, pairs);
        }
    }
}

/// How many elements a row of `x` has; `None` where there are none.
#[track_caller]
fn columns(x: &[f32], tokens: usize) -> Option<usize> {
    let cols = x.len().checked_div(tokens).unwrap_or(0);
    assert_eq!(cols * tokens, x.len(), "{} activations for {tokens} tokens", x.len());
    (cols > 0).then_some(cols)
}

/// How many rows of `cols` elements a weight has.
#[track_caller]
fn rows(weight: Rows<'_>, cols: usize) -> usize {
    let whole = weight.len().is_multiple_of(cols);
    assert!(whole, "weight of {} elements, not rows of {cols}", weight.len());
    if let Rows::Blocks(blocks, bytes) = weight {
        let whole = cols.is_multiple_of(blocks.numbers()) && bytes.len().is_multiple_of(blocks.bytes());
        assert!(whole, "rows of {cols} elements are no whole blocks of {blocks:?}");
    }
    weight.len() / cols
}
