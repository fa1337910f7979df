//! The keys and values of one layer, laid out for the reads of attention.

use std::sync::Arc;

use camelid_kernels::{LANES, Lane, PANEL};
use ndarray::{Array3, ArrayView3};

/// Positions of one block: the unit of growth, of sharing between forks, and of the sums in
/// [`crate::Attention::forward`].
pub const BLOCK: usize = 256;

/// Keys and values of one layer, `[len, kv_heads, head_dim]` each: append, truncate, clone to fork.
///
/// ```text
/// keys    [block][kv_head][panel of 32 positions][head_dim][32]
/// values  [block][kv_head][panel of 32 features][position][32]      the last panel may be 16 features wide
/// ```
///
/// Memory is linear in the length: 8 · kv_heads · head_dim bytes for each position (more where head_dim is no
/// multiple of 16), reserved block by block; nothing that is stored moves when the cache grows. A clone shares all
/// blocks, and copies one only when it writes to it.
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
        let (keys, values) = (keys.as_standard_layout(), values.as_standard_layout());
        let token = self.kv_heads * self.head_dim;
        let keys = keys.as_slice().expect("standard layout").chunks_exact(token);
        let values = values.as_slice().expect("standard layout").chunks_exact(token);
        for (keys, values) in keys.zip(values) {
            if self.len == self.blocks.len() * BLOCK {
                self.blocks.push(Arc::new(Block::new(self.kv_heads, self.head_dim)));
            }
            let block = Arc::make_mut(&mut self.blocks[self.len / BLOCK]);
            let heads = keys.chunks_exact(self.head_dim).zip(values.chunks_exact(self.head_dim));
            for (head, (key, value)) in heads.enumerate() {
                block.write([head, self.len % BLOCK], key, value);
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
            let first = first_key_lane([head, position % BLOCK], self.head_dim);
            self.blocks[position / BLOCK].keys[first + PANEL * feature].0[position % LANES]
        })
    }

    /// A copy of the values, `[len, kv_heads, head_dim]`.
    pub fn values(&self) -> Array3<f32> {
        Array3::from_shape_fn((self.len, self.kv_heads, self.head_dim), |(position, head, feature)| {
            let lane = value_lane([head, position % BLOCK], lanes(self.head_dim), feature / LANES);
            self.blocks[position / BLOCK].values[lane].0[feature % LANES]
        })
    }

    /// The keys of one head in one block: `[panel][head_dim][2]` lanes.
    pub(crate) fn key_panels(&self, block: usize, kv_head: usize) -> &[Lane] {
        let size = BLOCK / LANES * self.head_dim;
        &self.blocks[block].keys[kv_head * size..][..size]
    }

    /// The values of one head in one block: `[panel][BLOCK][2]` lanes.
    pub(crate) fn value_panels(&self, block: usize, kv_head: usize) -> &[Lane] {
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

    /// Writes a head's key and value at a position of the block.
    fn write(&mut self, [head, at]: [usize; 2], key: &[f32], value: &[f32]) {
        let first = first_key_lane([head, at], key.len());
        for (lane, &x) in self.keys[first..].iter_mut().step_by(PANEL).zip(key) {
            lane.0[at % LANES] = x;
        }
        for (lane, part) in value.chunks(LANES).enumerate() {
            self.values[value_lane([head, at], lanes(value.len()), lane)].0[..part.len()]
                .copy_from_slice(part);
        }
    }
}

/// The lane that holds a head's first key feature at a position of the block; the other features follow, each
/// [`PANEL`] lanes on.
fn first_key_lane([head, at]: [usize; 2], head_dim: usize) -> usize {
    let (panel, lane) = ((head * BLOCK + at) / LANES / PANEL, at / LANES % PANEL);
    panel * head_dim * PANEL + lane
}

/// Where lane `lane` of the `width` value lanes of a head lies, at a position of the block.
fn value_lane([head, at]: [usize; 2], width: usize, lane: usize) -> usize {
    let first = lane - lane % PANEL;
    (head * width + first) * BLOCK + at * PANEL.min(width - first) + lane % PANEL
}

/// Lanes that hold one head's features.
pub(crate) fn lanes(head_dim: usize) -> usize {
    head_dim.div_ceil(LANES)
}
