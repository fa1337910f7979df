//! GGUF against the reference package's own file (`tests/reference/gguf_vectors.py`), and bent files.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::sync::Arc;

use camelid_checkpoint::gguf::{Array, Metadata, Value, original_rows};
use camelid_checkpoint::{Checkpoint, Dtype, Error, Mapping, Options, Source, Tensor, read_gguf};

const REFERENCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/reference.gguf");

fn reference() -> Checkpoint {
    Checkpoint::open(REFERENCE).unwrap()
}

#[track_caller]
fn check_numbers(name: &str, dtype: Dtype, shape: &[usize]) {
    let checkpoint = reference();
    let tensor = checkpoint.tensor(name).unwrap();
    assert_eq!((tensor.dtype(), tensor.shape()), (dtype, shape));
    let expected = checkpoint.tensor(&format!("{name}.expected")).unwrap().to_f32().unwrap();
    let ours = tensor.to_f32().unwrap();
    let differs = ours.iter().zip(&expected).position(|(a, b)| a.to_bits() != b.to_bits());
    assert_eq!((ours.len(), differs), (expected.len(), None), "{ours:?}\n{expected:?}");
    let plain = tensor.dequantise().unwrap();
    assert_eq!(plain.shape(), shape);
    assert_eq!(plain.to_f32().unwrap(), expected);
}

#[test]
fn every_type_decodes_to_the_references_bits() {
    check_numbers("q4_0", Dtype::Q4_0, &[2, 512]);
    check_numbers("q4_1", Dtype::Q4_1, &[2, 512]);
    check_numbers("q5_0", Dtype::Q5_0, &[2, 512]);
    check_numbers("q5_1", Dtype::Q5_1, &[2, 512]);
    check_numbers("q8_0", Dtype::Q8_0, &[2, 512]);
    check_numbers("q4_k", Dtype::Q4K, &[2, 512]);
    check_numbers("q5_k", Dtype::Q5K, &[2, 512]);
    check_numbers("q6_k", Dtype::Q6K, &[2, 512]);
    check_numbers("q1_0", Dtype::Q1_0, &[2, 512]);
    check_numbers("q2_0", Dtype::Q2_0, &[2, 512]);
    check_numbers("q2_k", Dtype::Q2K, &[2, 512]);
    check_numbers("q3_k", Dtype::Q3K, &[2, 512]);
    check_numbers("iq4_nl", Dtype::Iq4Nl, &[2, 512]);
    check_numbers("iq4_xs", Dtype::Iq4Xs, &[2, 512]);
    check_numbers("mxfp4", Dtype::Mxfp4, &[2, 512]);
    check_numbers("nvfp4", Dtype::Nvfp4, &[2, 512]);
    check_numbers("iq2_xxs", Dtype::Iq2Xxs, &[2, 512]);
    check_numbers("iq2_xs", Dtype::Iq2Xs, &[2, 512]);
    check_numbers("iq2_s", Dtype::Iq2S, &[2, 512]);
    check_numbers("iq3_xxs", Dtype::Iq3Xxs, &[2, 512]);
    check_numbers("iq3_s", Dtype::Iq3S, &[2, 512]);
    check_numbers("iq1_s", Dtype::Iq1S, &[2, 512]);
    check_numbers("iq1_m", Dtype::Iq1M, &[2, 512]);
    check_numbers("tq1_0", Dtype::Tq1_0, &[2, 512]);
    check_numbers("tq2_0", Dtype::Tq2_0, &[2, 512]);
    check_numbers("f16", Dtype::F16, &[3, 5]);
    check_numbers("bf16", Dtype::Bf16, &[3, 5]);
    check_numbers("f64", Dtype::F64, &[3, 5]);
}

#[test]
fn integers_keep_their_signs() {
    let check = |name: &str, lowest: i64| {
        assert_eq!(reference().tensor(name).unwrap().to_i64().unwrap(), [lowest, -1, 7], "{name}");
    };
    check("int8", i8::MIN.into());
    check("int16", i16::MIN.into());
    check("int32", i32::MIN.into());
    check("int64", i64::MIN);
}

#[test]
fn metadata_of_every_kind() {
    let checkpoint = reference();
    assert!(checkpoint.config().is_none());
    let metadata = checkpoint.gguf_metadata().unwrap();
    let check = |key: &str, expected: Value| assert_eq!(metadata.get(key), Some(&expected), "{key}");
    check("general.architecture", Value::String("testing".into()));
    check("kinds.u8", Value::Unsigned(u8::MAX.into()));
    check("kinds.i8", Value::Signed(i8::MIN.into()));
    check("kinds.u16", Value::Unsigned(u16::MAX.into()));
    check("kinds.i16", Value::Signed(i16::MIN.into()));
    check("kinds.u32", Value::Unsigned(u32::MAX.into()));
    check("kinds.i32", Value::Signed(i32::MIN.into()));
    check("kinds.u64", Value::Unsigned(u64::MAX));
    check("kinds.i64", Value::Signed(i64::MIN));
    check("kinds.f32", Value::F32(1e-5));
    check("kinds.f64", Value::F64(1e-5));
    check("kinds.bool", Value::Bool(true));
    check("kinds.string", Value::String("γ and ▁".into()));
    let strings = ["<s>", "", "▁the"].map(str::to_owned).to_vec();
    check("kinds.array.string", Value::Array(Array::String(strings)));
    check("kinds.array.f32", Value::Array(Array::F32(vec![0.5, -1000.0])));
    check("kinds.array.i32", Value::Array(Array::Signed(vec![-1, 2, 3])));
    check("kinds.array.bool", Value::Array(Array::Bool(vec![true, false])));
}

#[test]
fn read_and_mapped_are_the_same() {
    let read = Checkpoint::open_with(REFERENCE, Options { mapping: Mapping::Read }).unwrap();
    let mapped = reference();
    assert_eq!(read.gguf_metadata(), mapped.gguf_metadata());
    assert_eq!(read.tensors().len(), mapped.tensors().len());
    for (read, mapped) in read.tensors().zip(mapped.tensors()) {
        assert_eq!((read.name(), read.bytes().unwrap()), (mapped.name(), mapped.bytes().unwrap()));
    }
}

/// What the converter does to the rows of q and k: `reshape(heads, 2, d/2, …).swapaxes(1, 2)`.
fn permute(rows: &[u8], heads: usize, head_dim: usize, row_len: usize) -> Vec<u8> {
    let mut permuted = Vec::new();
    for head in 0..heads {
        for pair in 0..head_dim / 2 {
            for side in 0..2 {
                let row = head * head_dim + side * head_dim / 2 + pair;
                permuted.extend_from_slice(&rows[row * row_len..][..row_len]);
            }
        }
    }
    permuted
}

#[test]
fn original_rows_undoes_the_converters_order() {
    for (heads, head_dim, row_len) in [(1, 2, 1), (1, 8, 3), (3, 6, 2), (5, 4, 18)] {
        let original: Vec<u8> = (0..heads * head_dim * row_len).map(|value| (value % 251) as u8).collect();
        let permuted = permute(&original, heads, head_dim, row_len);
        assert_eq!(original_rows(&permuted, heads, head_dim), original, "{heads} {head_dim} {row_len}");
    }
}

/// A file written by hand, so that every count and every offset can lie.
#[derive(Clone)]
struct Made {
    magic: &'static [u8],
    version: u32,
    tensors: Option<u64>,
    entries: Option<u64>,
    metadata: Vec<Vec<u8>>,
    list: Vec<Vec<u8>>,
    data: Vec<u8>,
}

impl Made {
    fn new() -> Made {
        let (metadata, list) = (Vec::new(), Vec::new());
        Made { magic: b"GGUF", version: 3, tensors: None, entries: None, metadata, list, data: vec![0; 96] }
    }

    fn entry(mut self, key: &str, kind: u32, value: &[u8]) -> Made {
        self.metadata.push([&string(key)[..], &kind.to_le_bytes(), value].concat());
        self
    }

    fn tensor(mut self, name: &str, extents: &[u64], kind: u32, offset: u64) -> Made {
        let mut entry = string(name);
        entry.extend((extents.len() as u32).to_le_bytes());
        entry.extend(extents.iter().flat_map(|extent| extent.to_le_bytes()));
        entry.extend(kind.to_le_bytes());
        entry.extend(offset.to_le_bytes());
        self.list.push(entry);
        self
    }

    /// All that stands before the data, unpadded.
    fn head(&self) -> Vec<u8> {
        let mut file = self.magic.to_vec();
        file.extend(self.version.to_le_bytes());
        file.extend(self.tensors.unwrap_or(self.list.len() as u64).to_le_bytes());
        file.extend(self.entries.unwrap_or(self.metadata.len() as u64).to_le_bytes());
        file.extend(self.metadata.concat());
        file.extend(self.list.concat());
        file
    }

    fn bytes(&self) -> Vec<u8> {
        let mut file = self.head();
        file.resize(file.len().next_multiple_of(32), 0);
        file.extend(&self.data);
        file
    }

    fn read(&self) -> Result<(Metadata, Vec<Tensor>), Error> {
        read_bytes(self.bytes())
    }
}

fn string(text: &str) -> Vec<u8> {
    [&(text.len() as u64).to_le_bytes()[..], text.as_bytes()].concat()
}

fn read_bytes(bytes: Vec<u8>) -> Result<(Metadata, Vec<Tensor>), Error> {
    read_gguf(&Arc::new(Source::from_bytes("bent.gguf", bytes)))
}

#[track_caller]
fn refused(made: &Made, message: &str) {
    refused_bytes(made.bytes(), message);
}

#[track_caller]
fn refused_bytes(bytes: Vec<u8>, message: &str) {
    let error = read_bytes(bytes).expect_err("a bent file was read").to_string();
    assert!(error.starts_with("bent.gguf: ") && error.contains(message), "{error}");
}

const F32: u32 = 0;
const Q4_0: u32 = 2;

#[test]
fn a_made_file_is_read() {
    let made = Made::new().tensor("a", &[2, 3], F32, 0).tensor("b", &[32], Q4_0, 32);
    let (_, tensors) = made.read().unwrap();
    let seen: Vec<_> =
        tensors.iter().map(|tensor| (tensor.name(), tensor.shape(), tensor.byte_len())).collect();
    assert_eq!(seen, [("a", &[3, 2][..], 24), ("b", &[32][..], 18)]);
    assert!(Made { version: 2, ..made }.read().is_ok());
}

#[test]
fn data_begins_at_a_multiple_of_the_alignment() {
    for alignment in [1_u32, 8, 64, 4096] {
        let mut file = Made { data: vec![], ..Made::new() }
            .entry("general.alignment", 4, &alignment.to_le_bytes())
            .tensor("t", &[1], F32, 0)
            .head();
        file.resize(file.len().next_multiple_of(alignment as usize), 0xaa);
        file.extend(1.5_f32.to_le_bytes());
        let (_, tensors) = read_bytes(file).unwrap();
        assert_eq!(tensors[0].to_f32().unwrap(), [1.5], "{alignment}");
    }
}

#[test]
fn not_this_format() {
    refused_bytes(vec![], "beyond the file's end at 0");
    refused_bytes(b"GGU".to_vec(), "beyond the file's end at 3");
    refused(&Made { magic: b"GGML", ..Made::new() }, "does not begin with \"GGUF\"");
    refused(&Made { version: 1, ..Made::new() }, "version 1");
    refused(&Made { version: 4, ..Made::new() }, "version 4");
    refused(&Made { version: 3_u32.swap_bytes(), ..Made::new() }, "big-endian");
}

#[test]
fn counts_that_lie() {
    refused(&Made { tensors: Some(1 << 60), ..Made::new() }, "1152921504606846976 tensors");
    refused(&Made { entries: Some(1 << 60), ..Made::new() }, "1152921504606846976 metadata entries");
    let short = Made::new().tensor("a", &[0], F32, 0);
    refused(&Made { tensors: Some(3), data: vec![], ..short }, "3 tensors");
    let array = |kind: u32, count: u64| [&kind.to_le_bytes()[..], &count.to_le_bytes()].concat();
    refused(&Made::new().entry("k", 9, &array(0, 1 << 60)), "1152921504606846976 k");
    refused(&Made::new().entry("k", 9, &array(12, 1 << 61)), "2305843009213693952 k");
    refused(&Made::new().entry("k", 9, &array(8, 40)), "40 k");
    refused(&Made::new().entry("k", 8, &u64::MAX.to_le_bytes()), "18446744073709551615 bytes");
    let nested = [9_u32, 1, 0].map(u32::to_le_bytes).concat().repeat(9);
    refused(&Made::new().entry("k", 9, &nested), "deeper than 4");
}

#[test]
fn values_that_are_none() {
    refused(&Made::new().entry("k", 13, &[]), "unknown type 13");
    refused(&Made::new().entry("k", 7, &[2]), "boolean 2");
    refused(&Made::new().entry("k", 8, &[1, 0, 0, 0, 0, 0, 0, 0, 0xff]), "not UTF-8");
    refused(&Made::new().entry("k", 0, &[1]).entry("k", 0, &[1]), "\"k\" stands twice");
    refused(&Made::new().entry("general.alignment", 4, &3_u32.to_le_bytes()), "not a power of two");
    refused(&Made::new().entry("general.alignment", 4, &0_u32.to_le_bytes()), "not a power of two");
    refused(&Made::new().entry("general.alignment", 8, &string("32")), "not a power of two");
}

#[test]
fn tensors_that_lie() {
    let one = |extents: &[u64], kind, offset| Made::new().tensor("t", extents, kind, offset);
    refused(&one(&[8], 15, 0), "tensor \"t\": its type, Q8_K (15), is not read");
    refused(&one(&[8], 31, 0), "tensor \"t\": its type, Q4_0_4_4 (31), is not read");
    refused(&one(&[8], 4, 0), "tensor \"t\": its type, number 4, is not read");
    refused(&one(&[33], Q4_0, 0), "no tensor of Q4_0 can have the shape [33]");
    refused(&one(&[1 << 60], F32, 0), "not in the file of");
    refused(&one(&[1 << 62], F32, 0), "no tensor of F32 can have the shape");
    refused(&one(&[1 << 40, 1 << 40], F32, 0), "no tensor of F32 can have the shape");
    refused(&one(&[1, 1, 1, 1, 1], F32, 0), "5 dimensions");
    refused(&one(&[8], F32, 1), "no multiple of the alignment 32");
    refused(&one(&[8], F32, 96), "not in the file");
    refused(&one(&[25], F32, 0), "not in the file");
    refused(&one(&[8], F32, u64::MAX - 31), "not in the file");
    refused(&one(&[16], F32, 0).tensor("u", &[8], F32, 32), "lies within tensor \"t\"");
    refused(&one(&[8], F32, 0).tensor("u", &[8], F32, 0), "lies within tensor");
}

#[test]
fn a_name_twice_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("twice.gguf");
    let made = Made::new().tensor("t", &[8], F32, 0).tensor("t", &[8], F32, 32);
    std::fs::write(&path, made.bytes()).unwrap();
    let error = Checkpoint::open(&path).unwrap_err();
    assert!(matches!(&error, Error::DuplicateTensor { tensor, .. } if tensor == "t"), "{error}");
}

#[test]
fn a_cut_file_is_refused_at_any_length() {
    let whole = std::fs::read(REFERENCE).unwrap();
    // The last tensor has 24 bytes; the 8 after it are padding, which nobody misses.
    for length in (0..whole.len() - 8).step_by(7) {
        assert!(read_bytes(whole[..length].to_vec()).is_err(), "{length} bytes of {}", whole.len());
    }
}

/// The parts of a model of three tensors, as files of a folder; `bend` changes one on the way.
fn parts(bend: impl Fn(usize, Made) -> Made) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for number in 0..3_u16 {
        let made = Made::new()
            .entry("split.no", 2, &number.to_le_bytes())
            .entry("split.count", 2, &3_u16.to_le_bytes())
            .entry("split.tensors.count", 5, &3_i32.to_le_bytes())
            .tensor(&format!("t{number}"), &[8], F32, 0);
        let made = bend(usize::from(number), Made { data: vec![number as u8; 32], ..made });
        let name = format!("m-{:05}-of-00003.gguf", number + 1);
        std::fs::write(folder.path().join(name), made.bytes()).unwrap();
    }
    folder
}

#[track_caller]
fn refused_part(folder: &tempfile::TempDir, name: &str, message: &str) {
    let error = Checkpoint::open(folder.path().join(name)).unwrap_err().to_string();
    assert!(error.contains(message), "{error}");
}

#[test]
fn the_first_of_several_parts_opens_all() {
    let folder = parts(|_, made| made);
    let whole = Checkpoint::open(folder.path().join("m-00001-of-00003.gguf")).unwrap();
    let held: Vec<_> = whole.tensors().map(|tensor| (tensor.name(), tensor.bytes().unwrap()[0])).collect();
    assert_eq!(held, [("t0", 0), ("t1", 1), ("t2", 2)]);
    refused_part(
        &folder,
        "m-00002-of-00003.gguf",
        "part 2 of the 3 of a split GGUF file; name the first part, m-00001-of-00003.gguf",
    );
    std::fs::remove_file(folder.path().join("m-00002-of-00003.gguf")).unwrap();
    refused_part(&folder, "m-00001-of-00003.gguf", "of which 1 are not beside it: m-00002-of-00003.gguf");
    std::fs::rename(folder.path().join("m-00001-of-00003.gguf"), folder.path().join("m.gguf")).unwrap();
    refused_part(&folder, "m.gguf", "names that end in -00001-of-00003.gguf");
}

#[test]
fn parts_that_lie() {
    let first = "m-00001-of-00003.gguf";
    let other = |text: &'static str| {
        parts(move |number, made| match number {
            1 => Made::new().entry("split.no", 2, &[2, 0]).entry("split.count", 2, &[3, 0]).entry(
                "x",
                8,
                &string(text),
            ),
            _ => made,
        })
    };
    refused_part(
        &other("x"),
        first,
        "m-00002-of-00003.gguf: not a sound GGUF file: it does not say that it is part 2 of 3",
    );
    let fewer = parts(|number, made| if number == 2 { Made { list: vec![], ..made } } else { made });
    refused_part(&fewer, first, "all parts together hold 2 tensors, where split.tensors.count is 3");
    let twice =
        parts(
            |number, made| {
                if number == 2 { Made { list: vec![], ..made }.tensor("t0", &[8], F32, 0) } else { made }
            },
        );
    refused_part(&twice, first, "t0");
    let cut = parts(|number, made| if number == 1 { Made { data: vec![], ..made } } else { made });
    refused_part(&cut, first, "m-00002-of-00003.gguf: tensor \"t1\"");
    let beyond = Made::new().entry("split.no", 2, &[3, 0]).entry("split.count", 2, &[3, 0]);
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("b.gguf"), beyond.bytes()).unwrap();
    refused_part(&folder, "b.gguf", "split.no is not the number of one of the split.count parts");
}

#[test]
fn a_folder_with_one_gguf_file() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(REFERENCE, folder.path().join("one.gguf")).unwrap();
    assert!(Checkpoint::open(folder.path()).unwrap().gguf_metadata().is_some());
    std::fs::copy(REFERENCE, folder.path().join("two.gguf")).unwrap();
    let error = Checkpoint::open(folder.path()).unwrap_err().to_string();
    assert!(error.contains("several files could be meant: one.gguf, two.gguf"), "{error}");
}

#[test]
fn another_file_is_no_checkpoint() {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    assert!(Checkpoint::open(manifest).unwrap_err().to_string().contains("text that begins \"[package]\""));
}
