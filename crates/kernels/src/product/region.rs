//! One parallel region: the products that one call computes, and how they are cut into parts.

use std::ops::Range;

use crate::pool::SyncPtr;
use crate::rows::Rows;

/// Some results of two weights, which meet while they are in the cache: see [`Backend::multiply_gated`](crate::Backend::multiply_gated).
#[derive(Debug)]
pub struct Meeting<'a> {
    /// The rows of the weights that these are results of.
    pub rows: Range<usize>,
    /// Places from a token's first result to the next token's; beyond those of `rows` they don't count.
    pub width: usize,
    /// Results of the first weight, `[tokens, width]`; what is left here is kept.
    pub gate: &'a mut [f32],
    /// Results of the second weight, `[tokens, width]`.
    pub up: &'a mut [f32],
}

pub(super) type Combine<'a> = dyn Fn(Meeting<'_>) + Sync + 'a;

/// What one call computes; every length has been checked.
#[derive(Clone, Copy)]
pub(super) struct Region<'a> {
    pub(super) x: &'a [f32],
    pub(super) tokens: usize,
    pub(super) cols: usize,
    pub(super) jobs: &'a [Job<'a>],
}

/// A product whose result is written by several threads, each its own rows of the weight.
pub(super) struct Job<'a> {
    /// One, or for many tokens two of one type and shape, whose results are combined.
    pub(super) weights: &'a [Rows<'a>],
    pub(super) rows: usize,
    /// Room for `[tokens, rows]`.
    pub(super) out: SyncPtr<f32>,
    pub(super) combine: Option<&'a Combine<'a>>,
}

impl<'a> Region<'a> {
    /// Number of parts when each job's rows are cut every `step` rows.
    pub(super) fn parts(&self, step: usize) -> usize {
        self.jobs.iter().map(|job| job.rows.div_ceil(step)).sum()
    }

    /// The job and the first row of a part.
    pub(super) fn locate(&self, mut part: usize, step: usize) -> (&'a Job<'a>, Range<usize>) {
        for job in self.jobs {
            let parts = job.rows.div_ceil(step);
            if part < parts {
                return (job, part * step..job.rows.min((part + 1) * step));
            }
            part -= parts;
        }
        unreachable!("parts are counted by `parts`")
    }

    pub(super) fn total_rows(&self) -> usize {
        self.jobs.iter().map(|job| job.rows).sum()
    }
}
