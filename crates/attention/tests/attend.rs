//! One rule for a whole sequence: the same bits as over all keys, and no more memory than the rule needs.

use camelid_attention::{Attention, BLOCK, Reach, Segment, Settings};
use camelid_kernels::{Backend, Compute};
use ndarray::{Array3, ArrayView3, Axis, Slice};

/// Numbers that differ from place to place.
fn numbers(tokens: usize, heads: usize, seed: usize) -> Array3<f32> {
    Array3::from_shape_fn((tokens, heads, 4), |(t, h, d)| {
        ((t * 37 + h * 11 + d * 5 + seed) % 23) as f32 / 11.0 - 1.0
    })
}

fn rows(x: &Array3<f32>, from: usize, to: usize) -> ArrayView3<'_, f32> {
    x.slice_axis(Axis(0), Slice::from(from..to))
}

#[test]
fn what_is_forgotten_is_not_missed() {
    let attention = Attention::new(Settings::plain(4, 2, 4)).expect("good settings");
    let (tokens, backend) = (3 * BLOCK + 70, Backend::serial());
    let (q, k, v) = (numbers(tokens, 4, 1), numbers(tokens, 2, 2), numbers(tokens, 2, 3));
    for compute in [Compute::F32, Compute::Bf16] {
        let block = {
            let mut one = attention.cache(compute);
            one.append(rows(&k, 0, 1), rows(&v, 0, 1), &backend);
            one.bytes()
        };
        for (reach, blocks) in [
            (Reach::Causal, 4),
            (Reach::Prefix(9), 4),
            (Reach::Window(1), 1),
            (Reach::Window(100), 2),
            (Reach::Window(BLOCK), 2),
            (Reach::Chunk(BLOCK), 1),
            (Reach::Chunk(100), 2),
            (Reach::Window(usize::MAX), 4),
        ] {
            let mut whole = attention.cache(compute);
            whole.append(k.view(), v.view(), &backend);
            let runs = reach.runs(0..tokens);
            let expected =
                attention.forward(&[Segment { queries: q.view(), reach: &runs }], &whole, &backend);
            let mut cache = attention.cache(compute);
            let mut from = 0;
            for to in [10, 11, BLOCK, BLOCK + 1, 2 * BLOCK + 200, tokens - 1, tokens] {
                let [q, k, v] = [&q, &k, &v].map(|x| rows(x, from, to));
                let out = attention.attend(q, k, v, reach, &mut cache, &backend);
                assert_eq!(out, rows(&expected, from, to), "{compute:?} {reach:?} {from}..{to}");
                from = to;
            }
            assert!(cache.bytes() <= blocks * block, "{reach:?}: {} bytes, {block} a block", cache.bytes());
            assert_eq!(cache.len(), tokens);
            assert_eq!(cache.keys(), rows(&whole.keys(), cache.first(), tokens));
            // Back to what is still there, and anew.
            cache.truncate(tokens - 1);
            let [q, k, v] = [&q, &k, &v].map(|x| rows(x, tokens - 1, tokens));
            assert_eq!(
                attention.attend(q, k, v, reach, &mut cache, &backend),
                rows(&expected, tokens - 1, tokens)
            );
            cache.truncate(0);
            assert_eq!((cache.len(), cache.first(), cache.bytes()), (0, 0, 0));
        }
    }
}

#[test]
#[should_panic(expected = "a run from 0 in a cache that has forgotten those before 256")]
fn what_is_forgotten_is_not_read() {
    let attention = Attention::new(Settings::plain(1, 1, 4)).expect("good settings");
    let (x, backend) = (numbers(300, 1, 1), Backend::serial());
    let mut cache = attention.cache(Compute::F32);
    cache.append(x.view(), x.view(), &backend);
    cache.forget_before(299);
    let segment = Segment { queries: rows(&x, 299, 300), reach: &[0..300] };
    attention.forward(&[segment], &cache, &backend);
}
