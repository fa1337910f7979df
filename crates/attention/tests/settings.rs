//! Settings that describe no attention are refused with their place; the cache counts its memory.

use camelid_attention::{Attention, BLOCK, Cache, Error, Settings};
use camelid_kernels::{Backend, Compute};
use ndarray::Array3;

#[track_caller]
fn refused(settings: Settings, message: &str) {
    let error: Error = Attention::new(settings).expect_err("refused");
    assert_eq!(error.to_string(), message);
}

#[test]
fn settings_are_checked_once() {
    let good = Settings::plain(6, 2, 8);
    assert!(Attention::new(good.clone()).is_ok());
    refused(Settings { heads: 0, ..good.clone() }, "heads is 0, but must be at least 1");
    refused(Settings { kv_heads: 0, ..good.clone() }, "kv_heads is 0, but must be at least 1");
    refused(Settings { head_dim: 0, ..good.clone() }, "head_dim is 0, but must be at least 1");
    refused(Settings { kv_heads: 4, ..good.clone() }, "6 heads can't share 4 kv heads evenly");
    refused(Settings { kv_heads: 12, ..good.clone() }, "6 heads can't share 12 kv heads evenly");
    refused(Settings { scale: f64::NAN, ..good.clone() }, "the scale NaN is not a finite 32-bit number");
    refused(
        Settings { scale: 1e39, ..good.clone() },
        "the scale 1000000000000000000000000000000000000000 is not a finite 32-bit number",
    );
    refused(
        Settings { softcap: Some(0.0), ..good.clone() },
        "the soft-cap 0 is not a positive finite 32-bit number",
    );
    refused(
        Settings { softcap: Some(-5.0), ..good.clone() },
        "the soft-cap -5 is not a positive finite 32-bit number",
    );
    refused(Settings { slopes: Some(vec![0.5; 5]), ..good.clone() }, "5 slopes for 6 heads");
    refused(Settings { sinks: Some(vec![0.5; 7]), ..good.clone() }, "7 sinks for 6 heads");
    let slopes = Some(vec![0.5, 0.5, f32::INFINITY, 0.5, 0.5, 0.5]);
    refused(Settings { slopes, ..good }, "the slope inf of head 2 is not finite");
}

#[test]
fn memory_is_linear_in_the_length_and_forks_share_it() {
    let bytes_of_a_block = BLOCK * 2 * (8 + 16) * 4; // 2 kv heads; keys of 8 features, values on lanes of 16
    let mut cache = Cache::new(2, 8, Compute::F32);
    assert_eq!(cache.bytes(), 0);
    for blocks in 1..5 {
        let tokens = Array3::zeros((BLOCK, 2, 8));
        cache.append(tokens.view(), tokens.view(), &Backend::serial());
        assert_eq!(cache.bytes(), blocks * bytes_of_a_block);
        assert!(!cache.is_empty());
    }
    cache.truncate(BLOCK + 1);
    assert_eq!((cache.len(), cache.bytes()), (BLOCK + 1, 2 * bytes_of_a_block));
    cache.truncate(7 * BLOCK);
    assert_eq!(cache.len(), BLOCK + 1);
    cache.truncate(0);
    assert!(cache.is_empty());
    assert_eq!(cache.bytes(), 0);
}

#[test]
#[should_panic(expected = "keys [3, 2, 8] and values [3, 2, 9] for a cache of [_, 2, 8]")]
fn misshapen_values_panic_with_both_shapes() {
    let mut cache = Cache::new(2, 8, Compute::F32);
    cache.append(Array3::zeros((3, 2, 8)).view(), Array3::zeros((3, 2, 9)).view(), &Backend::serial());
}
