//! `GgufWriter`: what it writes is read back as it was, and what is not whole is not there.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use camelid_checkpoint::gguf::{GgufWriter, Value};
use camelid_checkpoint::{Checkpoint, Dtype, Planned, Tensor};

const REFERENCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/reference.gguf");

fn metadata(checkpoint: &Checkpoint) -> Vec<(String, Value)> {
    let metadata = checkpoint.gguf_metadata().unwrap();
    // The alignment of the file that is written is its own.
    let keys = metadata.iter().filter(|(key, _)| *key != "general.alignment");
    keys.map(|(key, value)| (key.to_owned(), value.clone())).collect()
}

fn plan(tensors: &[&Tensor]) -> Vec<Planned> {
    let planned = |tensor: &&Tensor| Planned {
        name: tensor.name().to_owned(),
        dtype: tensor.dtype(),
        shape: tensor.shape().to_owned(),
    };
    tensors.iter().map(planned).collect()
}

fn planned(name: &str, dtype: Dtype, shape: &[usize]) -> Planned {
    Planned { name: name.to_owned(), dtype, shape: shape.to_owned() }
}

fn is_empty(folder: &Path) -> bool {
    std::fs::read_dir(folder).unwrap().next().is_none()
}

#[test]
fn every_type_and_every_kind_of_value_comes_back_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("again.gguf");
    let reference = Checkpoint::open(REFERENCE).unwrap();
    let tensors: Vec<&Tensor> = reference.tensors().collect();
    let mut writer = GgufWriter::create(&path, &metadata(&reference), &plan(&tensors)).unwrap();
    // From the last to the first, in pieces of seven bytes.
    for tensor in tensors.iter().rev() {
        let bytes = tensor.bytes().unwrap();
        let pieces = (0..bytes.len()).step_by(7).map(|at| Ok(bytes.slice(at..bytes.len().min(at + 7))));
        writer.write(tensor.name(), pieces).unwrap();
    }
    writer.finish().unwrap();
    let again = Checkpoint::open(&path).unwrap();
    assert_eq!(metadata(&again), metadata(&reference));
    assert_eq!(again.tensors().count(), tensors.len());
    for tensor in tensors {
        let own = again.tensor(tensor.name()).unwrap();
        assert_eq!((own.dtype(), own.shape()), (tensor.dtype(), tensor.shape()), "{}", tensor.name());
        assert_eq!(own.bytes().unwrap(), tensor.bytes().unwrap(), "{}", tensor.name());
    }
}

#[test]
fn what_is_not_whole_is_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("half.gguf");
    let two = [planned("a", Dtype::F32, &[2]), planned("b", Dtype::F32, &[2])];
    let begin = || GgufWriter::create(&path, &[], &two).unwrap();
    let told = |result: Result<(), camelid_checkpoint::Error>, words: &str| {
        let error = result.unwrap_err().to_string();
        assert!(error.contains(words) && error.contains("half.gguf"), "{error}");
    };
    drop(begin());
    assert!(is_empty(folder.path()));
    let mut writer = begin();
    writer.write("a", [Ok(vec![0; 8].into())]).unwrap();
    told(writer.write("a", [Ok(vec![0; 8].into())]), "written already");
    told(writer.write("c", [Ok(vec![0; 8].into())]), "was not planned");
    told(writer.write("b", [Ok(vec![0; 9].into())]), "8 were planned");
    told(writer.write("b", [Ok(vec![0; 4].into())]), "8 were planned");
    told(writer.finish(), "\"b\": was planned and not written");
    assert!(is_empty(folder.path()));
    std::fs::write(&path, "kept").unwrap();
    let mut writer = begin();
    writer.write("a", [Ok(vec![0; 8].into())]).unwrap();
    writer.write("b", [Ok(vec![0; 8].into())]).unwrap();
    assert!(writer.finish().is_err(), "nothing is overwritten");
    assert_eq!(std::fs::read(&path).unwrap(), b"kept");
}

#[test]
fn what_the_format_has_not_is_refused_before_anything_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("none.gguf");
    let refused = |tensors: &[Planned], words: &str| {
        let error = GgufWriter::create(&path, &[], tensors).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
        assert!(is_empty(folder.path()));
    };
    refused(&[planned("a", Dtype::Bool, &[2])], "no type of ggml");
    refused(&[planned("a", Dtype::Q8_0, &[2, 31])], "can have the shape [2, 31]");
    refused(&[planned("a", Dtype::F32, &[2]), planned("a", Dtype::F32, &[2])], "\"a\": is planned twice");
}
