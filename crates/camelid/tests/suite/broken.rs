//! Broken files and broken writes: a message that names the file, and no output that is half there.
#![cfg(unix)]

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::models::{case, copy, refused, stories, text};

const PROGRAM: &str = env!("CARGO_BIN_EXE_camelid");
const SHARD: &str = "model-00002-of-00003.safetensors";

/// A copy of a case of three shards.
fn sharded() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for entry in std::fs::read_dir(case("llama2/mha")).expect("the case") {
        let path = entry.expect("an entry").path();
        std::fs::copy(&path, folder.path().join(path.file_name().expect("a name"))).expect("copied");
    }
    folder
}

/// Reading and converting are refused with a message that names the shard, and nothing is written.
#[track_caller]
fn refuses(folder: &Path, expected: &str) {
    let out = folder.join("out");
    for args in [
        &["describe", "--model", text(folder)][..],
        &["generate", "--model", text(folder), "--prompt", "x"],
        &["convert", "--model", text(folder), "--to", "yi", "--out", text(&out)],
    ] {
        let error = refused(args);
        assert!(error.contains(SHARD) && error.contains(expected), "{args:?}: {error}");
    }
    assert!(!out.exists());
}

#[test]
fn a_shard_that_is_missing_cut_off_or_no_file_is_named() {
    let folder = sharded();
    let shard = folder.path().join(SHARD);
    let whole = std::fs::read(&shard).expect("the shard");
    std::fs::write(&shard, &whole[..whole.len() - 1]).expect("written");
    refuses(folder.path(), "");
    std::fs::write(&shard, &whole[..4]).expect("written");
    refuses(folder.path(), "");
    std::fs::remove_file(&shard).expect("removed");
    refuses(folder.path(), "missing");
    std::fs::create_dir(&shard).expect("a folder");
    refuses(folder.path(), "not a regular file");
}

/// Permissions bind everybody but the superuser, who therefore runs the command as nobody.
#[test]
fn a_shard_without_permission_is_named() {
    let folder = sharded();
    let shard = folder.path().join(SHARD);
    let mode = |path: &Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("its mode is set");
    };
    mode(&shard, 0o000);
    mode(folder.path(), 0o755);
    let mut command = if std::fs::File::open(&shard).is_ok() {
        // The program, too, must lie where nobody can reach it.
        let program = folder.path().join("camelid");
        std::fs::copy(PROGRAM, &program).expect("copied");
        let mut command = Command::new(program);
        command.uid(65_534).gid(65_534);
        command
    } else {
        Command::new(PROGRAM)
    };
    let output = command.current_dir("/").args(["describe", "--model", text(folder.path())]).output();
    let output = output.expect("it runs");
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(error.contains(SHARD) && error.contains("Permission denied"), "{error}");
}

/// Converts where no file may grow beyond so many blocks of 512 bytes: writing fails as on a full disk.
fn convert_within(blocks: u64, model: &Path, out: &Path) -> Output {
    let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
    let args = ["convert", "--model", text(model), "--to", "llama2", "--out", text(out)];
    Command::new("sh").args(["-c", &script, PROGRAM]).args(args).output().expect("it runs")
}

fn names(folder: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("Unicode")).collect()
}

#[track_caller]
fn fails_and_leaves(output: &Output, out: &Path, left: &[&str]) {
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(error.contains("File too large"), "{error}");
    assert_eq!(names(out), left, "{error}");
}

#[test]
fn a_write_that_fails_leaves_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    for blocks in [0, 1, 100, 1000] {
        let out = folder.path().join(blocks.to_string());
        fails_and_leaves(&convert_within(blocks, stories(), &out), &out, &[]);
    }
    let out = folder.path().join("enough");
    let output = convert_within(1 << 20, stories(), &out);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(names(&out).len(), 4);
}

#[test]
fn a_write_that_fails_after_the_weights_leaves_what_was_there_before() {
    let source = copy();
    std::fs::write(source.path().join("vocab.json"), vec![b' '; 4 << 20]).expect("written");
    let out = tempfile::tempdir().expect("a folder");
    std::fs::write(out.path().join("README"), "theirs").expect("written");
    fails_and_leaves(&convert_within(6000, source.path(), out.path()), out.path(), &["README"]);
}

/// Name → content of every file that is not hidden.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let shown = names(folder).into_iter().filter(|name| !name.starts_with('.'));
    shown.map(|name| (name.clone(), std::fs::read(folder.join(name)).expect("a file"))).collect()
}

#[test]
fn a_process_killed_while_converting_leaves_no_file_half_written() {
    let folder = tempfile::tempdir().expect("a folder");
    let start = |out: &PathBuf| {
        let mut command = Command::new(PROGRAM);
        command.args(["convert", "--model", text(&case("llama2/mha")), "--to", "yi", "--out", text(out)]);
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it runs")
    };
    let (whole, begun) = (folder.path().join("whole"), Instant::now());
    assert!(start(&whole).wait().expect("it ends").success());
    let (whole, lasts) = (files(&whole), begun.elapsed());
    let mut halfway = 0;
    for kill in 0..40 {
        let out = folder.path().join(kill.to_string());
        let mut process = start(&out);
        std::thread::sleep(lasts.mul_f64(f64::from(kill) / 40.0).max(Duration::from_micros(1)));
        process.kill().expect("it is killed");
        process.wait().expect("it ended");
        let left = files(&out);
        for (name, bytes) in &left {
            assert!(whole.get(name) == Some(bytes), "{name} is half written");
        }
        // config.json makes the folder a checkpoint, and comes last.
        assert!(!left.contains_key("config.json") || left.len() == whole.len(), "{:?}", left.keys());
        halfway += u32::from(left.len() < whole.len());
    }
    assert!(halfway > 0, "no process was killed in time");
}
