//! Every parser against files with a few bytes changed: no panic, nothing handed out that is not there, and no memory that
//! the file does not account for. The allocator of this binary gives no more than 64 MiB.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::alloc::System;
use std::path::PathBuf;
use std::sync::Arc;

use camelid_checkpoint::{
    Error, Source, Tensor, parse_json, read_gguf, read_npz, read_safetensors, read_torch,
};
use cap::Cap;
use proptest::prelude::*;

mod support;
use support::ones;

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, 64 << 20);

type Reader = fn(&Arc<Source>) -> Result<Vec<Tensor>, Error>;

/// Name, reader, a sound file, and how many of its bytes are worth bending.
fn files() -> Vec<(&'static str, Reader, Vec<u8>, usize)> {
    let data = |name: &str| {
        std::fs::read([env!("CARGO_MANIFEST_DIR"), "tests", "data", name].iter().collect::<PathBuf>())
            .unwrap()
    };
    let gguf: Reader = |source| read_gguf(source).map(|(_, tensors)| tensors);
    let (module, reference, arrays) = (data("module.bin"), data("reference.gguf"), data("stored.npz"));
    let (whole, all) = (module.len(), arrays.len());
    vec![
        ("safetensors", read_safetensors, ones(&["a", "b.weight", "c"]), 200),
        ("gguf", gguf, reference, 3000),
        ("torch", read_torch, module, whole),
        ("numpy", read_npz, arrays, all),
    ]
}

/// Reads, and touches all that is handed out.
fn touch(reader: Reader, bytes: Vec<u8>) {
    let length = bytes.len();
    let Ok(tensors) = reader(&Arc::new(Source::from_bytes("bent", bytes))) else { return };
    for tensor in tensors {
        assert_eq!(tensor.bytes().unwrap().len(), tensor.byte_len(), "{tensor:?}");
        assert!(tensor.byte_len() <= length, "{tensor:?}");
        // Integers are refused, by type.
        let _ = tensor.to_f32();
    }
}

#[test]
fn a_huge_number_anywhere_is_harmless() {
    for (_, reader, bytes, head) in files() {
        for at in 0..head.min(bytes.len() - 8) {
            for number in [u64::MAX, 1 << 60, 1 << 40, 1 << 31, 1 << 24] {
                let mut bent = bytes.clone();
                bent[at..at + 8].copy_from_slice(&number.to_le_bytes());
                touch(reader, bent);
            }
        }
    }
}

#[test]
fn any_bit_turned_is_harmless() {
    for (_, reader, bytes, head) in files() {
        for at in 0..head.min(bytes.len()) {
            for bit in 0..8 {
                let mut bent = bytes.clone();
                bent[at] ^= 1 << bit;
                touch(reader, bent);
            }
        }
    }
}

proptest! {
    #[test]
    fn bent_and_cut_files_are_harmless(
        which in 0_usize..3,
        bends in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let (_, reader, mut bytes, head) = files().swap_remove(which);
        let head = head.min(bytes.len());
        for (at, value) in bends {
            bytes[at.index(head)] = value;
        }
        touch(reader, bytes[..cut.index(bytes.len())].to_vec());
        touch(reader, bytes);
    }

    #[test]
    fn any_bytes_are_harmless(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        for (_, reader, mut file, _) in files() {
            touch(reader, bytes.clone());
            // Behind a sound beginning, and before a sound end.
            let half = file.len() / 2;
            touch(reader, [&file[..half.min(24)], &bytes].concat());
            touch(reader, [&bytes[..], &file.split_off(half)].concat());
        }
        let _ = parse_json("bent".as_ref(), &bytes);
    }

    #[test]
    fn json_like_text_is_read_as_serde_reads_it(text in r#"\{("[ab]":[\[{]?[0-9]{0,2}[\]}]?,?){0,4}\}"#) {
        let reference = serde_json::from_str::<serde_json::Map<_, _>>(&text);
        match (parse_json("text".as_ref(), text.as_bytes()), reference) {
            (Ok(ours), Ok(reference)) => prop_assert_eq!(ours, reference),
            (Err(_), Err(_)) => {}
            // Stricter in one thing only.
            (Err(ours), Ok(_)) => prop_assert!(ours.to_string().contains("stands twice"), "{}", ours),
            (Ok(_), Err(reference)) => prop_assert!(false, "{} was refused: {}", text, reference),
        }
    }
}
