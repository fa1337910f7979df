//! The keys and values of one layer, laid out for the reads of attention.

use std::ops::Range;
use std::sync::Arc;

use bytemuck::Pod;
use camelid_kernels::{BF16_DEPTH, Backend, Compute, LANES, Lane, PANEL};
use half::bf16;
use ndarray::{Array3, ArrayView3, Axis};

/// Positions of one block: the unit of growth, of sharing between forks, and of the sums in
/// [`crate::Attention::forward`].
pub const BLOCK: usize = 256;

/// Keys and values of one layer, `[len, kv_heads, head_dim]` each: append, truncate, clone to fork.
///
/// They are kept in the type that attention over them is computed in: f32, or bf16 in pairs, to which they are rounded.
///
/// ```text
///         f32                                                       bf16, pairs of
/// keys    [block][kv_head][panel of 32 positions][head_dim][32]     features:  […][head_dim / 2][32][2]
/// values  [block][kv_head][panel of 32 features][position][32]      positions: […][position / 2][32][2]
/// ```
/// The last panel of values may be 16 features wide. Keys in bf16 are filled up to a multiple of 32 features.
///
/// Memory is linear in the length: 8 · kv_heads · head_dim bytes for each position (more where head_dim is no
/// multiple of 16, in bf16 of 32), half of it in bf16, reserved block by block; nothing that is stored moves when the
/// cache grows. A clone shares all blocks, and copies one only when it writes to it. [`Cache::forget_before`] gives
/// back the blocks that no query sees any more, so that a window bounds memory.
#[derive(Clone, Debug)]
pub struct Cache {
    layout: Layout,
    len: usize,
    /// Blocks from the beginning that are forgotten.
    forgotten: usize,
    blocks: Vec<Arc<Block>>,
}

/// What lies where in a block.
#[derive(Clone, Copy, Debug)]
struct Layout {
    kv_heads: usize,
    head_dim: usize,
    compute: Compute,
}

#[derive(Clone, Debug)]
struct Block {
    keys: Vec<Lane>,
    values: Vec<Lane>,
}

/// One head in one block, and the tokens of a call that go there.
struct Part<'a> {
    head: usize,
    /// Tokens of the call.
    tokens: Range<usize>,
    /// Where the first of them goes.
    at: usize,
    keys: &'a mut [Lane],
    values: &'a mut [Lane],
}

impl Cache {
    /// An empty cache for attention in this type.
    ///
    /// # Panics
    /// Where a size is 0.
    #[track_caller]
    pub fn new(kv_heads: usize, head_dim: usize, compute: Compute) -> Self {
        assert!(kv_heads > 0 && head_dim > 0, "a cache of {kv_heads} kv heads of {head_dim} features");
        Self { layout: Layout { kv_heads, head_dim, compute }, len: 0, forgotten: 0, blocks: Vec::new() }
    }

    /// Appends the keys and values of the next tokens, `[tokens, kv_heads, head_dim]` each.
    ///
    /// # Panics
    /// Where the shapes don't fit the cache or each other.
    #[track_caller]
    pub fn append(&mut self, keys: ArrayView3<'_, f32>, values: ArrayView3<'_, f32>, backend: &Backend) {
        let Layout { kv_heads, head_dim, .. } = self.layout;
        let fits = keys.shape() == values.shape() && keys.shape()[1..] == [kv_heads, head_dim];
        let shapes = (keys.shape(), values.shape());
        assert!(
            fits,
            "keys {:?} and values {:?} for a cache of [_, {kv_heads}, {head_dim}]",
            shapes.0, shapes.1
        );
        let (first, tokens) = (self.len, keys.len_of(Axis(0)));
        let end = first + tokens;
        let (layout, forgotten) = (self.layout, self.forgotten);
        self.blocks.resize_with(end.div_ceil(BLOCK) - forgotten, || Arc::new(layout.block()));
        let changed = (forgotten..).zip(&mut self.blocks).skip(first / BLOCK - forgotten);
        let mut parts: Vec<Part<'_>> = changed
            .flat_map(|(index, block)| {
                let from = first.max(index * BLOCK);
                let tokens = from - first..end.min((index + 1) * BLOCK) - first;
                layout.parts(Arc::make_mut(block), tokens, from % BLOCK)
            })
            .collect();
        let (keys, values) = (keys.as_standard_layout(), values.as_standard_layout());
        let rows = [&keys, &values].map(|x| x.as_slice().expect("standard layout"));
        let write = |part: &mut Part<'_>| layout.write(part, rows, backend);
        if tokens < WORTH_SHARING {
            parts.iter_mut().for_each(write);
        } else {
            backend.run_each(&mut parts, |_, part| write(part));
        }
        self.len = end;
    }

    /// Forgets all positions from `len` on; does nothing where there are none. With 0 it is as new.
    ///
    /// # Panics
    /// Where positions before `len` are forgotten already, and `len` is not 0.
    #[track_caller]
    pub fn truncate(&mut self, len: usize) {
        if len >= self.len {
            return;
        }
        if len == 0 {
            (self.len, self.forgotten) = (0, 0);
            self.blocks.clear();
            return;
        }
        assert!(
            len >= self.first(),
            "{len} positions of a cache that has forgotten those before {}",
            self.first()
        );
        self.blocks.truncate(len.div_ceil(BLOCK) - self.forgotten);
        if !len.is_multiple_of(self.depth()) {
            let end = self.len.min(len.next_multiple_of(BLOCK));
            let positions = len % BLOCK..len % BLOCK + end - len;
            self.layout.forget(Arc::make_mut(&mut self.blocks[len / BLOCK - self.forgotten]), positions);
        }
        self.len = len;
    }

    /// Forgets positions before this one, as far as they fill blocks; those that are left keep their places. What a
    /// query sees must begin at [`Cache::first`] or later from then on.
    pub fn forget_before(&mut self, position: usize) {
        let blocks = (position.min(self.len) / BLOCK).saturating_sub(self.forgotten);
        self.blocks.drain(..blocks);
        self.forgotten += blocks;
    }

    /// Positions from the beginning of the sequence, those that are forgotten among them.
    pub fn len(&self) -> usize {
        self.len
    }

    /// The first position that is not forgotten.
    pub fn first(&self) -> usize {
        self.forgotten * BLOCK
    }

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Key and value heads.
    pub fn kv_heads(&self) -> usize {
        self.layout.kv_heads
    }

    /// Features of one head.
    pub fn head_dim(&self) -> usize {
        self.layout.head_dim
    }

    /// The type that keys and values are kept in, and attention over them is computed in.
    pub fn compute(&self) -> Compute {
        self.layout.compute
    }

    /// Bytes reserved for keys and values; blocks that forks share count in each.
    pub fn bytes(&self) -> usize {
        let size =
            |block: &Block| std::mem::size_of_val(&*block.keys) + std::mem::size_of_val(&*block.values);
        self.blocks.iter().map(|block| size(block)).sum()
    }

    /// A copy of the keys from the first on, `[len − first, kv_heads, head_dim]`.
    pub fn keys(&self) -> Array3<f32> {
        self.copy(|block, at| element(&block.keys, self.layout.key(at), self.layout.compute))
    }

    /// A copy of the values from the first on, `[len − first, kv_heads, head_dim]`.
    pub fn values(&self) -> Array3<f32> {
        self.copy(|block, at| element(&block.values, self.layout.value(at), self.layout.compute))
    }

    fn copy(&self, element: impl Fn(&Block, [usize; 3]) -> f32) -> Array3<f32> {
        let Layout { kv_heads, head_dim, .. } = self.layout;
        Array3::from_shape_fn((self.len - self.first(), kv_heads, head_dim), |(position, head, feature)| {
            element(&self.blocks[position / BLOCK], [head, position % BLOCK, feature])
        })
    }

    /// Elements that the depth of a product is a multiple of.
    pub(crate) fn depth(&self) -> usize {
        self.layout.depth()
    }

    /// Some panels of the keys of one head in one block: `[panel][units of features][2]` lanes.
    pub(crate) fn key_panels(&self, block: usize, kv_head: usize, panels: Range<usize>) -> &[Lane] {
        let size = self.layout.key_lanes();
        let panel = size / (BLOCK / LANES / PANEL);
        &self.blocks[block - self.forgotten].keys[kv_head * size..][panels.start * panel..panels.end * panel]
    }

    /// The values of one head in one block: `[panel][units of positions][2]` lanes.
    pub(crate) fn value_panels(&self, block: usize, kv_head: usize) -> &[Lane] {
        let size = self.layout.value_lanes();
        &self.blocks[block - self.forgotten].values[kv_head * size..][..size]
    }
}

/// From this number of tokens on, several threads write them.
const WORTH_SHARING: usize = 16;

impl Layout {
    /// Elements of a unit: two neighbours in the depth of a product lie together in bf16.
    fn unit(self) -> usize {
        match self.compute {
            Compute::F32 | Compute::Q8 => 1,
            Compute::Bf16 => 2,
        }
    }

    /// Elements that the depth of a product is a multiple of.
    fn depth(self) -> usize {
        match self.compute {
            Compute::F32 | Compute::Q8 => 1,
            Compute::Bf16 => BF16_DEPTH,
        }
    }

    /// Units of one key.
    fn key_units(self) -> usize {
        self.head_dim.next_multiple_of(self.depth()) / self.unit()
    }

    /// Zeroed memory is left to the system until it is written, so a short sequence costs no whole block.
    fn block(self) -> Block {
        Block {
            keys: bytemuck::zeroed_vec(self.kv_heads * self.key_lanes()),
            values: bytemuck::zeroed_vec(self.kv_heads * self.value_lanes()),
        }
    }

    /// Lanes of one head's keys in a block.
    fn key_lanes(self) -> usize {
        BLOCK / LANES * self.key_units()
    }

    /// Lanes of one head's values in a block.
    fn value_lanes(self) -> usize {
        BLOCK / self.unit() * lanes(self.head_dim)
    }

    /// Where among the elements of a block's keys a feature of a head lies, at a position of the block.
    fn key(self, [head, at, feature]: [usize; 3]) -> usize {
        let (unit, panel) = (self.unit(), at / LANES / PANEL);
        let row = panel * self.key_units() + feature / unit;
        let lane = head * self.key_lanes() + row * PANEL + at / LANES % PANEL;
        (lane * LANES + at % LANES) * unit + feature % unit
    }

    /// Where among the elements of a block's values a feature of a head lies, at a position of the block.
    fn value(self, [head, at, feature]: [usize; 3]) -> usize {
        let (unit, lane) = (self.unit(), feature / LANES);
        let (first, side) = (lane - lane % PANEL, PANEL.min(lanes(self.head_dim) - (lane - lane % PANEL)));
        let lane = head * self.value_lanes() + first * (BLOCK / unit) + at / unit * side + lane % PANEL;
        (lane * LANES + feature % LANES) * unit + at % unit
    }

    /// A block cut by heads.
    fn parts(self, block: &mut Block, tokens: Range<usize>, at: usize) -> impl Iterator<Item = Part<'_>> {
        let keys = block.keys.chunks_exact_mut(self.key_lanes());
        let heads = keys.zip(block.values.chunks_exact_mut(self.value_lanes())).enumerate();
        heads.map(move |(head, (keys, values))| Part { head, tokens: tokens.clone(), at, keys, values })
    }

    /// Writes the tokens of a part; keys and values are those of the call, `[tokens, kv_heads, head_dim]`.
    fn write(self, part: &mut Part<'_>, [keys, values]: [&[f32]; 2], backend: &Backend) {
        let mut rounded = [vec![bf16::ZERO; self.head_dim], vec![bf16::ZERO; self.head_dim]];
        for (at, token) in (part.at..).zip(part.tokens.clone()) {
            let start = (token * self.kv_heads + part.head) * self.head_dim;
            let rows = [keys, values].map(|x| &x[start..start + self.head_dim]);
            match self.compute {
                Compute::F32 | Compute::Q8 => self.place::<f32, 1>(part, at, rows),
                Compute::Bf16 => {
                    rows.iter().zip(&mut rounded).for_each(|(row, rounded)| backend.round(row, rounded));
                    self.place::<bf16, 2>(part, at, [&rounded[0], &rounded[1]]);
                }
            }
        }
    }

    /// Clears bf16 values that are read beside the last position, with a weight of 0: a NaN times 0 is one.
    fn forget(self, block: &mut Block, positions: Range<usize>) {
        let values: &mut [bf16] = bytemuck::cast_slice_mut(&mut block.values);
        for (head, at) in (0..self.kv_heads).flat_map(|head| positions.clone().map(move |at| (head, at))) {
            (0..self.head_dim).for_each(|feature| values[self.value([head, at, feature])] = bf16::ZERO);
        }
    }

    /// Writes one key and value, each in units of `UNIT` elements.
    fn place<T: Pod, const UNIT: usize>(self, part: &mut Part<'_>, at: usize, [key, value]: [&[T]; 2]) {
        let keys: &mut [T] = bytemuck::cast_slice_mut(part.keys);
        let start = self.key([0, at, 0]);
        for (feature, &x) in key.iter().enumerate() {
            keys[start + feature / UNIT * (PANEL * LANES * UNIT) + feature % UNIT] = x;
        }
        let values: &mut [T] = bytemuck::cast_slice_mut(part.values);
        for (lane, features) in value.chunks(LANES).enumerate() {
            let unit = self.value([0, at - at % UNIT, lane * LANES]);
            let units = values[unit..unit + features.len() * UNIT].chunks_exact_mut(UNIT);
            units.zip(features).for_each(|(unit, &x)| unit[at % UNIT] = x);
        }
    }
}

/// Element number `index` of what these lanes hold.
fn element(lanes: &[Lane], index: usize, compute: Compute) -> f32 {
    match compute {
        Compute::F32 | Compute::Q8 => bytemuck::cast_slice::<Lane, f32>(lanes)[index],
        Compute::Bf16 => bytemuck::cast_slice::<Lane, bf16>(lanes)[index].to_f32(),
    }
}

/// Lanes that hold one head's features, as f32 or as units of one position or two.
pub(crate) fn lanes(head_dim: usize) -> usize {
    head_dim.div_ceil(LANES)
}
