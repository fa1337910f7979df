//! Soft-cap and log-n against tables computed by the original implementations (transformers 4.57.6, Qwen-7B's own
//! code).

use camelid_attention::{log_n, softcap};
use camelid_kernels::Backend;
use safetensors::SafeTensors;

const SOFTCAP: &[u8] = include_bytes!("data/softcap.safetensors");
const LOG_N: &[u8] = include_bytes!("data/log_n.safetensors");

fn read<const SIZE: usize, T>(file: &[u8], name: &str, number: fn([u8; SIZE]) -> T) -> Vec<T> {
    let file = SafeTensors::deserialize(file).expect("well-formed");
    let tensor = file.tensor(name).expect(name);
    tensor.data().as_chunks::<SIZE>().0.iter().map(|bytes| number(*bytes)).collect()
}

#[test]
fn softcap_is_as_exact_as_the_reference() {
    for cap in [5, 30, 50] {
        let reference = read(SOFTCAP, &format!("softcap.{cap}"), f32::from_le_bytes);
        let exact = read(SOFTCAP, &format!("softcap.{cap}.f64"), f64::from_le_bytes);
        let mut ours = read(SOFTCAP, "softcap.x", f32::from_le_bytes);
        softcap(&mut ours, cap as f32, &Backend::serial());
        let error = |values: &[f32]| {
            values.iter().zip(&exact).map(|(x, y)| (f64::from(*x) - y).abs()).fold(0.0, f64::max)
        };
        // One unit in the last place of the cap, or the reference's own error.
        let bound = error(&reference).max(f64::from(cap) * f64::from(f32::EPSILON));
        assert!(
            error(&ours) <= bound,
            "cap {cap}: {:.1e}, the reference has {:.1e}",
            error(&ours),
            error(&reference)
        );
    }
}

#[test]
fn log_n_equals_the_reference_bit_for_bit() {
    for trained in [24, 2048, 8192] {
        let places = read(LOG_N, &format!("logn.{trained}.index"), i64::from_le_bytes);
        let expected = read(LOG_N, &format!("logn.{trained}.value"), f32::from_le_bytes);
        assert!(expected.iter().any(|&factor| factor > 1.0));
        for (i, expected) in places.into_iter().zip(expected) {
            assert_eq!(log_n(i as usize, trained), expected, "position {i}, trained on {trained}");
        }
    }
}
