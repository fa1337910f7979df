//! What is kept of each position: the latent and the turned part of the key, side by side.

use std::ops::Range;
use std::sync::Arc;

use camelid_attention::BLOCK;
use camelid_kernels::{Backend, Compute};
use half::bf16;
use ndarray::{Array2, ArrayView2, Axis, concatenate};

/// `[len, rank + turned]`: append, truncate, clone to fork.
///
/// Memory is (rank + turned) · 4 bytes for each position, half of it where attention is computed in bf16, to which the
/// numbers are rounded then. It is reserved in blocks of 256 positions; a clone shares them, and copies one only when it
/// writes to it.
#[derive(Clone, Debug)]
pub struct Cache {
    rank: usize,
    turned: usize,
    compute: Compute,
    len: usize,
    blocks: Vec<Arc<Rows>>,
}

#[derive(Clone, Debug)]
enum Rows {
    F32(Vec<f32>),
    Bf16(Vec<bf16>),
}

impl Cache {
    /// An empty cache for attention in this type.
    ///
    /// # Panics
    /// Where the rank is 0.
    #[track_caller]
    pub fn new(rank: usize, turned: usize, compute: Compute) -> Self {
        assert!(rank > 0, "a cache of a latent of rank 0");
        Self { rank, turned, compute, len: 0, blocks: Vec::new() }
    }

    /// Appends the next tokens: c `[tokens, rank]`, normed, and k_r `[tokens, turned]`, turned.
    ///
    /// # Panics
    /// Where the shapes don't fit the cache or each other.
    #[track_caller]
    pub fn append(&mut self, c: ArrayView2<'_, f32>, k_r: ArrayView2<'_, f32>, backend: &Backend) {
        let fits = c.nrows() == k_r.nrows() && [c.ncols(), k_r.ncols()] == [self.rank, self.turned];
        let shapes = (c.shape(), k_r.shape());
        assert!(
            fits,
            "{:?} and {:?} for a cache of [_, {}] and [_, {}]",
            shapes.0, shapes.1, self.rank, self.turned
        );
        let rows = concatenate(Axis(1), &[c, k_r]).expect("as many rows");
        let width = self.width();
        for row in rows.outer_iter() {
            let (block, at) = (self.len / BLOCK, self.len % BLOCK);
            if block == self.blocks.len() {
                self.blocks.push(Arc::new(self.empty()));
            }
            let place = at * width..(at + 1) * width;
            match Arc::make_mut(&mut self.blocks[block]) {
                Rows::F32(all) => all[place].iter_mut().zip(row).for_each(|(to, from)| *to = *from),
                Rows::Bf16(all) => backend.round(&row.to_vec(), &mut all[place]),
            }
            self.len += 1;
        }
    }

    /// Forgets all positions from `len` on; does nothing where there are none.
    pub fn truncate(&mut self, len: usize) {
        if len < self.len {
            self.blocks.truncate(len.div_ceil(BLOCK));
            self.len = len;
        }
    }

    /// Positions held.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Numbers of c.
    pub fn rank(&self) -> usize {
        self.rank
    }

    /// Numbers of k_r.
    pub fn turned(&self) -> usize {
        self.turned
    }

    /// The type that attention over them is computed in.
    pub fn compute(&self) -> Compute {
        self.compute
    }

    /// Bytes reserved; blocks that forks share count in each.
    pub fn bytes(&self) -> usize {
        let size = match self.compute {
            Compute::F32 | Compute::Q8 => size_of::<f32>(),
            Compute::Bf16 => size_of::<bf16>(),
        };
        self.blocks.len() * BLOCK * self.width() * size
    }

    /// A copy of some positions, `[positions, rank + turned]`: c, then k_r.
    ///
    /// # Panics
    /// Where the range ends beyond the last position.
    #[track_caller]
    pub fn rows(&self, positions: Range<usize>) -> Array2<f32> {
        assert!(positions.end <= self.len, "positions {positions:?} of {}", self.len);
        let width = self.width();
        let mut rows = Vec::with_capacity(positions.len() * width);
        let mut at = positions.start;
        while at < positions.end {
            let end = positions.end.min((at / BLOCK + 1) * BLOCK);
            let start = at / BLOCK * BLOCK;
            let own = (at - start) * width..(end - start) * width;
            match &*self.blocks[at / BLOCK] {
                Rows::F32(all) => rows.extend_from_slice(&all[own]),
                Rows::Bf16(all) => rows.extend(all[own].iter().map(|x| x.to_f32())),
            }
            at = end;
        }
        Array2::from_shape_vec((positions.len(), width), rows).expect("whole rows")
    }

    fn width(&self) -> usize {
        self.rank + self.turned
    }

    /// Zeroed memory is left to the system until it is written, so a short sequence costs no whole block.
    fn empty(&self) -> Rows {
        let count = BLOCK * self.width();
        match self.compute {
            Compute::F32 | Compute::Q8 => Rows::F32(bytemuck::zeroed_vec(count)),
            Compute::Bf16 => Rows::Bf16(bytemuck::zeroed_vec(count)),
        }
    }
}
