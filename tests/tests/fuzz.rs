//! Every parser on what once broke it, on its corpus, and on seeded changes of both for a fixed time.
//!
//! `CAMELID_FUZZ_SECONDS` is the time of each target; `cargo xtask trust` sets it and reads the lines printed here. The
//! allocator of this binary gives no more than 1 GiB, and an input may take ten seconds: both are findings where exceeded.

use std::alloc::System;
use std::collections::BTreeSet;
use std::panic::catch_unwind;
use std::path::Path;
use std::time::{Duration, Instant};

use camelid_tests::fuzz::{Changes, TARGETS, Target, inputs};
use cap::Cap;

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, 1 << 30);

const SLOWEST: Duration = Duration::from_secs(10);

/// Runs one input; a finding is written down before the test fails.
fn execute(target: &Target, input: &[u8]) -> bool {
    let start = Instant::now();
    let ended = catch_unwind(|| (target.run)(input));
    match ended {
        Ok(accepted) if start.elapsed() <= SLOWEST => return accepted,
        Ok(_) | Err(_) => {}
    }
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("finding-{}", target.name));
    std::fs::write(&path, input).expect("the finding is written");
    let what = if ended.is_ok() { "is slow" } else { "panics" };
    panic!("{} {what} on {} after {:?}", target.name, path.display(), start.elapsed());
}

fn fuzz(name: &str) {
    let seconds = std::env::var("CAMELID_FUZZ_SECONDS").ok().map(|text| text.parse().expect("seconds"));
    let time = Duration::from_secs_f64(seconds.unwrap_or(1.0));
    let target = TARGETS.iter().find(|target| target.name == name).expect("a target");
    let (findings, corpus) = (inputs("findings", name), inputs("corpus", name));
    let accepted = corpus.iter().filter(|(_, seed)| execute(target, seed)).count();
    assert!(accepted > 0, "no seed of {name} leads to the end");
    for (_, finding) in &findings {
        execute(target, finding);
    }
    let (sound, known) = (corpus.len(), findings.len());
    let seeds = findings.into_iter().chain(corpus).map(|(_, bytes)| bytes).collect();
    let mut changes = Changes::new(seeds, 0);
    let (mut executions, mut accepted) = (0_u64, 0_u64);
    let start = Instant::now();
    while start.elapsed() < time {
        accepted += u64::from(execute(target, &changes.next_input()));
        executions += 1;
    }
    println!(
        "fuzzed {name}: {executions} executions, {accepted} accepted, {sound} seeds, {known} known findings"
    );
}

macro_rules! targets {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            fuzz(stringify!($name));
        })*

        #[test]
        fn every_target_is_run_here_and_in_the_fuzz_folder() {
            let names: BTreeSet<String> = TARGETS.iter().map(|target| target.name.to_owned()).collect();
            assert_eq!(names, BTreeSet::from([$(stringify!($name).to_owned()),*]));
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/fuzz_targets");
            let files = std::fs::read_dir(folder).expect("the folder").map(|entry| entry.expect("an entry").path());
            let stems = files.map(|path| path.file_stem().expect("a name").to_string_lossy().into_owned());
            assert_eq!(names, stems.collect());
        }
    };
}

targets! {
    beside case chat_template config_json conversation family_file folder formula gguf gguf_model numpy pickle request resolve safetensors
    sentencepiece
    tiktoken
    tokenizer_json
}
