//! Writing: round trips, the reference reads it, and nothing half-written is left.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use bytes::Bytes;
use camelid_checkpoint::{Dtype, Error, Planned, Writer, write_file};
use proptest::prelude::*;

mod support;
use support::Folder;

fn planned(name: &str, dtype: Dtype, shape: &[usize]) -> Planned {
    Planned { name: name.to_owned(), dtype, shape: shape.to_owned() }
}

fn four_floats(names: &[&str]) -> Vec<Planned> {
    names.iter().map(|name| planned(name, Dtype::F32, &[4])).collect()
}

fn piece(bytes: &[u8]) -> Result<Bytes, Error> {
    Ok(Bytes::copy_from_slice(bytes))
}

#[test]
fn one_file_is_what_the_reference_writes() {
    let folder = Folder::new(&[]);
    let plan = vec![
        planned("b", Dtype::F32, &[1]),
        planned("a", Dtype::F32, &[1, 1]),
        planned("c", Dtype::I64, &[1]),
        planned("d", Dtype::Bf16, &[]),
    ];
    let mut writer = Writer::create(folder.path(), plan, u64::MAX).unwrap();
    writer.write("d", [piece(&[14, 15])]).unwrap();
    writer.write("a", [piece(&[1, 2]), piece(&[]), piece(&[3, 4])]).unwrap();
    writer.write("b", [piece(&[9, 9, 9, 9])]).unwrap();
    writer.write("c", [piece(&[7; 8])]).unwrap();
    assert_eq!(writer.finish().unwrap(), [folder.file("model.safetensors")]);
    assert_eq!(folder.names(), ["model.safetensors"]);

    use safetensors::tensor::{Dtype as Stored, TensorView};
    let view = |stored, shape: &[usize], bytes: &'static [u8]| {
        TensorView::new(stored, shape.to_vec(), bytes).unwrap()
    };
    let tensors = [
        ("a", view(Stored::F32, &[1, 1], &[1, 2, 3, 4])),
        ("b", view(Stored::F32, &[1], &[9, 9, 9, 9])),
        ("c", view(Stored::I64, &[1], &[7; 8])),
        ("d", view(Stored::BF16, &[], &[14, 15])),
    ];
    let format = std::collections::HashMap::from([("format".to_owned(), "pt".to_owned())]);
    let reference = safetensors::serialize(tensors, Some(format)).unwrap();
    assert_eq!(std::fs::read(folder.file("model.safetensors")).unwrap(), reference);
}

#[test]
fn what_is_sent_to_the_disk_while_it_is_written_is_whole() {
    const LONG: usize = 48 << 20;
    let folder = Folder::new(&[("config.json", b"{}")]);
    let plan = vec![planned("a", Dtype::U8, &[3 * LONG]), planned("b", Dtype::U8, &[LONG])];
    let mut writer = Writer::create(folder.path(), plan, 1).unwrap();
    let long = |byte: u8| Ok(Bytes::from(vec![byte; LONG]));
    writer.write("b", [long(4)]).unwrap();
    writer.write("a", [long(1), long(2), long(3)]).unwrap();
    writer.finish().unwrap();
    let opened = folder.open().unwrap();
    let bytes = |name: &str| opened.tensor(name).unwrap().bytes().unwrap();
    assert!(bytes("b").iter().all(|byte| *byte == 4));
    assert!(bytes("a").chunks(LONG).zip(1u8..).all(|(part, own)| part.iter().all(|byte| *byte == own)));
}

#[test]
#[cfg(target_os = "linux")]
fn what_is_released_leaves_memory_and_is_there_again() {
    const LONG: usize = 8 << 20;
    let folder = Folder::new(&[("config.json", b"{}")]);
    let mut writer = Writer::create(folder.path(), vec![planned("a", Dtype::U8, &[LONG])], u64::MAX).unwrap();
    writer.write("a", [Ok(Bytes::from(vec![7; LONG]))]).unwrap();
    writer.finish().unwrap();
    let opened = folder.open().unwrap();
    let bytes = opened.tensor("a").unwrap().bytes().unwrap();
    // What of the file is in this process's memory, in kB.
    let held = || -> usize {
        let maps = std::fs::read_to_string("/proc/self/smaps").unwrap();
        let path = folder.file("model.safetensors").canonicalize().unwrap();
        let own = maps.split(path.to_str().unwrap()).nth(1).unwrap();
        let line = own.lines().find_map(|line| line.strip_prefix("Rss:")).unwrap();
        line.trim().trim_end_matches("kB").trim().parse().unwrap()
    };
    assert!(bytes.iter().all(|byte| *byte == 7));
    assert!(held() * 1024 >= LONG, "{}", held());
    opened.release();
    assert!(held() < 1024, "{}", held());
    assert!(bytes.iter().all(|byte| *byte == 7));
}

#[test]
fn shards_and_their_index() {
    let folder = Folder::new(&[("config.json", b"{}")]);
    let names = ["a", "b", "c", "large"];
    let mut plan = four_floats(&names[..3]);
    plan.push(planned("large", Dtype::F32, &[100]));
    let mut writer = Writer::create(folder.path(), plan, 32).unwrap();
    for name in names {
        let len = if name == "large" { 400 } else { 16 };
        writer.write(name, [piece(&vec![name.as_bytes()[0]; len])]).unwrap();
    }
    assert_eq!(writer.finish().unwrap().len(), 4);
    let shards = [1, 2, 3].map(|shard| format!("model-{shard:05}-of-00003.safetensors"));
    let expected =
        [&["config.json".to_owned()][..], &shards, &["model.safetensors.index.json".to_owned()]].concat();
    assert_eq!(folder.names(), expected);
    let index = std::fs::read_to_string(folder.file("model.safetensors.index.json")).unwrap();
    assert!(
        index.starts_with("{\n  \"metadata\": {\n    \"total_size\": 448\n  },\n  \"weight_map\": {"),
        "{index}"
    );
    let checkpoint = folder.open().unwrap();
    let files: Vec<_> =
        checkpoint.tensors().map(|tensor| tensor.path().file_name().unwrap().to_owned()).collect();
    assert_eq!(files, [&shards[0], &shards[0], &shards[1], &shards[2]].map(std::ffi::OsString::from));
    assert!(checkpoint.tensor("b").unwrap().bytes().unwrap().iter().all(|&byte| byte == b'b'));
}

/// A writer of two shards of one tensor each, the first written.
fn half_done(folder: &Folder) -> Writer {
    let mut writer = Writer::create(folder.path(), four_floats(&["a", "b"]), 16).unwrap();
    writer.write("a", [piece(&[1; 16])]).unwrap();
    writer
}

#[test]
fn a_writer_dropped_leaves_nothing() {
    let folder = Folder::new(&[]);
    drop(half_done(&folder));
    assert!(folder.names().is_empty());
}

#[test]
fn a_writer_killed_leaves_no_final_name() {
    let folder = Folder::new(&[]);
    std::mem::forget(half_done(&folder));
    assert_eq!(folder.names().len(), 2);
    assert!(folder.names().iter().all(|name| name.starts_with('.') && name.ends_with(".partial")));
}

#[test]
fn what_was_not_planned_is_refused() {
    let check = |message: &str, act: &dyn Fn(&mut Writer) -> Result<(), Error>| {
        let folder = Folder::new(&[]);
        let mut writer = half_done(&folder);
        let error = act(&mut writer).unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
        drop(writer);
        assert!(folder.names().is_empty());
    };
    check("tensor \"c\": was not planned", &|writer| writer.write("c", []));
    check("tensor \"a\": was not planned, or is written already", &|writer| {
        writer.write("a", [piece(&[1; 16])])
    });
    check("tensor \"b\": 15 bytes or more, where 16 were", &|writer| writer.write("b", [piece(&[1; 15])]));
    check("tensor \"b\": 17 bytes or more", &|writer| writer.write("b", [piece(&[1; 16]), piece(&[1])]));
    check("32 bytes or more, where 16 were planned", &|writer| {
        writer.write("b", std::iter::repeat_with(|| piece(&[1; 16])))
    });
    check("no memory for 9 bytes", &|writer| {
        let failed = Err(Error::OutOfMemory { path: "source".into(), bytes: 9 });
        writer.write("b", [piece(&[1; 8]), failed])
    });
}

#[test]
fn an_unwritten_tensor_is_named_and_nothing_is_left() {
    let folder = Folder::new(&[]);
    let error = half_done(&folder).finish().unwrap_err().to_string();
    assert!(error.contains("tensor \"b\": was planned and not written"), "{error}");
    assert!(folder.names().is_empty());
}

#[test]
fn a_name_taken_meanwhile_is_not_overwritten() {
    let folder = Folder::new(&[]);
    let mut writer = half_done(&folder);
    writer.write("b", [piece(&[2; 16])]).unwrap();
    std::fs::write(folder.file("model-00002-of-00002.safetensors"), "theirs").unwrap();
    assert!(writer.finish().is_err());
    assert_eq!(folder.names(), ["model-00002-of-00002.safetensors"]);
}

#[test]
fn plans_that_are_refused() {
    let check = |plan: Vec<Planned>, message: &str| {
        let folder = Folder::new(&[]);
        let error = Writer::create(folder.path(), plan, 16).unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
        assert!(folder.names().is_empty());
    };
    check(four_floats(&["a", "b", "a"]), "tensor \"a\": is planned twice");
    check(vec![planned("q", Dtype::Q4_0, &[32])], "tensor \"q\": Q4_0 is no type of safetensors");
    check(vec![planned("h", Dtype::F32, &[1 << 40, 1 << 40])], "tensor \"h\": no tensor of F32");
    let half = planned("h", Dtype::U8, &[1 << 62]);
    check(vec![half, planned("i", Dtype::U8, &[1 << 62])], "tensor \"i\": with it the tensors are larger");
    for taken in ["other.safetensors", "model.safetensors.index.json"] {
        let folder = Folder::new(&[(taken, b"theirs")]);
        assert!(matches!(Writer::create(folder.path(), vec![], 16), Err(Error::Exists { .. })));
        assert_eq!(folder.names(), [taken]);
    }
}

#[test]
#[cfg(unix)]
fn what_is_written_is_readable_as_any_new_file() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new(&[("plain", b"")]);
    write_file(&folder.file("config.json"), b"{}").unwrap();
    let mode = |name: &str| std::fs::metadata(folder.file(name)).unwrap().permissions().mode();
    assert_eq!(mode("config.json"), mode("plain"));
}

#[test]
fn a_file_is_replaced_whole() {
    let folder = Folder::new(&[("config.json", b"old")]);
    write_file(&folder.file("config.json"), b"new").unwrap();
    assert_eq!(std::fs::read(folder.file("config.json")).unwrap(), b"new");
    assert_eq!(folder.names(), ["config.json"]);
    assert!(write_file(&folder.file("none/config.json"), b"new").is_err());
}

proptest! {
    // Each case syncs its files.
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn what_is_written_is_read(
        tensors in prop::collection::btree_map("[a-z.]{1,6}", prop::collection::vec(0_usize..4, 0..3), 0..6),
        most in 1_u64..200,
        seed in any::<u8>(),
    ) {
        // Weights without a number are told to be so.
        prop_assume!(tensors.is_empty() || tensors.values().any(|shape| !shape.contains(&0)));
        let folder = Folder::new(&[("config.json", b"{}")]);
        let plan = tensors.iter().map(|(name, shape)| planned(name, Dtype::U16, shape)).collect();
        let mut writer = Writer::create(folder.path(), plan, most).unwrap();
        let bytes = |shape: &[usize]| vec![seed; 2 * shape.iter().product::<usize>()];
        for (name, shape) in tensors.iter().rev() {
            writer.write(name, bytes(shape).chunks(3).map(piece)).unwrap();
        }
        writer.finish().unwrap();
        let checkpoint = folder.open().unwrap();
        prop_assert_eq!(checkpoint.tensors().len(), tensors.len());
        for (tensor, (name, shape)) in checkpoint.tensors().zip(&tensors) {
            prop_assert_eq!((tensor.name(), tensor.shape()), (name.as_str(), shape.as_slice()));
            prop_assert_eq!(&tensor.bytes().unwrap()[..], &bytes(shape)[..]);
        }
    }
}

#[test]
fn one_file_is_written_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("some.safetensors");
    let tensor = |name: &str, dtype: Dtype, shape: &[usize], bytes: Vec<u8>| {
        camelid_checkpoint::Tensor::from_bytes(name, dtype, shape, bytes.into()).unwrap()
    };
    let ids = tensor("ids", Dtype::I64, &[2], [7i64, -1].iter().flat_map(|x| x.to_le_bytes()).collect());
    let half = tensor("half", Dtype::Bf16, &[1, 2], vec![0, 63, 128, 63]);
    camelid_checkpoint::write_safetensors(&path, &[half.clone(), ids.clone()]).unwrap();
    let source = camelid_checkpoint::Source::open(&path, camelid_checkpoint::Mapping::Read).unwrap();
    let read = camelid_checkpoint::read_safetensors(&std::sync::Arc::new(source)).unwrap();
    let names: Vec<_> = read.iter().map(|tensor| (tensor.name().to_owned(), tensor.to_f64().ok())).collect();
    assert_eq!(names, [("half".to_owned(), Some(vec![0.5, 1.0])), ("ids".to_owned(), None)]);
    assert_eq!(read[1].to_i64().unwrap(), [7, -1]);
    let before = std::fs::read(&path).unwrap();
    let quantised = tensor("q", Dtype::Q8_0, &[1, 32], vec![0; 34]);
    for wrong in [vec![half.clone(), half.clone()], vec![ids, quantised]] {
        camelid_checkpoint::write_safetensors(&path, &wrong).unwrap_err();
        assert_eq!(std::fs::read(&path).unwrap(), before);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
