//! Families that are not built in, each declared in one file and held to a case that `tests/reference/make_case.py` made
//! with transformers: the schema has the words for them, and no Rust was written.

use std::path::Path;

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
        let case = folder.join(&name).join("case");
        let report =
            verify(&library, &family, &[case], &Settings::default(), &|_, _, _| {}).expect("it runs");
        assert!(report.passed, "{name}: {}", serde_json::to_string_pretty(&report).unwrap_or_default());
        let accepted = &report.cases[0].matches;
        assert_eq!(
            accepted,
            std::slice::from_ref(&name),
            "its own rule accepts its config.json, and no other's does"
        );
    }
}
