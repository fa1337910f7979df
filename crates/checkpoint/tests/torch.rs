//! `.bin` files: PyTorch's own (`tests/reference/torch_files.py`), and bent archives and pickles.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::PathBuf;
use std::sync::Arc;

use camelid_checkpoint::{Checkpoint, Dtype, Error, Mapping, Source, Tensor, read_torch};

mod support;
use support::Folder;

fn data(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests", "data", name].iter().collect()
}

fn reference(mapping: Mapping) -> Vec<Tensor> {
    read_torch(&Arc::new(Source::open(&data("reference.bin"), mapping).unwrap())).unwrap()
}

fn find<'a>(tensors: &'a [Tensor], name: &str) -> &'a Tensor {
    tensors.iter().find(|tensor| tensor.name() == name).unwrap()
}

#[test]
fn every_type_and_every_view_is_the_references() {
    for mapping in [Mapping::Map, Mapping::Read] {
        let tensors = reference(mapping);
        let check = |name: &str, dtype: Dtype, shape: &[usize]| {
            let tensor = find(&tensors, name);
            assert_eq!((tensor.dtype(), tensor.shape()), (dtype, shape), "{name}");
            let expected = find(&tensors, &format!("{name}.expected")).to_f32().unwrap();
            assert_eq!(tensor.to_f32().unwrap(), expected, "{name}");
            assert_eq!(tensor.bytes().unwrap().len(), tensor.byte_len(), "{name}");
        };
        check("float64", Dtype::F64, &[3, 5]);
        check("float32", Dtype::F32, &[3, 5]);
        check("float16", Dtype::F16, &[3, 5]);
        check("bfloat16", Dtype::Bf16, &[3, 5]);
        check("whole", Dtype::F32, &[4, 6, 2]);
        check("rows", Dtype::F32, &[2, 6, 2]);
        check("transposed", Dtype::F32, &[2, 6, 4]);
        check("columns", Dtype::F32, &[4, 3, 2]);
        check("every.other", Dtype::F32, &[2, 2, 2]);
        check("number", Dtype::F32, &[]);
        check("expanded", Dtype::F32, &[4, 2]);
        check("nothing", Dtype::F32, &[4, 0, 2]);
        check("one.column", Dtype::F32, &[4, 1, 1]);
        check("parameter", Dtype::F32, &[2, 3]);
    }
}

/// `tests/reference/torch_kept.py`.
#[test]
fn what_stands_beside_tensors_is_passed_over() {
    let kept = |name: &str| read_torch(&Arc::new(Source::open(&data(name), Mapping::Map).unwrap()));
    let tensors = kept("kept.bin").unwrap();
    let names: Vec<_> = tensors.iter().map(Tensor::name).collect();
    assert_eq!(names, ["plain", "attribute", "parameter", "expanded", "float8", "uint16"]);
    for name in ["plain", "attribute", "parameter"] {
        let tensor = find(&tensors, name);
        assert_eq!((tensor.shape(), tensor.to_f32().unwrap()), (&[2, 3][..], vec![0., 1., 2., 3., 4., 5.]));
    }
    assert_eq!(find(&tensors, "expanded").to_f32().unwrap(), [2.5; 4]);
    assert_eq!(find(&tensors, "uint16").to_i64().unwrap(), [1, 65535]);
    assert_eq!(find(&tensors, "float8").dtype().to_string(), "F8_E4M3");
    let newer = kept("kept_4.bin").unwrap();
    assert_eq!(find(&newer, "parameter").to_f32().unwrap(), [0., 1., 2., 3., 4., 5.]);
    let refused = |name: &str| kept(name).unwrap_err().to_string();
    assert!(refused("kept_meta.bin").contains("tensor \"ghost\": the file holds no numbers for it"));
    assert!(refused("kept_nested.bin").contains("key \"model\" holds no tensor, but some within it"));
}

#[test]
fn integers_keep_their_signs() {
    let tensors = reference(Mapping::Map);
    let check =
        |name: &str, expected: &[i64]| assert_eq!(find(&tensors, name).to_i64().unwrap(), expected, "{name}");
    check("int8", &[i8::MIN.into(), -1, 7]);
    check("int16", &[i16::MIN.into(), -1, 7]);
    check("int32", &[i32::MIN.into(), -1, 7]);
    check("int64", &[i64::MIN, -1, 7]);
    check("uint8", &[0, 255]);
    check("bool", &[1, 0]);
}

#[test]
fn what_lies_in_order_is_a_share_of_the_map() {
    let tensors = reference(Mapping::Map);
    let address = |name: &str| find(&tensors, name).bytes().unwrap().as_ptr() as usize;
    assert_eq!(address("rows") - address("whole"), 48);
    assert_eq!(address("number") - address("whole"), 4 * 47);
}

#[test]
fn a_tensor_that_was_saved_alone_is_one_tensor() {
    let tensors = read(std::fs::read(data("alone.bin")).unwrap()).unwrap();
    let [only] = tensors.as_slice() else { panic!("{tensors:?}") };
    assert_eq!((only.name(), only.shape()), ("tensor", &[2, 3][..]));
    assert_eq!(only.to_f32().unwrap(), [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
}

#[test]
fn a_folder_with_a_state_dictionary() {
    let module = std::fs::read(data("module.bin")).unwrap();
    let folder = Folder::new(&[("config.json", b"{}"), ("pytorch_model.bin", &module)]);
    let names = |checkpoint: &Checkpoint| -> Vec<_> {
        checkpoint.tensors().map(|tensor| (tensor.name().to_owned(), tensor.shape().to_owned())).collect()
    };
    let expected =
        [("0.bias", vec![2]), ("0.weight", vec![2, 3]), ("1.bias", vec![2]), ("1.weight", vec![2])]
            .map(|(name, shape)| (name.to_owned(), shape));
    assert_eq!(names(&folder.open().unwrap()), expected);

    let map = r#"{"0.bias":"x.bin","0.weight":"x.bin","1.bias":"x.bin","1.weight":"x.bin"}"#;
    let index = format!(r#"{{"weight_map":{map}}}"#);
    let folder = Folder::new(&[
        ("config.json", b"{}"),
        ("pytorch_model.bin.index.json", index.as_bytes()),
        ("x.bin", &module),
    ]);
    assert_eq!(names(&folder.open().unwrap()), expected);
}

fn read(bytes: Vec<u8>) -> Result<Vec<Tensor>, Error> {
    read_torch(&Arc::new(Source::from_bytes("bent.bin", bytes)))
}

#[track_caller]
fn refused(bytes: Vec<u8>, message: &str) {
    let error = read(bytes).expect_err("a bent file was read").to_string();
    assert!(error.starts_with("bent.bin: ") && error.contains(message), "{error}");
}

#[test]
fn not_this_format() {
    refused(vec![], "no end of a zip archive");
    refused(b"PK".to_vec(), "no end of a zip archive");
    refused(std::fs::read(data("older.bin")).unwrap(), "the format of PyTorch before 1.6");
    refused(archive(&[]), "not exactly one record NAME/data.pkl");
    refused(archive(&[("data.pkl", b".")]), "not exactly one record NAME/data.pkl");
    refused(archive(&[("a/data.pkl", b"."), ("b/data.pkl", b".")]), "not exactly one record");
    refused(archive(&[("a/data.pkl", b"."), ("a/byteorder", b"big")]), "not little endian");
}

#[test]
fn a_cut_file_is_refused_at_any_length() {
    let whole = std::fs::read(data("module.bin")).unwrap();
    for length in 0..whole.len() {
        assert!(read(whole[..length].to_vec()).is_err(), "{length} bytes of {}", whole.len());
    }
}

/// A zip archive of stored records, without checksums, which nobody looks at.
fn archive(records: &[(&str, &[u8])]) -> Vec<u8> {
    let (mut file, mut directory) = (Vec::new(), Vec::new());
    for (name, bytes) in records {
        let size = (bytes.len() as u32).to_le_bytes();
        let name_len = (name.len() as u16).to_le_bytes();
        let offset = (file.len() as u32).to_le_bytes();
        let middle = [&[0; 10][..], &[0; 4], &size, &size, &name_len, &[0; 2]].concat();
        file.extend([b"PK\x03\x04", &middle[..], name.as_bytes(), bytes].concat());
        let entry = [b"PK\x01\x02\0\0", &middle[..], &[0; 10], &offset, name.as_bytes()];
        // The directory's entry has one field more before the shared ones, and no extra.
        directory.extend(entry.concat());
    }
    end(file, &directory, records.len() as u16)
}

fn end(mut file: Vec<u8>, directory: &[u8], count: u16) -> Vec<u8> {
    let offset = (file.len() as u32).to_le_bytes();
    let (count, size) = (count.to_le_bytes(), (directory.len() as u32).to_le_bytes());
    file.extend(directory);
    file.extend([b"PK\x05\x06\0\0\0\0", &count[..], &count, &size, &offset, &[0; 2]].concat());
    file
}

/// One record, with every length and place in the 64-bit fields, as files beyond 4 GB have them.
fn archive_64(name: &str, bytes: &[u8]) -> Vec<u8> {
    let (size, offset) = ((bytes.len() as u64).to_le_bytes(), 0_u64.to_le_bytes());
    let name_len = (name.len() as u16).to_le_bytes();
    let mut file = [b"PK\x03\x04", &[0; 22][..], &name_len, &[0; 2], name.as_bytes(), bytes].concat();
    let start = file.len() as u64;
    // An unknown extra field of two bytes goes before the one that counts.
    let extra = [&[9, 9, 2, 0, 7, 7, 1, 0, 24, 0][..], &size, &size, &offset].concat();
    let entry = [
        b"PK\x01\x02",
        &[0; 16][..],
        &[0xff; 8],
        &name_len,
        &(extra.len() as u16).to_le_bytes(),
        &[0; 10],
        &[0xff; 4],
        name.as_bytes(),
        &extra,
    ];
    file.extend(entry.concat());
    let length = file.len() as u64 - start;
    let end = [start + length, length, start].map(u64::to_le_bytes);
    file.extend([b"PK\x06\x06", &[0; 28][..], &1_u64.to_le_bytes(), &end[1], &end[2]].concat());
    file.extend([b"PK\x06\x07", &[0; 4][..], &end[0], &[0; 4]].concat());
    file.extend([b"PK\x05\x06", &[0; 4][..], &[0xff; 12], &[0; 2]].concat());
    file
}

#[test]
fn archives_with_64_bit_fields() {
    let empty = "\u{80}\u{2}}.".chars().map(|letter| letter as u8).collect::<Vec<_>>();
    let whole = archive_64("a/data.pkl", &empty);
    assert!(read(whole.clone()).unwrap().is_empty());
    let bend = |at_end: usize, bytes: &[u8]| {
        let mut bent = whole.clone();
        let at = bent.len() - at_end;
        bent[at..at + bytes.len()].copy_from_slice(bytes);
        bent
    };
    // The end has 22 bytes, the locator 20, the 64-bit end 56, the entry's extra field 34.
    refused(bend(42 - 8, &[0xff; 8]), "its 64-bit end lies at 18446744073709551615");
    refused(bend(42 - 8, &[0; 8]), "where the 64-bit end should begin");
    refused(bend(42 + 8, &[0xff; 8]), "at 18446744073709551615");
    refused(bend(42 + 16, &[0xff; 8]), "a directory of 18446744073709551615 bytes");
    refused(bend(42 + 24, &[0xff; 8]), "a directory of 18446744073709551615 entries");
    refused(bend(42 + 56 + 8, &[0xff; 8]), "\"a/data.pkl\", 4 bytes at 18446744073709551615, is beyond");
    refused(bend(42 + 56 + 24, &[0xff; 16]), "18446744073709551615 bytes at 0, is beyond");
    refused(bend(42 + 56 + 26, &[16]), "a field of its directory is cut short");
}

#[test]
fn archives_that_lie() {
    let whole = archive(&[("a/data.pkl", b"."), ("a/version", b"3")]);
    let bend = |at_end: usize, bytes: &[u8]| {
        let mut bent = whole.clone();
        let at = bent.len() - at_end;
        bent[at..at + bytes.len()].copy_from_slice(bytes);
        bent
    };
    refused(bend(12, &[3]), "a directory of 3 entries in 111 bytes");
    refused(bend(22 + 9 + 46, b"XX"), "0x2015858 where an entry of the directory should begin");
    refused(bend(12, &[255, 255]), "a directory of 65535 entries");
    refused(bend(14, &[1, 0, 1, 0]), "bytes more in its directory than 1 entries");
    refused(bend(6, &[0xff; 4]), "at 4294967295");
    refused(bend(10, &[0xff; 4]), "a directory of 4294967295 bytes");
    refused(bend(2, &[1, 0]), "no end of a zip archive");
    // The directory's last entry ends 22 bytes before the end; its name has 9 bytes, its fields 46.
    let entry = 22 + 9 + 46;
    refused(bend(entry - 10, &[8]), "\"a/version\" is compressed");
    refused(bend(entry - 10, &[12]), "is not read (method 12");
    refused(bend(entry - 8, &[1]), "is encrypted");
    refused(bend(entry - 20, &[2]), "1 bytes are in 2");
    refused(bend(entry - 42, &[0xf0, 0xff]), "beyond its end");
    refused(archive(&[("a/data.pkl", b"."), ("a/data.pkl", b".")]), "\"a/data.pkl\" stands twice");
}

/// What PyTorch's pickles are made of.
const STORAGE: &str = "X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\x000X\x03\0\0\0cpuK\x06tQ";

/// A pickle of one tensor `t` over six numbers, from the opcodes of its offset, extents and strides.
fn pickle(view: &str) -> Vec<u8> {
    let start = "\u{2}}(X\u{1}\0\0\0tctorch._utils\n_rebuild_tensor_v2\n((";
    let end = "\u{89}ccollections\nOrderedDict\n)RtRu.";
    let text = format!("\u{80}{start}{STORAGE}{view}{end}");
    // Latin-1, so that the opcodes above 127 are bytes.
    text.chars().map(|letter| letter as u8).collect()
}

fn bin(pickle: &[u8]) -> Vec<u8> {
    archive(&[("a/data.pkl", pickle), ("a/data/0", &[0; 24])])
}

#[test]
fn a_made_file_is_read() {
    let tensors = read(bin(&pickle("K\0K\x02K\x03\u{86}K\x03K\x01\u{86}"))).unwrap();
    assert_eq!((tensors[0].name(), tensors[0].shape()), ("t", &[2, 3][..]));
}

#[test]
fn views_that_lie() {
    let check = |view: &str, message: &str| refused(bin(&pickle(view)), message);
    let outside = "do not fit into 6 numbers";
    check("K\0K\x07\u{85}K\x01\u{85}", outside);
    check("K\x01K\x06\u{85}K\x01\u{85}", outside);
    check("K\0K\x02\u{85}K\x06\u{85}", outside);
    check("K\0K\x02\u{85}J\u{ff}\u{ff}\u{ff}\u{ff}\u{85}", outside);
    check("J\u{ff}\u{ff}\u{ff}\u{ff}K\x01\u{85}K\x01\u{85}", outside);
    check("K\0K\x02\u{85})", outside);
    let huge = "\u{8a}\x08\0\0\0\0\0\0\0\x10";
    check(&format!("K\0{huge}\u{85}K\0\u{85}"), outside);
    check(&format!("K\0{huge}{huge}\u{86}K\0K\0\u{86}"), outside);
    check(&format!("K\0K\x02\u{85}{huge}\u{85}"), outside);
    check(&format!("{huge}K\x02\u{85}K\x01\u{85}"), outside);
    check("K\0K\x06K\x01", "a shape that is no tuple");
    check("K\0N\u{85}K\x01\u{85}", "a dimension that is no integer");
    let nothing = read(bin(&pickle(&format!("K\0K\0{huge}{huge}\u{87}K\0{huge}K\x01\u{87}")))).unwrap();
    assert_eq!((nothing[0].elements(), nothing[0].bytes().unwrap().len()), (0, 0));
    let nine = format!("({}t", "K\x01".repeat(9));
    check(&format!("K\0{nine}{nine}"), "a tensor of 9 dimensions");
}

#[test]
fn storages_that_lie() {
    let honest = pickle("K\0K\x06\u{85}K\x01\u{85}");
    refused(archive(&[("a/data.pkl", &honest)]), "tensor \"t\": its storage, record data/0, is missing");
    let short = archive(&[("a/data.pkl", &honest), ("a/data/0", &[0; 20])]);
    refused(short, "6 numbers in F32, where record data/0 has 20 bytes");
}

#[track_caller]
fn refused_pickle(text: &str, message: &str) {
    refused(bin(&text.chars().map(|letter| letter as u8).collect::<Vec<_>>()), message);
}

#[test]
fn code_is_refused_by_name() {
    refused_pickle(
        "\u{80}\x02cos\nsystem\nX\x02\0\0\0id\u{85}R.",
        "its pickle asks for os.system, which no tensor needs",
    );
    refused_pickle("\u{80}\x02cbuiltins\neval\n.", "builtins.eval");
    refused_pickle("\u{80}\x02ctorch\n_utils._rebuild_tensor_v2\n.", "torch._utils._rebuild_tensor_v2");
    refused_pickle(
        "\u{80}\x02ctorch._utils\n_rebuild_sparse_tensor\n.",
        "torch._utils._rebuild_sparse_tensor",
    );
    refused_pickle("\u{80}\x02(X\x02\0\0\0idios\nsystem\n.", "opcode 0x69 at byte 10");
    refused_pickle("\u{80}\x02(o.", "opcode 0x6f at byte 3");
    refused_pickle("\u{80}\x02\u{81}.", "opcode 0x81 at byte 2");
    refused_pickle("\u{80}\x01.", "pickle protocol 1");
    refused_pickle("\u{80}\x04\u{8c}\x02os\u{8c}\x06system\u{93}.", "os.system");
    refused_pickle("\u{80}\x02ctorch\nFloatStorage\n)R.", "a call of what is no function of tensors");
    refused_pickle("\u{80}\x02ccollections\nOrderedDict\n)}b.", "attributes for what is no dictionary");
}

#[test]
fn pickles_that_break_the_machine() {
    let check = |text: &str, message: &str| refused_pickle(&format!("\u{80}\x02{text}"), message);
    check("", "its pickle ends too early");
    check("}", "its pickle ends too early");
    check(".", "taken from an empty stack");
    check("N.", "its pickle holds no dictionary");
    check(").", "its pickle holds no dictionary");
    check("}K\x01Ns.", "a key of its dictionary is no text");
    check("}X\x01\0\0\0kNs.", "no key of its dictionary holds a tensor");
    check("}X\x01\0\0\0kG\0\0\0\0\0\0\0\0s.", "no key of its dictionary holds a tensor");
    check("\u{93}.", "taken from an empty stack");
    check("N\u{8c}\x01x\u{93}.", "the name of a function is no text");
    check("\u{94}.", "nothing to remember");
    check("\u{8d}\u{ff}\u{ff}\u{ff}\u{ff}\u{ff}\u{ff}\u{ff}\u{ff}.", "is beyond its end");
    check("B\u{ff}\0\0\0.", "is beyond its end");
    check("\u{95}\0.", "its pickle ends too early");
    check("X\u{ff}\u{ff}\u{ff}\u{ff}k.", "a text of 4294967295 bytes");
    check("X\x01\0\0\0\u{ff}.", "is not UTF-8");
    check("t.", "a mark is missing");
    check("NN(00t.", "opcode 0x30");
    check("NN(\u{86}t.", "a mark is missing");
    check("}(X\x01\0\0\0ku.", "a key without a value");
    check("NNNs.", "items without a dictionary");
    let tensor = "ctorch._utils\n_rebuild_tensor_v2\n((".to_owned() + STORAGE + "K\0))\u{89}NtR";
    check(&format!("}}X\x01\0\0\0k{tensor}sX\x01\0\0\0k{tensor}s."), "key \"k\" stands twice");
    let key = format!("X\0\x01\0\0{}", "k".repeat(256));
    let storage = STORAGE.replace("X\x01\0\0\x000", &key);
    assert_ne!(storage, STORAGE);
    check(&format!("({storage}"), "a persistent id that describes no storage");
    check(")NNs.", "items for what is no dictionary");
    check("NNa.", "items for what is no list");
    check("q\0.", "nothing to remember");
    check("h\x05.", "nothing is remembered as 5");
    check("j\x05\0\0\0.", "nothing is remembered as 5");
    check("\u{8a}\x09.", "an integer of 9 bytes");
    check("NQ.", "a persistent id that is no tuple");
    check(")Q.", "a persistent id that describes no storage");
    check("ctorch._utils\n_rebuild_parameter\nN\u{89}N\u{87}R.", "a parameter of what is no tensor");
    check("ctorch._utils\n_rebuild_tensor_v2\n(NK\0))\u{89}NtR.", "a tensor of what is no storage");
    check(&format!("c{}", "x".repeat(300)), "the name of a function has no end");
}

#[test]
fn deep_nesting_is_no_depth_of_calls() {
    let nested = format!("\u{80}\x02){}.", "\u{85}".repeat(1_000_000));
    refused_pickle(&nested, "its pickle holds no dictionary");
}
