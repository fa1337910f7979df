//! The keys and values of one layer, laid out for the reads of attention.

use std::sync::Arc;

use camelid_kernels::{LANES, Lane};
use ndarray::{Array3, ArrayView3};

/// Positions of one block: the unit of growth, of sharing between forks, and of the sums in [`crate::Attention::forward`].
pub const BLOCK: usize = 256;

/// Keys and values of one layer, `[len, kv_heads, head_dim]` each: append, truncate, clone to fork.
///
/// ```text
/// keys    [block][kv_head][panel of 16 positions][head_dim][16]      16 positions are read side by side
/// values  [block][kv_head][position][head_dim, up to a multiple of 16]
/// ```
///
/// Memory is linear in the length: 8 · kv_heads · head_dim bytes for each position (more where head_dim is no multiple of 16), reserved
/// block by block; nothing that is stored moves when the cache grows. A clone shares all blocks, and copies one only when it writes to it.
#[derive(Clone, Debug)]
pub struct Cache {
    kv_heads: usize,
    head_dim: usize,
    len: usize,
    blocks: Vec<Arc<Block>>,
}

#[derive(Clone, Debug)]
struct Block {
    keys: Vec<Lane>,
    values: Vec<Lane>,
}

impl Cache {
    /// An empty cache.
    ///
    /// # Panics
    /// Where a size is 0.
    #[track_caller]
    pub fn new(kv_heads: usize, head_dim: usize) -> Self {
        assert!(kv_heads > 0 && head_dim > 0, "a cache of {kv_heads} kv heads of {head_dim} features");
        Self { kv_heads, head_dim, len: 0, blocks: Vec::new() }
    }

    /// Appends the keys and values of the next tokens, `[tokens, kv_heads, head_dim]` each.
    ///
    /// # Panics
    /// Where the shapes don't fit the cache or each other.
    #[track_caller]
    pub fn append(&mut self, keys: ArrayView3<'_, f32>, values: ArrayView3<'_, f32>) {
        let fits = keys.shape() == values.shape() && keys.shape()[1..] == [self.kv_heads, self.head_dim];
        assert!(
            fits,
            "keys {:?} and values {:?} for a cache of [_, {}, {}]",
            keys.shape(),
            values.shape(),
            self.kv_heads,
            self.head_dim
        );
        for (key, value) in keys.outer_iter().zip(values.outer_iter()) {
            if self.len == self.blocks.len() * BLOCK {
                self.blocks.push(Arc::new(Block::new(self.kv_heads, self.head_dim)));
            }
            let block = Arc::make_mut(&mut self.blocks[self.len / BLOCK]);
            let at = self.len % BLOCK;
            for (head, (key, value)) in key.outer_iter().zip(value.outer_iter()).enumerate() {
                let start = (head * BLOCK + at - at % LANES) / LANES * self.head_dim;
                for (lane, &x) in block.keys[start..start + self.head_dim].iter_mut().zip(key) {
                    lane.0[at % LANES] = x;
                }
                let width = lanes(self.head_dim);
                let row = &mut block.values[(head * BLOCK + at) * width..][..width];
                for (x, &y) in bytemuck::cast_slice_mut::<Lane, f32>(row).iter_mut().zip(value) {
                    *x = y;
                }
            }
            self.len += 1;
        }
    }

    /// Forgets all positions from `len` on; does nothing where there are none.
    pub fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
        self.blocks.truncate(self.len.div_ceil(BLOCK));
    }

    /// Positions held.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Key and value heads.
    pub fn kv_heads(&self) -> usize {
        self.kv_heads
    }

    /// Features of one head.
    pub fn head_dim(&self) -> usize {
        self.head_dim
    }

    /// Bytes reserved for keys and values; blocks that forks share count in each.
    pub fn bytes(&self) -> usize {
        let size =
            |block: &Block| std::mem::size_of_val(&*block.keys) + std::mem::size_of_val(&*block.values);
        self.blocks.iter().map(|block| size(block)).sum()
    }

    /// A copy of the keys, `[len, kv_heads, head_dim]`.
    pub fn keys(&self) -> Array3<f32> {
        Array3::from_shape_fn((self.len, self.kv_heads, self.head_dim), |(position, head, feature)| {
            let panel = (head * BLOCK + position % BLOCK) / LANES;
            self.blocks[position / BLOCK].keys[panel * self.head_dim + feature].0[position % LANES]
        })
    }

    /// A copy of the values, `[len, kv_heads, head_dim]`.
    pub fn values(&self) -> Array3<f32> {
        Array3::from_shape_fn((self.len, self.kv_heads, self.head_dim), |(position, head, feature)| {
            let row = head * BLOCK + position % BLOCK;
            let lane = row * lanes(self.head_dim) + feature / LANES;
            self.blocks[position / BLOCK].values[lane].0[feature % LANES]
        })
    }

    /// The key panels of one head in one block: `[BLOCK / 16][head_dim]` lanes.
    pub(crate) fn key_panels(&self, block: usize, kv_head: usize) -> &[Lane] {
        let size = BLOCK / LANES * self.head_dim;
        &self.blocks[block].keys[kv_head * size..][..size]
    }

    /// The value rows of one head in one block: `[BLOCK]` rows of lanes.
    pub(crate) fn value_rows(&self, block: usize, kv_head: usize) -> &[Lane] {
        let size = BLOCK * lanes(self.head_dim);
        &self.blocks[block].values[kv_head * size..][..size]
    }
}

impl Block {
    /// Zeroed memory is left to the system until it is written, so a short sequence costs no whole block.
    fn new(kv_heads: usize, head_dim: usize) -> Self {
        Self {
            keys: bytemuck::zeroed_vec(kv_heads * BLOCK / LANES * head_dim),
            values: bytemuck::zeroed_vec(kv_heads * BLOCK * lanes(head_dim)),
        }
    }
}

/// Lanes that hold one head's features.
pub(crate) fn lanes(head_dim: usize) -> usize {
    head_dim.div_ceil(LANES)
}
