//! Families that are not built in, each declared in one file and held to a case that `tests/reference/make_case.py` made
//! with transformers: the schema has the words for them, and no Rust was written.

use std::path::{Path, PathBuf};

use camelid::families::Library;
use camelid::verify::{Settings, verify};

#[test]
fn a_family_that_is_not_built_in_needs_a_file_and_no_rust() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("beyond");
    let mut names: Vec<String> = std::fs::read_dir(&folder)
        .expect("the folder is there")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    assert!(names.len() >= 8, "{names:?}");
    for name in names {
        let mut library = Library::built_in().expect("the built-in families");
        let family = library.add(&folder.join(&name).join(format!("{name}.toml"))).expect("a declaration");
        let cases = cases(&folder.join(&name));
        assert!(!cases.is_empty(), "{name} has a case");
        let report = verify(&library, &family, &cases, &Settings::default(), &|_, _, _| {}).expect("it runs");
        assert!(report.passed, "{name}: {}", serde_json::to_string_pretty(&report).unwrap_or_default());
        for case in &report.cases {
            let own = std::slice::from_ref(&name);
            assert_eq!(case.matches, own, "its own rule accepts its config.json, and no other's does");
        }
    }
}

/// The folders of cases: one for each thing that a key of config.json can turn.
fn cases(family: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(family).expect("the family's folder");
    let mut cases: Vec<_> =
        entries.map(|entry| entry.expect("an entry").path()).filter(|path| path.is_dir()).collect();
    cases.sort();
    cases
}
