//! Where and how arithmetic runs.

use std::fmt;
use std::sync::Arc;

use crate::pool::{Pool, SyncPtr};
use crate::scratch::Scratch;
use crate::simd::{ByteKernel, Isa, Kernel};

/// The type that matrix products are computed in. Sums are f32 in all of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Compute {
    /// Weights are widened to f32; nothing is rounded but the sums.
    #[default]
    F32,
    /// In products with weights stored as bf16, activations are rounded to bf16 too (relative error at most 2⁻⁹
    /// each), which doubles the rate where the machine multiplies bf16; so are the factors of attention's products
    /// ([`Factors::Bf16`](crate::Factors)). Everything else is as in `F32`.
    Bf16,
    /// In products with quantised weights ([`Blocks`](crate::Blocks)), activations are rounded to whole bytes, 32 of them
    /// with a scale of their own: each by at most 1/254 of the largest of its 32. Then |error| ≤ Σ |w| d/2, where d is
    /// that largest one / 127. Integers are multiplied, at several times the rate of floats; what is summed over the runs
    /// of 32 is f32, the same bits with every instruction set. Everything else is as in `F32`.
    Q8,
}

/// Where and how arithmetic runs: threads, instruction set and compute type. Cloning shares the threads, which end
/// with the last clone.
#[derive(Clone)]
pub struct Backend {
    pool: Option<Arc<Pool>>,
    scratch: Arc<Scratch>,
    isa: Isa,
    compute: Compute,
    /// From this number of tokens on, products are summed as for many.
    many: usize,
}

impl Backend {
    /// From this number of tokens on, products are summed in another order than for fewer: on either side of it a token's
    /// result is the same bits whatever stands beside it.
    pub const MANY: usize = 8;

    /// The calling thread alone, in f32, with the machine's best instruction set.
    pub fn serial() -> Self {
        Self::new(1, Compute::F32)
    }

    /// `threads` threads, the calling one among them (0 is taken as 1). Where the system refuses a thread, fewer run.
    pub fn new(threads: usize, compute: Compute) -> Self {
        let pool = (threads > 1).then(|| Arc::new(Pool::new(threads - 1)));
        Self { pool, scratch: Arc::default(), isa: Isa::best(), compute, many: Self::MANY }
    }

    /// The same threads with another instruction set; `None` where this machine lacks it.
    pub fn with_isa(&self, isa: Isa) -> Option<Self> {
        isa.is_available().then(|| Self { isa, ..self.clone() })
    }

    /// The same threads with another compute type.
    pub fn with_compute(&self, compute: Compute) -> Self {
        Self { compute, ..self.clone() }
    }

    /// The same threads, which sum a product for any number of tokens as for a single one: the same bits for each of them
    /// as alone. Slower for many.
    pub fn one_by_one(&self) -> Self {
        Self { many: usize::MAX, ..self.clone() }
    }

    /// Whether products with so many tokens are summed as for many.
    pub(crate) fn are_many(&self, tokens: usize) -> bool {
        tokens >= self.many
    }

    /// Number of threads that take part in a region, the calling one among them.
    pub fn threads(&self) -> usize {
        1 + self.pool.as_ref().map_or(0, |pool| pool.workers())
    }

    /// The instruction set in use.
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// The type that products are computed in.
    pub fn compute(&self) -> Compute {
        self.compute
    }

    /// A parallel region: calls `body(0) … body(parts − 1)`, each once, and returns when all have returned. Threads
    /// claim parts one by one, in no order, so a part should be worth some microseconds. A region within a region, or
    /// beside another one on the same threads, runs on the calling thread alone.
    ///
    /// # Panics
    /// With the panic of a part, once all running parts have ended; parts not yet claimed are left out.
    pub fn run(&self, parts: usize, body: impl Fn(usize) + Sync) {
        match &self.pool {
            Some(pool) if parts > 1 => pool.run(parts, &body),
            _ => (0..parts).for_each(body),
        }
    }

    /// The buffers for packed operands.
    pub(crate) fn scratch(&self) -> &Scratch {
        &self.scratch
    }

    /// Runs `kernel` on the calling thread with this backend's instruction set.
    #[inline]
    pub(crate) fn call<K: Kernel>(&self, kernel: K) -> K::Output {
        // SAFETY: `isa` was found available when it was set.
        unsafe { self.isa.run(kernel) }
    }

    /// As `call`, with vectors of 256 bits where they may be longer: for kernels that only wait for memory.
    #[inline]
    pub(crate) fn stream<K: Kernel>(&self, kernel: K) -> K::Output {
        // SAFETY: `isa` was found available when it was set, and a narrower one with it.
        unsafe { self.isa.narrow().run(kernel) }
    }

    /// Runs a kernel over bytes on the calling thread with this backend's instruction set.
    #[inline]
    pub(crate) fn call_bytes<K: ByteKernel>(&self, kernel: K) {
        // SAFETY: `isa` was found available when it was set.
        unsafe { self.isa.run_bytes(kernel) }
    }

    /// Calls `body(i, chunk)` for every chunk of `size` elements of `data` (the last may be shorter), in parallel.
    ///
    /// # Panics
    /// Where `size` is 0, or with the panic of a part.
    #[track_caller]
    pub fn run_chunks<T: Send>(&self, data: &mut [T], size: usize, body: impl Fn(usize, &mut [T]) + Sync) {
        assert!(size > 0, "chunks of 0 elements");
        let (length, base) = (data.len(), SyncPtr(data.as_mut_ptr()));
        self.run(length.div_ceil(size), |index| {
            let start = index * size;
            // SAFETY: chunks of distinct indices are disjoint parts of `data`, which is borrowed for the whole region,
            // and `run` calls each index once.
            let chunk =
                unsafe { std::slice::from_raw_parts_mut(base.get().add(start), size.min(length - start)) };
            body(index, chunk);
        });
    }

    /// A copy of `from` of which every chunk of `size` elements (the last may be shorter) was given to `body(i, chunk)`,
    /// copied and called in parallel.
    ///
    /// # Panics
    /// Where `size` is 0, or with the panic of a part.
    #[track_caller]
    pub fn copy_chunks(
        &self,
        from: &[f32],
        size: usize,
        body: impl Fn(usize, &mut [f32]) + Sync,
    ) -> Vec<f32> {
        assert!(size > 0, "chunks of 0 elements");
        let mut copy = Vec::<f32>::with_capacity(from.len());
        let base = SyncPtr(copy.as_mut_ptr());
        self.run(from.len().div_ceil(size), |index| {
            let from = &from[index * size..from.len().min((index + 1) * size)];
            // SAFETY: chunks of distinct indices are disjoint parts of the room that `copy` has, `run` calls each index
            // once, and a chunk is written before it is lent.
            let chunk = unsafe {
                let to = base.get().add(index * size);
                std::ptr::copy_nonoverlapping(from.as_ptr(), to, from.len());
                std::slice::from_raw_parts_mut(to, from.len())
            };
            body(index, chunk);
        });
        // SAFETY: every element has been written: `run` has called all parts, or panicked.
        unsafe { copy.set_len(from.len()) };
        copy
    }

    /// Calls `body(i, &mut items[i])` for every item, in parallel.
    pub fn run_each<T: Send>(&self, items: &mut [T], body: impl Fn(usize, &mut T) + Sync) {
        self.run_chunks(items, 1, |index, item| body(index, &mut item[0]));
    }
}

impl fmt::Debug for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Backend")
            .field("threads", &self.threads())
            .field("isa", &self.isa)
            .field("compute", &self.compute)
            .finish()
    }
}
