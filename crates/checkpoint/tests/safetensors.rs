//! One safetensors file: what the reference implementation wrote, and bent files.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use camelid_checkpoint::{Dtype, Error, Mapping, Source, Tensor, read_safetensors};
use proptest::prelude::*;
use safetensors::tensor::{Dtype as Stored, TensorView};

mod support;
use support::{Folder, f32_entry, ones, safetensors as file};

fn read(bytes: Vec<u8>) -> Result<Vec<Tensor>, Error> {
    read_safetensors(&Arc::new(Source::from_bytes("bent.safetensors", bytes)))
}

#[track_caller]
fn refused(bytes: Vec<u8>, message: &str) {
    let error = read(bytes).expect_err("a bent file was read").to_string();
    assert!(error.starts_with("bent.safetensors: ") && error.contains(message), "{error}");
}

/// One entry `t`, written out, over so many bytes of data.
#[track_caller]
fn refused_entry(entry: &str, zeros: usize, message: &str) {
    refused(file(&format!(r#"{{"t":{entry}}}"#), zeros), message);
}

#[test]
fn header_that_lies() {
    refused(vec![], "0 bytes are too few");
    refused(vec![1; 7], "7 bytes are too few");
    refused((1_u64 << 60).to_le_bytes().to_vec(), "a header of 1152921504606846976 bytes");
    refused(100_000_001_u64.to_le_bytes().to_vec(), "where 100000000 are allowed");
    refused([&9_u64.to_le_bytes()[..], b"{}"].concat(), "a header of 9 bytes in a file of 10");
    refused(file("", 0), "header: EOF");
    refused(file("[]", 0), "header: invalid type: sequence");
    refused(file("{\"t\":1}", 0), "header: invalid type: integer `1`");
    refused(file("not json", 0), "header: expected ident at line 1 column 2");
    refused(file("{} {}", 0), "header: trailing characters");
    refused([&2_u64.to_le_bytes()[..], &[0xff, 0xfe]].concat(), "header: ");
    refused(file(&"[".repeat(100_000), 0), "header: ");
    refused(file("{}", 3), "its last 3 bytes belong to no tensor");
    let twice = format!("{{{},{}}}", f32_entry("t", 1, 0), f32_entry("t", 1, 0));
    refused(file(&twice, 4), "header: \"t\" stands twice");
}

#[test]
fn entry_that_lies() {
    let entry = |dtype: &str, shape: &str, offsets: &str| {
        format!(r#"{{"dtype":"{dtype}","shape":{shape},"data_offsets":{offsets}}}"#)
    };
    refused_entry(
        &entry("F32", "[2]", "[0,4]"),
        4,
        "tensor \"t\": [2] in F32 takes 8 bytes, the file gives it 4",
    );
    refused_entry(&entry("F32", "[1]", "[0,8]"), 8, "[1] in F32 takes 4 bytes, the file gives it 8");
    refused_entry(&entry("F32", "[2]", "[0,8]"), 7, "bytes of the 70 that its header asks for");
    refused_entry(&entry("F32", "[1]", "[4,8]"), 8, "data_offsets [4, 8] after bytes up to 0");
    refused_entry(&entry("F32", "[1]", "[4,0]"), 8, "data_offsets [4, 0] after");
    refused_entry(
        &entry("F32", "[1152921504606846976]", "[0,4611686018427387904]"),
        4,
        "that its header asks for",
    );
    refused_entry(
        &entry("F32", "[4294967296,4294967296]", "[0,0]"),
        0,
        "no tensor of F32 can have the shape",
    );
    refused_entry(
        &entry("U8", "[18446744073709551615]", "[0,18446744073709551615]"),
        8,
        "that its header asks for",
    );
    refused_entry(&entry("F32", "[-1]", "[0,4]"), 4, "header: invalid value: integer `-1`");
    refused_entry(&entry("F32", "[1.5]", "[0,4]"), 4, "header: invalid type: floating point `1.5`");
    refused_entry(&entry("F33", "[1]", "[0,4]"), 4, "header: unknown variant `F33`");
    refused_entry(r#"{"shape":[1],"data_offsets":[0,4]}"#, 4, "header: missing field `dtype`");
}

#[test]
fn overlap_and_gap() {
    let two = |second: usize| format!("{{{},{}}}", f32_entry("a", 2, 0), f32_entry("b", 2, second));
    assert!(read(file(&two(8), 16)).is_ok());
    refused(file(&two(4), 12), "tensor \"b\": data_offsets [4, 12] after bytes up to 8");
    refused(file(&two(12), 20), "tensor \"b\": data_offsets [12, 20] after bytes up to 8");
}

#[test]
fn bytes_at_odd_offsets_are_read() {
    let header = r#"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"#.to_owned()
        + r#""b":{"dtype":"F32","shape":[],"data_offsets":[1,5]}}"#;
    let mut bytes = file(&header, 1);
    bytes.extend(1.5_f32.to_le_bytes());
    let tensors = read(bytes).unwrap();
    assert_eq!((tensors[1].shape(), tensors[1].to_f32().unwrap()), (&[][..], vec![1.5]));
}

#[test]
fn a_mapped_tensor_is_a_share_of_the_map() {
    let folder = Folder::new(&[("model.safetensors", &ones(&["a", "b"]))]);
    let path = folder.file("model.safetensors");
    let tensors = read_safetensors(&Arc::new(Source::open(&path, Mapping::Map).unwrap())).unwrap();
    let address = |tensor: &Tensor| tensor.bytes().unwrap().as_ptr() as usize;
    assert_eq!(address(&tensors[0]), address(&tensors[0]));
    assert_eq!(address(&tensors[1]) - address(&tensors[0]), 4);
}

#[test]
fn a_file_cut_after_opening_is_an_error_when_read() {
    let folder = Folder::new(&[("model.safetensors", &ones(&["a", "b"]))]);
    let path = folder.file("model.safetensors");
    let tensors = read_safetensors(&Arc::new(Source::open(&path, Mapping::Read).unwrap())).unwrap();
    let whole = std::fs::metadata(&path).unwrap().len();
    std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(whole - 2).unwrap();
    assert!(tensors[0].bytes().is_ok());
    assert!(matches!(tensors[1].bytes(), Err(Error::Io { .. })));
}

#[test]
fn conversions_that_are_refused() {
    let tensor = |dtype, bytes: usize| Tensor::from_bytes("t", dtype, &[1], vec![0; bytes].into()).unwrap();
    let error = tensor(Dtype::I64, 8).to_f32().unwrap_err().to_string();
    assert!(error.contains("tensor \"t\" is I64 and was asked for as f32"), "{error}");
    assert!(tensor(Dtype::Bf16, 2).to_i64().is_err());
    assert!(Tensor::from_bytes("t", Dtype::F32, &[2], vec![0; 4].into()).is_err());
}

/// Tensors with names, types that both know, extents, and bytes of the right length.
fn tensors() -> impl Strategy<Value = Vec<(String, Stored, Vec<usize>, Vec<u8>)>> {
    let types = prop::sample::select(vec![Stored::F64, Stored::F32, Stored::F16, Stored::BF16, Stored::U8]);
    let one = ("[a-z\u{3b1}-\u{3c9}.\"]{1,9}", types, prop::collection::vec(0_usize..5, 0..4));
    let filled = one.prop_flat_map(|(name, stored, shape)| {
        let bytes = shape.iter().product::<usize>() * stored.bitsize() / 8;
        (Just(name), Just(stored), Just(shape), prop::collection::vec(any::<u8>(), bytes))
    });
    prop::collection::vec(filled, 0..6).prop_map(|mut list| {
        list.sort_by(|a, b| a.0.cmp(&b.0));
        list.dedup_by(|a, b| a.0 == b.0);
        list
    })
}

fn written(list: &[(String, Stored, Vec<usize>, Vec<u8>)]) -> Vec<u8> {
    let views = list.iter().map(|(name, stored, shape, bytes)| {
        (name.clone(), TensorView::new(*stored, shape.clone(), bytes).unwrap())
    });
    safetensors::serialize(views, None).unwrap()
}

proptest! {
    #[test]
    fn what_the_reference_writes_is_read(list in tensors()) {
        let mut ours = read(written(&list)).unwrap();
        ours.sort_by(|a, b| a.name().cmp(b.name()));
        prop_assert_eq!(ours.len(), list.len());
        for (ours, (name, stored, shape, bytes)) in ours.iter().zip(&list) {
            prop_assert_eq!(ours.name(), name);
            prop_assert_eq!(ours.dtype().to_string(), stored.to_string());
            prop_assert_eq!(ours.shape(), shape.as_slice());
            prop_assert_eq!(&ours.bytes().unwrap()[..], bytes.as_slice());
        }
    }

    #[test]
    fn bent_bytes_are_refused_or_read_within_the_file(
        list in tensors(),
        bends in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = written(&list);
        for (place, value) in bends {
            let place = place.index(bytes.len());
            bytes[place] = value;
        }
        let whole = bytes.len();
        for length in [whole, cut.index(whole)] {
            if let Ok(tensors) = read(bytes[..length].to_vec()) {
                let total: usize = tensors.iter().map(Tensor::byte_len).sum();
                prop_assert!(total <= length);
                prop_assert!(tensors.iter().all(|tensor| tensor.bytes().is_ok()));
            }
        }
    }

    #[test]
    fn what_the_reference_refuses_is_refused(
        list in tensors(),
        bends in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..3),
    ) {
        let mut bytes = written(&list);
        for (place, value) in bends {
            // Beyond the first 8 bytes: there the reference is quick to refuse, and the search learns nothing.
            let place = 8 + place.index(bytes.len() - 8);
            bytes[place] = value;
        }
        if safetensors::SafeTensors::deserialize(&bytes).is_err() {
            prop_assert!(read(bytes).is_err());
        }
    }
}
