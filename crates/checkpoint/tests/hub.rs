//! Names of the hub, in a cache laid out as the client lays it out.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use camelid_checkpoint::Error;
use camelid_checkpoint::hub::{Name, resolve_in};

mod support;
use support::Folder;

const COMMIT: &str = "a5d2e8c0ffee";

/// A cache with one model, whose reference has the given text.
fn cache(reference: &str) -> Folder {
    let cache = Folder::new(&[]);
    let model = cache.file("models--org--some.model-7b");
    std::fs::create_dir_all(model.join("refs")).unwrap();
    std::fs::create_dir_all(model.join("snapshots").join(COMMIT)).unwrap();
    std::fs::write(model.join("refs/main"), reference).unwrap();
    cache
}

fn resolve(cache: &Folder, name: &str) -> Result<std::path::PathBuf, Error> {
    resolve_in(cache.path(), &name.parse::<Name>()?)
}

#[test]
fn a_name_leads_to_its_snapshot() {
    for reference in [COMMIT.to_owned(), format!("{COMMIT}\n")] {
        let cache = cache(&reference);
        let expected = cache.file("models--org--some.model-7b").join("snapshots").join(COMMIT);
        assert_eq!(resolve(&cache, "org/some.model-7b").unwrap(), expected);
    }
}

#[track_caller]
fn refused(reference: &str, name: &str, parts: &[&str]) {
    let error = resolve(&cache(reference), name).unwrap_err().to_string();
    assert!(error.starts_with(&format!("{name}: not in the local cache: ")), "{error}");
    for part in parts {
        assert!(error.contains(part), "{part:?} is not in: {error}");
    }
}

#[test]
fn names_that_lead_nowhere() {
    refused(COMMIT, "org/other", &["models--org--other is not there; fetch it with `camelid fetch`"]);
    refused("0000", "org/some.model-7b", &["snapshots/0000 is not there"]);
    refused("../../x", "org/some.model-7b", &["refs/main does not hold a commit"]);
    refused("", "org/some.model-7b", &["refs/main does not hold a commit"]);
}

#[test]
fn a_model_without_a_reference() {
    let cache = cache(COMMIT);
    std::fs::remove_file(cache.file("models--org--some.model-7b/refs/main")).unwrap();
    let error = resolve(&cache, "org/some.model-7b").unwrap_err().to_string();
    assert!(error.contains("refs/main is not there; name the snapshot's folder instead"), "{error}");
}

#[test]
fn names_that_are_none() {
    let names = ["model", "a/b/c", "../model", "org/..", "/etc", "org/", "org/a b", r"org\a/b", "."];
    for name in names.into_iter().chain(["a/b@", "a/b@../x", "a/b:", "a/b:../x", "a/b@x:/etc"]) {
        let error = name.parse::<Name>().unwrap_err().to_string();
        assert!(error.starts_with(&format!("{name}: a hub name has the form ORG/NAME")), "{error}");
    }
}

#[test]
fn a_revision_is_a_branch_or_a_commit() {
    let cache = cache("0123");
    let model = cache.file("models--org--some.model-7b");
    let snapshot = model.join("snapshots").join(COMMIT);
    std::fs::create_dir_all(model.join("refs/refs/pr")).unwrap();
    std::fs::write(model.join("refs/refs/pr/1"), COMMIT).unwrap();
    assert_eq!(resolve(&cache, "org/some.model-7b@refs/pr/1").unwrap(), snapshot);
    assert_eq!(resolve(&cache, &format!("org/some.model-7b@{COMMIT}")).unwrap(), snapshot);
    let error = resolve(&cache, "org/some.model-7b@v2").unwrap_err().to_string();
    assert!(error.contains("refs/v2 is not there"), "{error}");
}

#[test]
fn a_variant_is_a_file() {
    let cache = cache(COMMIT);
    let snapshot = cache.file("models--org--some.model-7b").join("snapshots").join(COMMIT);
    std::fs::create_dir_all(snapshot.join("sub")).unwrap();
    for file in ["a-Q4_K_M.gguf", "sub/a-Q8_0.gguf"] {
        std::fs::write(snapshot.join(file), b"GGUF").unwrap();
    }
    assert_eq!(resolve(&cache, "org/some.model-7b:q4_k_m").unwrap(), snapshot.join("a-Q4_K_M.gguf"));
    assert_eq!(resolve(&cache, "org/some.model-7b:Q8_0").unwrap(), snapshot.join("sub/a-Q8_0.gguf"));
    let error = resolve(&cache, "org/some.model-7b:F16").unwrap_err().to_string();
    assert!(error.ends_with("there are a-Q4_K_M.gguf, sub/a-Q8_0.gguf"), "{error}");
}
