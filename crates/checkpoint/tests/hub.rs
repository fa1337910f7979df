//! Names of the hub, in a cache laid out as the client lays it out.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use camelid_checkpoint::hub::resolve_in;

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

#[test]
fn a_name_leads_to_its_snapshot() {
    for reference in [COMMIT.to_owned(), format!("{COMMIT}\n")] {
        let cache = cache(&reference);
        let expected = cache.file("models--org--some.model-7b").join("snapshots").join(COMMIT);
        assert_eq!(resolve_in(cache.path(), "org/some.model-7b").unwrap(), expected);
    }
}

#[track_caller]
fn refused(reference: &str, name: &str, parts: &[&str]) {
    let error = resolve_in(cache(reference).path(), name).unwrap_err().to_string();
    assert!(error.starts_with(&format!("{name}: not in the local cache: ")), "{error}");
    for part in parts {
        assert!(error.contains(part), "{part:?} is not in: {error}");
    }
}

#[test]
fn names_that_lead_nowhere() {
    refused(COMMIT, "org/other", &["models--org--other is not there; download it"]);
    for name in ["model", "a/b/c", "../model", "org/..", "/etc", "org/", "org/a b", r"org\a/b", "."] {
        refused(COMMIT, name, &["a hub name has the form ORG/NAME"]);
    }
    refused("0000", "org/some.model-7b", &["snapshots/0000 is not there"]);
    refused("../../x", "org/some.model-7b", &["refs/main does not hold a commit"]);
    refused("", "org/some.model-7b", &["refs/main does not hold a commit"]);
}

#[test]
fn a_model_without_a_reference() {
    let cache = cache(COMMIT);
    std::fs::remove_file(cache.file("models--org--some.model-7b/refs/main")).unwrap();
    let error = resolve_in(cache.path(), "org/some.model-7b").unwrap_err().to_string();
    assert!(error.contains("refs/main is not there; name the snapshot's folder instead"), "{error}");
}
