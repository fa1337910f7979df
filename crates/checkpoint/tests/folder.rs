//! Folders: which file is taken, shards and their index, what is missing, config.json.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use camelid_checkpoint::{Checkpoint, Error, JSON_LIMIT, Mapping, Options, Source, parse_json, read_json};

mod support;
use support::{Folder, ones};

const CONFIG: (&str, &[u8]) = ("config.json", br#"{"hidden_size": 8, "rms_norm_eps": 1e-05}"#);
const INDEX: &str = "model.safetensors.index.json";

fn index(map: &str) -> Vec<u8> {
    format!(r#"{{"metadata":{{"total_size":8}},"weight_map":{map}}}"#).into_bytes()
}

/// A folder of two shards, `a` in the first and `b` in the second, under the given index.
fn sharded(map: &str) -> Folder {
    Folder::new(&[
        CONFIG,
        (INDEX, &index(map)),
        ("one.safetensors", &ones(&["a"])),
        ("two.safetensors", &ones(&["b"])),
    ])
}

#[track_caller]
fn names(checkpoint: &Checkpoint) -> Vec<&str> {
    checkpoint.tensors().map(|tensor| tensor.name()).collect()
}

#[test]
fn the_file_that_is_taken() {
    let check = |files: &[(&str, &[u8])], expected: &[&str]| {
        let folder = Folder::new(&[&[CONFIG], files].concat());
        assert_eq!(names(&folder.open().unwrap()), expected);
    };
    let (main, other) = (ones(&["main"]), ones(&["other"]));
    check(&[("model.safetensors", &main)], &["main"]);
    check(&[("model.safetensors", &main), ("other.safetensors", &other)], &["main"]);
    check(&[("weights.safetensors", &other)], &["other"]);
    let to_other = index(r#"{"other":"other.safetensors"}"#);
    check(&[("model.safetensors", &main), (INDEX, &to_other), ("other.safetensors", &other)], &["main"]);
    check(&[("third.safetensors", &main), (INDEX, &to_other), ("other.safetensors", &other)], &["other"]);
}

#[test]
fn tensors_come_in_the_order_of_their_names() {
    let folder = Folder::new(&[CONFIG, ("model.safetensors", &ones(&["c", "a", "b"]))]);
    let checkpoint = folder.open().unwrap();
    assert_eq!(names(&checkpoint), ["a", "b", "c"]);
    assert_eq!(checkpoint.tensor("b").unwrap().name(), "b");
    assert!(checkpoint.tensor("d").is_none());
    assert!(checkpoint.gguf_metadata().is_none());
    assert_eq!(checkpoint.config().unwrap()["rms_norm_eps"], 1e-5);
}

#[test]
fn read_and_mapped_are_the_same() {
    let folder = Folder::new(&[CONFIG, ("model.safetensors", &ones(&["a", "b"]))]);
    let read = Checkpoint::open_with(folder.path(), Options { mapping: Mapping::Read }).unwrap();
    for (read, mapped) in read.tensors().zip(folder.open().unwrap().tensors()) {
        assert_eq!(read.bytes().unwrap(), mapped.bytes().unwrap());
    }
}

#[test]
fn missing_files() {
    Folder::new(&[]).refused(&["no weights here: looked for model.safetensors"]);
    Folder::new(&[CONFIG]).refused(&["no weights here"]);
    Folder::new(&[("model.safetensors", &ones(&["a"]))]).refused(&["there is no config.json here"]);
    let two = [("a.safetensors", &ones(&["a"])[..]), ("b.safetensors", &ones(&["b"])[..])];
    Folder::new(&two).refused(&["several files could be meant: a.safetensors, b.safetensors; name one"]);
    let error = Checkpoint::open("/no/such/folder").unwrap_err().to_string();
    assert!(error.starts_with("/no/such/folder: No such file"), "{error}");
}

#[test]
fn one_shard_of_several_is_no_checkpoint() {
    let shard = Folder::new(&[CONFIG, ("model-00001-of-00002.safetensors", &ones(&["a"]))]);
    shard.refused(&["model-00001-of-00002.safetensors: one of several shards"]);
}

#[test]
fn index_and_shards_agree() {
    let folder = sharded(r#"{"a":"one.safetensors","b":"two.safetensors"}"#);
    assert_eq!(names(&folder.open().unwrap()), ["a", "b"]);
    assert_eq!(folder.open().unwrap().tensor("b").unwrap().path(), folder.file("two.safetensors"));
}

#[test]
fn index_and_shards_disagree() {
    let opened = |map: &str| sharded(map).open().unwrap();
    sharded(r#"{"a":"one.safetensors","b":"three.safetensors"}"#)
        .refused(&["shard \"three.safetensors\" is missing"]);
    // What a shard holds counts; what the index lists and no shard holds is told, and is missing if it is wanted.
    let lacking = opened(r#"{"a":"one.safetensors","c":"two.safetensors"}"#);
    assert_eq!(names(&lacking), ["a", "b"]);
    assert!(lacking.notes()[0].contains("1 of the tensors that it lists are in no shard, the first `c`"));
    let moved = opened(r#"{"a":"two.safetensors","b":"one.safetensors"}"#);
    assert_eq!((names(&moved), moved.notes()), (vec!["a", "b"], &[][..]));
    let surplus = Folder::new(&[
        CONFIG,
        (INDEX, &index(r#"{"a":"one.safetensors"}"#)),
        ("one.safetensors", &ones(&["a", "b"])),
    ]);
    assert_eq!(names(&surplus.open().unwrap()), ["a", "b"]);
}

#[test]
fn one_tensor_in_two_shards() {
    let folder = sharded(r#"{"a":"one.safetensors","b":"two.safetensors"}"#);
    std::fs::write(folder.file("two.safetensors"), ones(&["a", "b"])).unwrap();
    folder.refused(&["two.safetensors", "\"a\""]);
}

#[test]
fn an_index_that_is_none() {
    let check = |text: &[u8], parts: &[&str]| Folder::new(&[CONFIG, (INDEX, text)]).refused(parts);
    check(b"{", &[INDEX, "EOF while parsing"]);
    check(b"[]", &["holds no JSON object"]);
    check(b"{}", &["has no object \"weight_map\""]);
    check(br#"{"weight_map":[]}"#, &["has no object \"weight_map\""]);
    check(br#"{"weight_map":{"a":1}}"#, &["weight_map gives \"a\" the value 1, not a file name"]);
    check(br#"{"weight_map":{"a":"x","a":"y"}}"#, &["key \"a\" stands twice at line 1"]);
}

#[test]
fn an_index_that_leads_away() {
    for name in ["../x", "/etc/passwd", "a/b", "..", ".", "", r"..\\x", "C:x", r"x\u0000", "a/"] {
        let text = index(&format!(r#"{{"a":"{name}"}}"#));
        Folder::new(&[CONFIG, (INDEX, &text)]).refused(&["is not the name of a file beside the index"]);
    }
}

#[test]
#[cfg(unix)]
fn symbolic_links_are_followed() {
    let blobs = Folder::new(&[("blob", &ones(&["a"])), ("config", CONFIG.1)]);
    let folder = Folder::new(&[]);
    std::os::unix::fs::symlink(blobs.file("blob"), folder.file("model.safetensors")).unwrap();
    std::os::unix::fs::symlink(blobs.file("config"), folder.file("config.json")).unwrap();
    assert_eq!(names(&folder.open().unwrap()), ["a"]);
    std::fs::remove_file(blobs.file("blob")).unwrap();
    folder.refused(&["model.safetensors: No such file"]);
}

#[test]
fn what_is_no_file() {
    let folder = Folder::new(&[CONFIG]);
    std::fs::create_dir(folder.file("model.safetensors")).unwrap();
    folder.refused(&["model.safetensors: not a regular file"]);
    #[cfg(unix)]
    assert!(matches!(
        Checkpoint::open("/dev/zero"),
        Err(Error::NotAFile { path }) if path.ends_with("zero")
    ));
}

#[test]
#[cfg(unix)]
fn an_unreadable_shard_is_named() {
    use std::os::unix::fs::PermissionsExt;
    let folder = sharded(r#"{"a":"one.safetensors","b":"two.safetensors"}"#);
    let shard = folder.file("two.safetensors");
    std::fs::set_permissions(&shard, std::fs::Permissions::from_mode(0o000)).unwrap();
    // The superuser reads everything: then there is nothing to see.
    if std::fs::File::open(&shard).is_err() {
        folder.refused(&["two.safetensors: Permission denied"]);
    }
}

#[track_caller]
fn refused_json(text: &str, message: &str) {
    let error = parse_json("config.json".as_ref(), text.as_bytes()).expect_err("bent JSON was read");
    assert_eq!(error.to_string(), format!("config.json: {message}"));
}

#[test]
fn json_that_is_refused() {
    refused_json("", "EOF while parsing a value at line 1 column 0");
    refused_json("[1]", "holds no JSON object");
    refused_json("{\"a\": 1,\n \"b\" 2}", "expected `:` at line 2 column 6");
    refused_json("{\"a\": 1} x", "trailing characters at line 1 column 10");
    refused_json("{\"a\": 1,\n\"a\": 1}", "key \"a\" stands twice at line 2 column 3");
    refused_json("{\"x\": [{\"a\": 1, \"a\": 2}]}", "key \"a\" stands twice at line 1 column 19");
    refused_json("{\"a\":\n NaN}", "NaN is not JSON, and no setting may be it, at line 2 column 2");
    refused_json("{\"a\": Infinity}", "Infinity is not JSON, and no setting may be it, at line 1 column 7");
    refused_json("{\"a\": -Infinity}", "Infinity is not JSON, and no setting may be it, at line 1 column 8");
    refused_json("{\"a\": 1e999}", "number out of range at line 1 column 11");
    refused_json(&"{\"a\":".repeat(200), "recursion limit exceeded at line 1 column 636");
}

#[test]
fn json_numbers_keep_what_python_wrote() {
    let text = r#"{"eps": 1e-05, "big": 1000000000000000019884624838656, "int": 18446744073709551615, "nested": {"a": [null, true]}}"#;
    let object = parse_json("config.json".as_ref(), text.as_bytes()).unwrap();
    assert_eq!(object["eps"].as_f64(), Some(1e-5));
    assert_eq!(object["big"].as_f64(), Some(1e30));
    assert_eq!(object["int"].as_u64(), Some(u64::MAX));
    assert_eq!(object["nested"], serde_json::json!({"a": [null, true]}));
    assert_eq!(object.keys().collect::<Vec<_>>(), ["eps", "big", "int", "nested"]);
}

#[test]
fn side_files_are_read_where_there_are_any() {
    let model = ones(&["a"]);
    let folder = Folder::new(&[
        CONFIG,
        ("model.safetensors", &model),
        ("generation_config.json", br#"{"do_sample": true}"#),
        ("tokenizer_config.json", b"{"),
    ]);
    let checkpoint = folder.open().unwrap();
    assert_eq!(checkpoint.folder(), folder.path());
    assert_eq!(checkpoint.side_file("generation_config.json").unwrap().unwrap()["do_sample"], true);
    assert!(checkpoint.side_file("other.json").unwrap().is_none());
    assert!(matches!(checkpoint.side_file("tokenizer_config.json"), Err(Error::Json { .. })));
}

#[test]
fn a_huge_json_file_is_not_read() {
    let folder = Folder::new(&[]);
    let path = folder.file("config.json");
    std::fs::File::create(&path).unwrap().set_len(JSON_LIMIT + 1).unwrap();
    assert!(matches!(read_json(&path), Err(Error::TooLarge { limit: JSON_LIMIT, .. })));
}

#[test]
fn a_range_beyond_the_file_is_an_error() {
    let source = Source::from_bytes("memory", vec![0; 4]);
    assert!(source.read(0..5).is_err());
    #[expect(clippy::reversed_empty_ranges, reason = "a lying header could ask for it")]
    let reversed = source.read(3..2);
    assert!(reversed.is_err());
}
