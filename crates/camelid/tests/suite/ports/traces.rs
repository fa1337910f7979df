//! `camelid trace`: the truth under the names of every engine.

use std::path::Path;

use serde_json::Value as Json;

use super::port;
use crate::models::{camelid, refused, run, stories, text};

/// Writes the truth of a text, and what `compare-trace` says of it.
#[track_caller]
fn truth_compared(model: &Path, names: &str, out: &Path) -> (Json, Option<i32>) {
    let ids = "1,5,9,2,7,3,11,4,8,6,12,10,15,13,16,14";
    run(&["trace", "--model", text(model), "--ids", ids, "--names", names, "--out", text(out)]);
    let args = ["compare-trace", "--model", text(model), "--trace", text(out), "--json"];
    let output = camelid(&args).output().expect("it runs");
    (serde_json::from_slice(&output.stdout).expect("JSON"), output.status.code())
}

#[test]
fn the_truth_under_the_names_of_every_engine_is_equal_to_itself() {
    let folder = tempfile::tempdir().expect("a folder");
    for model in ["right-qwen1@bf16", "minicpm-logits-multiplied@f16", "qwen1.5-window-one-less@q8_0"] {
        for (names, least) in
            [("camelid", 26), ("llama.cpp", 17), ("transformers", 14), ("mlx-lm", 14), ("vllm", 8)]
        {
            let out = folder.path().join("truth.safetensors");
            let (report, status) = truth_compared(&port(model), names, &out);
            assert_eq!(
                (status, report["verdict"].as_str()),
                (Some(0), Some("equal")),
                "{model} {names}: {report:#}"
            );
            assert_eq!(report["precision"], "f32", "{model} {names}");
            assert_eq!(report["unmatched"], serde_json::json!([]), "{model} {names}");
            let stages = report["stages"].as_array().expect("a list").len();
            assert!(stages >= least, "{model} {names}: {stages}");
            let left: Vec<_> = std::fs::read_dir(folder.path()).expect("a folder").collect();
            assert_eq!(left.len(), 1, "{left:?}");
        }
    }
}

#[test]
fn the_truth_of_a_model_with_experts_holds_their_numbers() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("truth.safetensors");
    let model = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/cases/gpt-oss"));
    let Ok(mut cases) = std::fs::read_dir(model) else { panic!("{}", model.display()) };
    let case = cases.next().expect("a case").expect("an entry").path();
    let (report, status) = truth_compared(&case, "camelid", &out);
    assert_eq!((status, report["verdict"].as_str()), (Some(0), Some("equal")), "{report:#}");
    let is_experts = |stage: &&Json| stage["stage"] == "experts";
    assert!(
        report["stages"].as_array().expect("a list").iter().any(|stage| is_experts(&stage)),
        "{report:#}"
    );
}

#[test]
fn a_prompt_is_the_ids_that_generate_would_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let (of_text, of_ids) = (folder.path().join("text.safetensors"), folder.path().join("ids.safetensors"));
    let model = text(stories());
    let printed =
        run(&["generate", "--model", model, "--prompt", "Once upon a time", "--print-prompt", "--json"]);
    let printed: Json = serde_json::from_str(&printed).expect("JSON");
    let ids: Vec<String> =
        printed["prompt_ids"].as_array().expect("ids").iter().map(ToString::to_string).collect();
    run(&["trace", "--model", model, "--prompt", "Once upon a time", "--out", text(&of_text)]);
    run(&["trace", "--model", model, "--ids", &ids.join(","), "--out", text(&of_ids)]);
    assert_eq!(std::fs::read(of_text).expect("a file"), std::fs::read(of_ids).expect("a file"));
}

#[test]
fn a_trace_that_can_t_be_made_is_one_clear_error_and_no_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("truth.safetensors");
    let model = text(stories());
    let refuse = |more: &[&str], wanted: &str| {
        let error = refused(&[&["trace", "--model", model], more].concat());
        assert!(error.contains(wanted), "{error}");
        assert!(!out.exists(), "{error}");
    };
    refuse(&["--ids", "1,2,99999999", "--out", text(&out)], "99999999");
    refuse(&["--ids", "", "--out", text(&out)], "--ids");
    refuse(&["--ids", "1,x", "--out", text(&out)], "--ids");
    refuse(&["--ids", "1", "--prompt", "x", "--out", text(&out)], "cannot be used with");
    refuse(
        &["--ids", "1", "--names", "tensorrt", "--out", text(&out)],
        "llama.cpp, transformers, mlx-lm, vllm",
    );
    refuse(&["--ids", "1", "--out", text(folder.path())], "it is a folder");
    refuse(&["--ids", "1", "--out", text(&out.join("deeper.safetensors"))], "truth.safetensors");
    let long = vec!["1"; 5000].join(",");
    refuse(&["--ids", &long, "--out", text(&out)], "5000 tokens");
}
