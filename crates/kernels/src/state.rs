//! One step of a state that is a matrix: it decays, is corrected by one key, and is read by one query.

use crate::Backend;
use crate::simd::{Kernel, Simd};

/// What one token brings to the state of one head.
#[derive(Clone, Copy, Debug)]
pub struct DeltaStep<'a> {
    /// What each feature of a key is multiplied by before, `[keys]`.
    pub decay: &'a [f32],
    /// k, `[keys]`.
    pub key: &'a [f32],
    /// q, `[keys]`.
    pub query: &'a [f32],
    /// v, `[values]`.
    pub values: &'a [f32],
    /// β, how much of what the state lacks is put in.
    pub rate: f32,
}

impl Backend {
    /// S ← S·diag(decay); S ← S + β(v − S k) kᵀ; out = S q, for S `[values, keys]`; on the calling thread.
    ///
    /// # Panics
    /// Where the lengths don't fit one another.
    #[track_caller]
    pub fn delta_step(&self, step: DeltaStep<'_>, state: &mut [f32], out: &mut [f32]) {
        let DeltaStep { decay, key, query, values, rate: _ } = step;
        let fits = [decay.len(), query.len()] == [key.len(); 2]
            && out.len() == values.len()
            && Some(state.len()) == key.len().checked_mul(values.len());
        assert!(
            fits,
            "a state of {} for {} values and {} results of keys of {}, {} and {}",
            state.len(),
            values.len(),
            out.len(),
            key.len(),
            query.len(),
            decay.len()
        );
        if key.is_empty() {
            out.fill(0.0);
            return;
        }
        let both = self.dot(key, query);
        self.call(Stepped { step, both, state, out });
    }
}

struct Stepped<'a> {
    step: DeltaStep<'a>,
    /// k·q
    both: f32,
    state: &'a mut [f32],
    out: &'a mut [f32],
}

impl Kernel for Stepped<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let DeltaStep { decay, key, query, values, rate } = self.step;
        let count = key.len();
        let rows = self.state.chunks_exact_mut(count).zip(values).zip(self.out);
        for ((row, value), out) in rows {
            // SAFETY: `delta_step` has seen that each of these is as long as the row.
            let (told, read) = unsafe { decayed(simd, row, decay, key, query) };
            let lacks = rate * (value - told);
            // SAFETY: as above.
            unsafe { add(simd, row, lacks, key) };
            *out = read + lacks * self.both;
        }
    }
}

/// The row times the decay; what it then tells of the key and of the query.
///
/// # Safety
/// All slices are as long as `row`.
#[inline(always)]
unsafe fn decayed<S: Simd>(
    simd: S,
    row: &mut [f32],
    decay: &[f32],
    key: &[f32],
    query: &[f32],
) -> (f32, f32) {
    let length = row.len();
    let (row, decay, key, query) = (row.as_mut_ptr(), decay.as_ptr(), key.as_ptr(), query.as_ptr());
    let whole = length - length % S::LANES;
    let (mut told, mut read) = ([simd.splat(0.0); 2], [simd.splat(0.0); 2]);
    // SAFETY: all reads and writes are within the slices, which are equally long.
    unsafe {
        for (turn, at) in (0..whole).step_by(S::LANES).enumerate() {
            let kept = simd.mul(simd.load(row.add(at)), simd.load(decay.add(at)));
            simd.store(row.add(at), kept);
            told[turn % 2] = simd.mul_add(kept, simd.load(key.add(at)), told[turn % 2]);
            read[turn % 2] = simd.mul_add(kept, simd.load(query.add(at)), read[turn % 2]);
        }
        if whole < length {
            let count = length - whole;
            let kept = simd.load_first(row.add(whole), count);
            let kept = simd.mul(kept, simd.load_first(decay.add(whole), count));
            simd.store_first(row.add(whole), kept, count);
            told[0] = simd.mul_add(kept, simd.load_first(key.add(whole), count), told[0]);
            read[0] = simd.mul_add(kept, simd.load_first(query.add(whole), count), read[0]);
        }
    }
    (simd.sum(simd.add(told[0], told[1])), simd.sum(simd.add(read[0], read[1])))
}

/// row ← row + factor·key
///
/// # Safety
/// `key` is as long as `row`.
#[inline(always)]
unsafe fn add<S: Simd>(simd: S, row: &mut [f32], factor: f32, key: &[f32]) {
    let length = row.len();
    let (row, key, factor) = (row.as_mut_ptr(), key.as_ptr(), simd.splat(factor));
    let whole = length - length % S::LANES;
    // SAFETY: all reads and writes are within the slices, which are equally long.
    unsafe {
        for at in (0..whole).step_by(S::LANES) {
            simd.store(row.add(at), simd.mul_add(factor, simd.load(key.add(at)), simd.load(row.add(at))));
        }
        if whole < length {
            let count = length - whole;
            let sum = simd.load_first(row.add(whole), count);
            let sum = simd.mul_add(factor, simd.load_first(key.add(whole), count), sum);
            simd.store_first(row.add(whole), sum, count);
        }
    }
}
