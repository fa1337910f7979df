//! The slopes and masks of Baichuan 13B's released code.

use std::path::Path;

use camelid_alibi::{bias, slopes};
use safetensors::{Dtype, SafeTensors};

fn with_tensors(check: impl FnOnce(&SafeTensors<'_>)) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/alibi.safetensors");
    check(&SafeTensors::deserialize(&std::fs::read(path).unwrap()).unwrap());
}

fn numbers(tensors: &SafeTensors<'_>, name: &str) -> Vec<f32> {
    let view = tensors.tensor(name).unwrap();
    assert_eq!(view.dtype(), Dtype::F32);
    view.data().as_chunks().0.iter().map(|&word| f32::from_le_bytes(word)).collect()
}

#[test]
fn slopes_equal_those_of_the_reference_bit_by_bit() {
    with_tensors(|tensors| {
        for heads in 1..=64 {
            assert_eq!(slopes(heads), numbers(tensors, &format!("slopes.{heads}")), "{heads} heads");
        }
    });
}

/// The reference adds slope · j, which differs from −slope · (i − j) by the same amount for all keys of a query.
#[test]
fn biases_are_the_mask_but_for_what_all_keys_of_a_query_share() {
    const TOKENS: usize = 12;
    with_tensors(|tensors| {
        for heads in [5, 6, 8] {
            let mask = numbers(tensors, &format!("mask.{heads}"));
            for (head, slope) in slopes(heads).into_iter().enumerate() {
                for query in 0..TOKENS {
                    for key in 0..=query {
                        let wanted = mask[(head * TOKENS + query) * TOKENS + key];
                        let found = bias(slope, query, key) - bias(slope, query, 0);
                        assert!(
                            (found - wanted).abs() <= 1e-6,
                            "head {head}, {query} to {key}: {found}, {wanted}"
                        );
                    }
                }
            }
        }
    });
}
