//! Prefill and decode of one layer, in the shapes of small released models: `cargo bench -p camelid-attention`.
//!
//! Prefill counts floating-point operations (compare with the machine's peak), decode the bytes of keys and values
//! that it must read (compare with the machine's bandwidth, or the caches' for short contexts).

use camelid_attention::{Attention, Cache, Reach, Segment, Settings};
use camelid_kernels::{Backend, Compute};
use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use ndarray::Array3;

/// Heads, kv heads, features of a head.
const SHAPES: [[usize; 3]; 2] = [[14, 2, 64], [8, 4, 256]];

fn main() {
    divan::main();
}

fn noise(shape: (usize, usize, usize)) -> Array3<f32> {
    let mut state = 1_u32;
    Array3::from_shape_simple_fn(shape, || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    })
}

/// Attention and a cache of `len` positions.
fn layer([heads, kv_heads, head_dim]: [usize; 3], len: usize, compute: Compute) -> (Attention, Cache) {
    let attention = Attention::new(Settings::plain(heads, kv_heads, head_dim)).expect("heads share evenly");
    let mut cache = attention.cache(compute);
    let kept = noise((len, kv_heads, head_dim));
    cache.append(kept.view(), kept.view(), &Backend::serial());
    (attention, cache)
}

#[divan::bench(max_time = 0.5, args = [512, 2048, 4096], consts = [0, 1])]
fn prefill<const SHAPE: usize>(bencher: Bencher<'_, '_>, tokens: usize) {
    run(bencher, SHAPE, tokens, Backend::serial());
}

#[divan::bench(max_time = 0.5, args = [512, 2048], consts = [0, 1])]
fn prefill_on_two_threads<const SHAPE: usize>(bencher: Bencher<'_, '_>, tokens: usize) {
    run(bencher, SHAPE, tokens, Backend::new(2, Compute::F32));
}

fn run(bencher: Bencher<'_, '_>, shape: usize, tokens: usize, backend: Backend) {
    let (attention, cache) = layer(SHAPES[shape], tokens, backend.compute());
    let [heads, _, head_dim] = SHAPES[shape];
    let (queries, reach) = (noise((tokens, heads, head_dim)), Reach::Causal.runs(0..tokens));
    let pairs = tokens * (tokens + 1) / 2;
    bencher.counter(ItemsCount::new(4 * pairs * heads * head_dim)).bench_local(|| {
        attention.forward(black_box(&[Segment { queries: queries.view(), reach: &reach }]), &cache, &backend)
    });
}

#[divan::bench(max_time = 0.5, args = [512, 4096, 32_768], consts = [0, 1])]
fn decode<const SHAPE: usize>(bencher: Bencher<'_, '_>, len: usize) {
    step(bencher, SHAPE, len, Backend::serial());
}

#[divan::bench(max_time = 0.5, args = [512, 4096, 32_768], consts = [0, 1])]
fn decode_on_two_threads<const SHAPE: usize>(bencher: Bencher<'_, '_>, len: usize) {
    step(bencher, SHAPE, len, Backend::new(2, Compute::F32));
}

fn step(bencher: Bencher<'_, '_>, shape: usize, len: usize, backend: Backend) {
    let (attention, cache) = layer(SHAPES[shape], len, backend.compute());
    let [heads, kv_heads, head_dim] = SHAPES[shape];
    let (queries, reach) = (noise((1, heads, head_dim)), Reach::Causal.runs(len - 1..len));
    bencher.counter(BytesCount::new(8 * len * kv_heads * head_dim)).bench_local(|| {
        attention.forward(black_box(&[Segment { queries: queries.view(), reach: &reach }]), &cache, &backend)
    });
}

#[divan::bench(max_time = 0.5, args = [512, 4096])]
fn append(bencher: Bencher<'_, '_>, tokens: usize) {
    let attention = Attention::new(Settings::plain(14, 2, 64)).expect("heads share evenly");
    let kept = noise((tokens, 2, 64));
    bencher.counter(BytesCount::new(8 * tokens * 2 * 64)).bench_local(|| {
        let mut cache = attention.cache(Compute::F32);
        cache.append(kept.view(), kept.view(), &Backend::serial());
        cache
    });
}
