//! What `convert` writes for engines, over every case that a form takes.

use std::path::Path;

use serde_json::{Value as Json, json};

use crate::models::{camelid, case, run, text};

/// Whatever a form takes of any case is written, read back and run beside its source; what it can't take it refuses.
#[test]
fn no_form_of_a_file_makes_another_function_of_any_case() {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/cases");
    let folders = |at: &Path| {
        let entries = std::fs::read_dir(at).expect("a folder").map(|entry| entry.expect("an entry").path());
        entries.filter(|path| path.is_dir()).collect::<Vec<_>>()
    };
    let mut proved = 0;
    for family in folders(&cases) {
        for source in folders(&family) {
            let named = family.file_name().and_then(|name| name.to_str()).expect("a name");
            for form in ["llama", "baichuan", "granite", "gemma2"] {
                let out = tempfile::tempdir().expect("a folder");
                let file = out.path().join("model.gguf");
                let args = [
                    "convert",
                    "--model",
                    text(&source),
                    "--family",
                    named,
                    "--to-gguf",
                    "--to",
                    form,
                    "--allow",
                    "length",
                ];
                let output =
                    camelid(&[&args as &[&str], &["--out", text(&file)]].concat()).output().expect("it runs");
                let said = String::from_utf8_lossy(&output.stderr);
                assert!(!said.contains("a fault of camelid"), "{} as {form}: {said}", source.display());
                assert_eq!(output.status.success(), file.exists(), "{} as {form}: {said}", source.display());
                proved += usize::from(file.exists());
            }
        }
    }
    assert!(proved >= 70, "{proved} files");
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
