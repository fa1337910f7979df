//! A `.bin` file: as it comes, and as the pickle of a sound archive, which blind changes would hardly leave sound.
#![no_main]

use std::sync::Arc;

use camelid_checkpoint::{Source, read_torch};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    read(data.to_vec());
    read(archive(&[("a/data.pkl", data), ("a/data/0", &[0; 24])]));
});

fn read(bytes: Vec<u8>) {
    let source = Arc::new(Source::from_bytes("fuzz", bytes));
    for tensor in read_torch(&source).into_iter().flatten() {
        let bytes = tensor.bytes().expect("what was validated can be read");
        assert_eq!(bytes.len(), tensor.byte_len());
    }
}

/// A zip archive of stored records.
fn archive(records: &[(&str, &[u8])]) -> Vec<u8> {
    let (mut file, mut directory) = (Vec::new(), Vec::new());
    for (name, bytes) in records {
        let size = (bytes.len() as u32).to_le_bytes();
        let name_len = (name.len() as u16).to_le_bytes();
        let offset = (file.len() as u32).to_le_bytes();
        let middle = [&[0; 14][..], &size, &size, &name_len, &[0; 2]].concat();
        file.extend([b"PK\x03\x04", &middle[..], name.as_bytes(), bytes].concat());
        directory.extend([b"PK\x01\x02\0\0", &middle[..], &[0; 10], &offset, name.as_bytes()].concat());
    }
    let offset = (file.len() as u32).to_le_bytes();
    let (count, size) = ((records.len() as u16).to_le_bytes(), (directory.len() as u32).to_le_bytes());
    file.extend(&directory);
    file.extend([b"PK\x05\x06\0\0\0\0", &count[..], &count, &size, &offset, &[0; 2]].concat());
    file
}
