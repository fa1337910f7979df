//! What is not seen: a query without keys beside others, and what a cache has forgotten.

use camelid_attention::{Attention, Reach, Segment, Settings};
use camelid_kernels::{Backend, Compute};
use ndarray::Array3;

#[test]
fn an_empty_run_gives_zeros_wherever_it_lies() {
    let settings = Settings { scale: 1.0, ..Settings::plain(1, 1, 2) };
    let attention = Attention::new(settings).expect("good settings");
    let (keys, queries) = (Array3::<f32>::ones((40, 1, 2)), Array3::<f32>::ones((2, 1, 2)));
    let mut cache = attention.cache(Compute::F32);
    cache.append(keys.view(), keys.view(), &Backend::serial());
    for empty in [0..0, 17..17, 20..20, 40..40] {
        let reach = [0..3, empty.clone()];
        let segments = [Segment { queries: queries.view(), reach: &reach }];
        let out = attention.forward(&segments, &cache, &Backend::serial());
        assert_eq!(out.as_slice().expect("contiguous"), [1.0, 1.0, 0.0, 0.0], "{empty:?}");
    }
}

#[test]
fn nothing_is_left_of_what_a_cache_forgot() {
    let attention = Attention::new(Settings::plain(2, 2, 3)).expect("good settings");
    let backend = Backend::serial();
    let ones = Array3::<f32>::ones((1, 2, 3));
    for compute in [Compute::F32, Compute::Bf16] {
        for kept in 1..5 {
            let mut cache = attention.cache(compute);
            (0..kept).for_each(|_| cache.append(ones.view(), ones.view(), &backend));
            let spoilt = Array3::from_elem((3, 2, 3), f32::NAN);
            cache.append(spoilt.view(), spoilt.view(), &backend);
            let fork = cache.clone();
            cache.truncate(kept);
            for len in [kept, kept + 1] {
                let reach = Reach::Causal.runs(len - 1..len);
                let segment = Segment { queries: ones.view(), reach: &reach };
                let out = attention.forward(&[segment], &cache, &backend);
                assert_eq!(out, ones, "{compute:?}, {len} of {kept} kept");
                cache.append(ones.view(), ones.view(), &backend);
            }
            assert!(fork.values()[[kept, 1, 2]].is_nan(), "the fork keeps its own");
        }
    }
}
