//! The header of a safetensors file, and every tensor that it leads to.
#![no_main]

use std::sync::Arc;

use camelid_checkpoint::{Source, read_safetensors};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let source = Arc::new(Source::from_bytes("fuzz", data.to_vec()));
    for tensor in read_safetensors(&source).into_iter().flatten() {
        let bytes = tensor.bytes().expect("what was validated can be read");
        assert_eq!(bytes.len(), tensor.byte_len());
        let _ = tensor.to_f64();
    }
});
