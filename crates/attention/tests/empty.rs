//! A query that sees no key, beside others that do.

use camelid_attention::{Attention, Segment, Settings};
use camelid_kernels::{Backend, Compute};
use ndarray::Array3;

#[test]
fn an_empty_run_gives_zeros_wherever_it_lies() {
    let settings = Settings { heads: 1, kv_heads: 1, head_dim: 2, scale: 1.0, softcap: None, slopes: None };
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
