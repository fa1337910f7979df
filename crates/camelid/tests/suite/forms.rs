//! What `convert` writes for engines, over every case that a form takes.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value as Json, json};

use crate::models::{camelid, case, run, text};

/// What a form takes of any case is written, read back and run beside its source; what it can't take it refuses, for a reason of
/// the model's. `docs/conversions.md` says which are which.
#[test]
fn no_form_of_a_file_makes_another_function_of_any_case() {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/cases");
    let folders = |at: &Path| {
        let entries = std::fs::read_dir(at).expect("a folder").map(|entry| entry.expect("an entry").path());
        entries.filter(|path| path.is_dir()).collect::<Vec<_>>()
    };
    let mut written = BTreeSet::new();
    for source in folders(&cases).iter().flat_map(|family| folders(family)) {
        let name = source.strip_prefix(&cases).expect("a case").display().to_string();
        for form in forms() {
            if is_written(&source, name.split('/').next().expect("a family"), form) {
                written.insert((name.clone(), form.to_owned()));
            }
        }
    }
    assert_eq!(written, said_to_be_written());
}

fn is_written(source: &Path, family: &str, form: &str) -> bool {
    let out = tempfile::tempdir().expect("a folder");
    let file = out.path().join("model.gguf");
    let args = [
        "convert",
        text(source),
        "--family",
        family,
        "--to-gguf",
        "--to",
        form,
        "--allow",
        "length",
        "--out",
    ];
    let output = camelid(&[&args as &[&str], &[text(&file)]].concat()).output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    let named = format!("{} as {form}: {said}", source.display());
    assert!(!said.contains("a fault of camelid") && !said.contains("- engines:"), "{named}");
    assert_eq!(output.status.success(), file.exists(), "{named}");
    file.exists()
}

/// The page's table of llama.cpp's forms, cell by cell.
fn table() -> impl Iterator<Item = Vec<&'static str>> {
    let page = include_str!("../../../../docs/conversions.md");
    let table = page.split("\n## ").find(|part| part.starts_with("llama.cpp")).expect("its part");
    table.lines().filter_map(|line| Some(line.strip_prefix("| ")?.strip_suffix(" |")?.split(" | ").collect()))
}

/// The forms, in the order of its columns.
fn forms() -> Vec<&'static str> {
    table().next().expect("a head").split_off(1)
}

/// The rows and columns of the page that are no dash.
fn said_to_be_written() -> BTreeSet<(String, String)> {
    let rows = table().filter(|cells| cells[0].contains('/'));
    let names = |cells: Vec<&str>| {
        let grades = forms().into_iter().zip(cells[1..].to_vec()).filter(|(_, grade)| *grade != "–");
        grades.map(|(form, _)| (cells[0].to_owned(), form.to_owned())).collect::<Vec<_>>()
    };
    rows.flat_map(names).collect()
}

/// What transformers 5 saved is written as 4 reads it too: it and others read a base and a scaling nowhere else, and say nothing.
#[test]
fn the_rotary_embedding_is_written_for_both_majors_of_transformers() {
    for (source, theta, scaling) in [
        ("llama3/3.1-rope-saved5", 500_000.0, json!("llama3")),
        ("qwen2/yarn-saved5", 1e6, json!("yarn")),
        ("gemma2/softcap-saved5", 10_000.0, json!(null)),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let out = folder.path().join("out");
        run(&["convert", "--model", text(&case(source)), "--for", "transformers", "--out", text(&out)]);
        let written = std::fs::read(out.join("config.json")).expect("a config");
        let config: Json = serde_json::from_slice(&written).expect("JSON");
        let found = (config["rope_theta"].as_f64(), &config["rope_scaling"]["rope_type"]);
        assert_eq!(found, (Some(theta), &scaling), "{source}");
        assert_eq!(config.get("rope_parameters"), None, "{source}");
    }
}
