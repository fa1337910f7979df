//! `.npz` and `.npy`: NumPy's own (`tests/reference/numpy_files.py`), and what is refused.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::PathBuf;
use std::sync::Arc;

use camelid_checkpoint::{Dtype, Error, Mapping, Source, Tensor, read_npy, read_npz};

fn source(name: &str, mapping: Mapping) -> Arc<Source> {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "tests", "data", name].iter().collect();
    Arc::new(Source::open(&path, mapping).unwrap())
}

fn numbers(tensor: &Tensor) -> Vec<f64> {
    let whole = tensor.to_i64().map(|values| values.into_iter().map(|value| value as f64).collect());
    whole.or_else(|_| tensor.to_f64()).unwrap()
}

fn counted(count: usize) -> Vec<f64> {
    (0..count).map(|number| number as f64).collect()
}

#[test]
fn every_type_is_read_stored_and_deflated_in_rows_and_in_columns() {
    for (file, mapping) in
        [("stored.npz", Mapping::Map), ("stored.npz", Mapping::Read), ("deflated.npz", Mapping::Read)]
    {
        let tensors = read_npz(&source(file, mapping)).unwrap();
        assert_eq!(tensors.len(), 18, "{file}");
        let check = |name: &str, dtype: Dtype, shape: &[usize], expected: Vec<f64>| {
            let tensor = tensors.iter().find(|tensor| tensor.name() == name).unwrap();
            assert_eq!((tensor.dtype(), tensor.shape()), (dtype, shape), "{file} {name}");
            assert_eq!(numbers(tensor), expected, "{file} {name}");
        };
        for (name, dtype) in [
            ("float64", Dtype::F64),
            ("float32", Dtype::F32),
            ("float16", Dtype::F16),
            ("bfloat16", Dtype::Bf16),
            ("int64", Dtype::I64),
            ("int32", Dtype::I32),
            ("int16", Dtype::I16),
            ("int8", Dtype::I8),
            ("uint32", Dtype::U32),
            ("uint16", Dtype::U16),
            ("uint8", Dtype::U8),
        ] {
            check(&format!("rows.{name}"), dtype, &[3, 4], counted(12));
        }
        check("rows.bool", Dtype::Bool, &[3, 4], counted(12).iter().map(|x| x % 2.0).collect());
        check("columns.float32", Dtype::F32, &[3, 4], counted(12));
        check("columns.deep", Dtype::F32, &[2, 3, 4], counted(24));
        check("one.row", Dtype::F32, &[1, 4], counted(4));
        check("number", Dtype::F32, &[], vec![3.0]);
        check("nothing", Dtype::F32, &[3, 0], vec![]);
    }
}

#[test]
fn one_array_alone_has_the_name_that_it_is_given() {
    let tensor = read_npy(&source("alone.npy", Mapping::Map), "attention.0").unwrap();
    assert_eq!((tensor.name(), tensor.shape()), ("attention.0", &[3, 4][..]));
    assert_eq!(numbers(&tensor), counted(12));
}

#[test]
fn what_is_no_table_of_numbers_is_refused_with_its_name() {
    let refused = |source: &Arc<Source>| read_npz(source).unwrap_err().to_string();
    let objects = refused(&source("objects.npz", Mapping::Map));
    assert!(objects.contains("\"objects\"") && objects.contains("|O"), "{objects}");
    let big = refused(&source("big_endian.npz", Mapping::Map));
    assert!(big.contains("\"big\"") && big.contains(">f4") && big.contains("little endian"), "{big}");
    let none = Arc::new(Source::from_bytes("x.npz", b"PK no archive".to_vec()));
    assert!(matches!(read_npz(&none), Err(Error::Malformed { format: "NumPy", .. })));
    let npy = Arc::new(Source::from_bytes("x.npy", b"\x93NUMPY\x01\x00\xff\xff{".to_vec()));
    assert!(matches!(read_npy(&npy, "x"), Err(Error::Malformed { format: "NumPy", .. })));
}

#[test]
fn a_deflated_array_that_is_not_what_its_directory_says_is_refused() {
    let whole = source("deflated.npz", Mapping::Read);
    let bytes = whole.read(0..whole.len()).unwrap();
    // The inflated size stands in the directory, 24 bytes into an entry.
    let entry = bytes.windows(4).position(|window| window == b"PK\x01\x02").unwrap();
    let mut bent = bytes.to_vec();
    bent[entry + 24] ^= 1;
    let error = read_npz(&Arc::new(Source::from_bytes("bent.npz", bent))).unwrap_err().to_string();
    assert!(error.contains("inflate"), "{error}");
}
