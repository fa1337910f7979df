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

use region::{Combine, Job, Wanted};
pub use region::{Meeting, Product};

/// Elements that one part of a parallel region combines; below it a region would cost more than it saves.
const COMBINED: usize = 8192;

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
        self.compute_all(vec![Wanted { x, tokens, cols, jobs: jobs.collect() }]);
        for (result, rows) in results.iter_mut().zip(rows) {
            // SAFETY: there is room for them, and each has been written: every row of a job is in one part.
            unsafe { result.set_len(tokens * rows) };
        }
        results
    }

    /// The results of products that share nothing, each the same bits as [`Backend::multiply`] gives. All those of few
    /// tokens run in one region, since a region for each small weight would cost more than its arithmetic.
    ///
    /// # Panics
    /// As [`Backend::multiply`], for any of them.
    #[track_caller]
    pub fn multiply_each(&self, products: &[Product<'_>]) -> Vec<Vec<f32>> {
        let mut results = Vec::with_capacity(products.len());
        let mut wanted = Vec::with_capacity(products.len());
        for Product { x, tokens, weight } in products {
            let cols = columns(x, *tokens).unwrap_or(0);
            let rows = if cols == 0 { 0 } else { rows(*weight, cols) };
            let mut result = Vec::with_capacity(tokens * rows);
            let out = SyncPtr(result.as_mut_ptr());
            results.push((result, tokens * rows));
            let job = Job { weights: std::slice::from_ref(weight), rows, out, combine: None };
            wanted.push(Wanted { x, tokens: *tokens, cols, jobs: vec![job] });
        }
        wanted.retain(|wanted| wanted.cols > 0);
        self.compute_all(wanted);
        let whole = |(mut result, len): (Vec<f32>, usize)| {
            // SAFETY: there is room for them, and each has been written: every row of a job is in one part.
            unsafe { result.set_len(len) };
            result
        };
        results.into_iter().map(whole).collect()
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
        self.compute_all(vec![Wanted { x, tokens, cols, jobs: vec![job] }]);
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
    fn compute_all(&self, wanted: Vec<Wanted<'_>>) {
        let in_bf16 =
            |job: &Job<'_>| self.compute() == Compute::Bf16 && job.weights[0].dtype() == Dtype::Bf16;
        let (bf16, wanted) = split(wanted, in_bf16);
        let (rounded, f32) = split(wanted, |job| self.rounds(job.weights[0].dtype()));
        for wanted in &rounded {
            rounded::multiply(self, wanted.region());
        }
        self.compute_jobs(&f32, false);
        self.compute_bf16(bf16);
    }

    fn compute_bf16(&self, wanted: Vec<Wanted<'_>>) {
        // Few tokens wait for memory, and pairs halve what is read of x; many are as fast as the multipliers.
        let pairs = |wanted: &Wanted<'_>| {
            self.isa().has_pairs() && (!self.are_many(wanted.tokens) || self.isa().has_fast_pairs())
        };
        let (in_pairs, others): (Vec<_>, Vec<_>) = wanted.into_iter().partition(pairs);
        self.compute_jobs(&in_pairs, true);
        // Without a fast product of pairs, f32 is faster on the rounded numbers.
        for Wanted { x, tokens, cols, jobs } in others {
            let rounded: Vec<f32> = x.iter().map(|&x| half::bf16::from_f32(x).to_f32()).collect();
            self.compute_jobs(&[Wanted { x: &rounded, tokens, cols, jobs }], false);
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
    fn compute_jobs(&self, wanted: &[Wanted<'_>], pairs: bool) {
        let (many, few): (Vec<_>, Vec<_>) =
            wanted.iter().map(Wanted::region).partition(|region| self.are_many(region.tokens));
        for region in many {
            many::multiply(self, region, pairs);
        }
        if !few.is_empty() {
            few::multiply(self, &few, pairs);
        }
    }
}

/// The jobs for which `is` holds, and the others.
fn split<'a>(wanted: Vec<Wanted<'a>>, is: impl Fn(&Job<'_>) -> bool) -> (Vec<Wanted<'a>>, Vec<Wanted<'a>>) {
    let (mut those, mut others) = (Vec::new(), Vec::new());
    for Wanted { x, tokens, cols, jobs } in wanted {
        let (own, rest): (Vec<_>, Vec<_>) = jobs.into_iter().partition(&is);
        for (jobs, to) in [(own, &mut those), (rest, &mut others)] {
            if !jobs.is_empty() {
                to.push(Wanted { x, tokens, cols, jobs });
            }
        }
    }
    (those, others)
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
