//! An example of each row, told as it is.

use super::*;

/// One example of each row, in the order of the rows.
fn files() -> Vec<(&'static str, Vec<u8>)> {
    let tar = [vec![b'x'; 257], b"ustar\x0000".to_vec()].concat();
    let sizes = [64_i32, 172, 5, 8, 4, -512, 512].iter().flat_map(|size| size.to_le_bytes()).collect();
    let imatrix = [&[1, 0, 0, 0, 19, 0, 0, 0][..], b"blk.0.attn_q.weight"].concat();
    let safetensors = [&2_u64.to_le_bytes()[..], b"{}"].concat();
    let torch = [&b"PK\x03\x04"[..], &[0; 26], b"archive/data.pkl"].concat();
    let manifest = br#"{"mediaType":"application/vnd.docker.distribution.manifest.v2+json"}"#.to_vec();
    let plain: &[(&str, &[u8])] = &[
        ("an empty file", b""),
        ("a Git LFS pointer", b"version https://git-lfs.github.com/spec/v1\noid sha256:4"),
        ("the text of a link", b"../../blobs/0123abcd"),
        ("a file of zeros", &[0; 64]),
        ("a web page", b" \n<!DOCTYPE html>\n<html>"),
        ("a GGML file", b"tjgg\x03\0\0\0"),
        ("a program", b"MZqFpD='\n"),
        ("an archive (gzip)", b"\x1f\x8b\x08"),
        ("an archive (bzip2)", b"BZh9"),
        ("an archive (xz)", b"\xfd7zXZ\0"),
        ("an archive (zstd)", b"\x28\xb5\x2f\xfd"),
        ("an archive (7z)", b"7z\xbc\xaf\x27\x1c"),
        ("an archive (rar)", b"Rar!\x1a\x07"),
        ("an archive (tar)", &tar),
        ("a file of PyTorch's", &torch),
        ("an archive (zip)", b"PK\x03\x04\x14\0"),
        ("a bare pickle", b"\x80\x02}q\0."),
        ("an HDF5 file", b"\x89HDF\r\n\x1a\n"),
        ("a NumPy array", b"\x93NUMPY\x01\0"),
        ("a TensorFlow Lite model", b"\x1c\0\0\0TFL3"),
        ("an ExecuTorch model", b"\x1c\0\0\0ET12"),
        ("an ONNX model", b"\x08\x08\x12\x07pytorch"),
        ("a table of data", b"PAR1"),
        ("a side file of macOS", b"\0\x05\x16\x07\0\x02\0\0Mac OS X"),
        ("an importance matrix", &imatrix),
        ("a checkpoint of a small C program", b""),
        ("a GGUF file under another name", b"GGUF\x03\0\0\0"),
        ("a safetensors file under another name", &safetensors),
        ("a manifest of ollama's", &manifest),
        ("text", b"Entry not found"),
    ];
    let mut examples: Vec<_> = plain.iter().map(|(is, bytes)| (*is, bytes.to_vec())).collect();
    examples[25].1 = sizes;
    examples
}

#[test]
fn every_row_of_files_is_told_by_its_example() {
    let examples = files();
    assert_eq!(examples.len(), FILES.len());
    for ((is, bytes), row) in examples.iter().zip(FILES) {
        let told = of_bytes(bytes).map(|row| row.is).unwrap_or_default();
        assert!(told.starts_with(is) && told == row.is, "{is}: told as {told:?}");
    }
}

#[test]
fn what_is_none_of_these_is_not_told() {
    assert!(of_bytes(&[0xff; 64]).is_none());
    assert!(of_bytes(b"\x01\x02\x03\x04\xff\xff\xff\xff\xff").is_none());
}

#[test]
fn every_row_of_layouts_is_told_by_the_names_that_it_asks_for() {
    for row in LAYOUTS {
        let Holds(globs) = row.mark else { panic!("{}: a folder is told by names", row.is) };
        let names: Vec<String> = globs.iter().map(|glob| glob.replace('*', "x")).collect();
        let told = of_names(&names).map(|row| row.is);
        assert_eq!(told, Some(row.is), "{names:?}");
    }
    assert!(of_names(&["config.json".to_owned(), "README.md".to_owned()]).is_none());
}
