//! Targets for the binary formats of checkpoints, and for config.json.

use std::path::Path;
use std::sync::{Arc, LazyLock};

use camelid::checkpoint::{
    Checkpoint, Source, Tensor, parse_json, read_gguf, read_npy, read_npz, read_safetensors, read_torch, told,
};
use camelid::families::Library;
use camelid::generate::{How, Opened, WhichTemplate};
use camelid::verify::Reference;

fn source(bytes: Vec<u8>) -> Arc<Source> {
    Arc::new(Source::from_bytes("fuzz", bytes))
}

/// All that is handed out is there.
fn touch(tensor: &Tensor) {
    let bytes = tensor.bytes().expect("what was validated can be read");
    assert_eq!(bytes.len(), tensor.byte_len());
    let _ = tensor.to_f64(); // some types hold no numbers
}

/// The header of a safetensors file, and every tensor that it leads to.
pub fn safetensors(data: &[u8]) -> bool {
    let tensors = read_safetensors(&source(data.to_vec()));
    tensors.iter().flatten().for_each(touch);
    tensors.is_ok()
}

/// Metadata and tensors of a GGUF file, de-quantised.
pub fn gguf(data: &[u8]) -> bool {
    let Ok((metadata, tensors)) = read_gguf(&source(data.to_vec())) else { return false };
    for (_, value) in metadata.iter() {
        let _ = value.to_json();
    }
    tensors.iter().for_each(touch);
    true
}

/// A GGUF file as a model: which family, the config.json that it amounts to, tokenizer, chat template.
pub fn gguf_model(data: &[u8]) -> bool {
    static LIBRARY: LazyLock<Library> = LazyLock::new(|| Library::built_in().expect("the families"));
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("fuzz.gguf");
    std::fs::write(&path, data).expect("it is written");
    let how = How::default();
    let Ok(opened) = Opened::open(&LIBRARY, path.to_str().expect("Unicode"), &how) else { return false };
    let fits = opened.architecture().is_ok();
    let _ = opened.defaults();
    let Ok(tokenizer) = opened.tokenizer() else { return false };
    super::tokenizers::touch(&*tokenizer);
    fits && opened.template(&*tokenizer, &WhichTemplate::default()).is_ok()
}

/// NumPy's `.npz` and `.npy`.
pub fn numpy(data: &[u8]) -> bool {
    let source = source(data.to_vec());
    let (arrays, alone) = (read_npz(&source), read_npy(&source, "fuzz"));
    arrays.iter().flatten().chain(&alone).for_each(touch);
    arrays.is_ok() || alone.is_ok()
}

/// A `.bin` file: as it comes, and as the pickle of a sound archive, which blind changes would hardly leave sound.
pub fn pickle(data: &[u8]) -> bool {
    let (six, two) = (&[0; 24][..], &[0; 8][..]);
    let storages = [("a/data/0", six), ("a/data/1", two), ("a/data/2", two), ("a/data/3", two)];
    let files = [data.to_vec(), archive(&[&[("a/data.pkl", data)], &storages[..]].concat())];
    let read = files.map(|bytes| read_torch(&source(bytes)));
    read.iter().flatten().flatten().for_each(touch);
    read.iter().any(Result::is_ok)
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

/// JSON objects: what is read can be written, and reads the same again.
pub fn config_json(data: &[u8]) -> bool {
    let Ok(object) = parse_json(Path::new("fuzz"), data) else { return false };
    let text = serde_json::to_string(&object).expect("what was read can be written");
    let again = parse_json(Path::new("again"), text.as_bytes()).expect("what was written can be read");
    assert_eq!(object, again);
    true
}

/// A case's reference: every table has a row per token, and what judges is finite.
pub fn case(data: &[u8]) -> bool {
    let Ok(reference) = Reference::read(&source(data.to_vec())) else { return false };
    let tokens = reference.input_ids.len();
    let tables = reference.taps.iter().map(|(_, table)| table).chain([&reference.logits]);
    for table in tables.chain(&reference.logits_f64) {
        assert_eq!(table.nrows(), tokens);
    }
    assert!(reference.logits_f64.iter().flatten().all(|value| value.is_finite()));
    true
}

/// Bytes as each of the files that a folder's weights may stand in, and as a file of another name.
pub fn folder(data: &[u8]) -> bool {
    let mut opened = false;
    for name in [
        "model.safetensors",
        "pytorch_model.bin",
        "model.safetensors.index.json",
        "config.json",
        "x.gguf",
        "other",
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        if name != "config.json" {
            std::fs::write(folder.path().join("config.json"), "{}").expect("it is written");
        }
        std::fs::write(folder.path().join(name), data).expect("it is written");
        for path in [folder.path().to_owned(), folder.path().join(name)] {
            match Checkpoint::open(&path) {
                Ok(checkpoint) => {
                    checkpoint.tensors().for_each(touch);
                    opened = true;
                }
                Err(error) => assert_eq!(error.to_string().lines().count(), 1, "{error}"),
            }
        }
    }
    let _ = told(data);
    opened
}
