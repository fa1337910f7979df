//! Metadata and tensors of a GGUF file, de-quantised.
#![no_main]

use std::sync::Arc;

use camelid_checkpoint::{Source, read_gguf};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let source = Arc::new(Source::from_bytes("fuzz", data.to_vec()));
    let Ok((metadata, tensors)) = read_gguf(&source) else { return };
    for (_, value) in metadata.iter() {
        let _ = value.to_json();
    }
    for tensor in tensors {
        let bytes = tensor.bytes().expect("what was validated can be read");
        assert_eq!(bytes.len(), tensor.byte_len());
        let _ = tensor.to_f32();
    }
});
