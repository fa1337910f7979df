//! `camelid compare-trace`: what other engines computed, in their own precision.

mod dumps;
mod traces;

use std::path::{Path, PathBuf};

use serde_json::Value as Json;

use crate::models::{camelid, case, config, refused, run, text};

pub(crate) fn port(name: &str) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/ports")).join(name)
}

/// The report on a port, and the exit status.
#[track_caller]
fn compared(name: &str, more: &[&str]) -> (Json, Option<i32>) {
    let (model, precision) = (port(name), name.rsplit('@').next().expect("a precision"));
    let trace = model.join("trace.safetensors");
    let args = [
        "compare-trace",
        "--model",
        text(&model),
        "--trace",
        text(&trace),
        "--precision",
        precision,
        "--json",
    ];
    let output = camelid(&[&args, more].concat()).output().expect("it runs");
    let told = String::from_utf8_lossy(&output.stderr);
    let report =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{name}: {error}: {told}"));
    (report, output.status.code())
}

#[track_caller]
fn differs(name: &str, layer: Option<u64>, stage: &str, causes: &[&str]) {
    let (report, status) = compared(name, &[]);
    let first = &report["first_divergence"];
    assert_eq!((status, report["verdict"].as_str()), (Some(1), Some("differs")), "{report:#}");
    assert_eq!((first["layer"].as_u64(), first["stage"].as_str()), (layer, Some(stage)), "{first:#}");
    assert_eq!(first["causes"], serde_json::json!(causes), "{first:#}");
}

#[test]
fn a_right_port_is_equal_as_far_as_its_precision_can_tell() {
    for name in ["right-qwen1@bf16", "llama2-eps-outside@f16"] {
        let (report, status) = compared(name, &[]);
        assert_eq!((status, report["verdict"].as_str()), (Some(0), Some("equal")), "{name}: {report:#}");
        assert!(report["first_divergence"].is_null(), "{report:#}");
    }
}

#[test]
fn a_wrong_port_differs_at_its_mistake_which_is_named() {
    differs("qwen1-logn-missing@bf16", Some(0), "attention", &["attention.logn"]);
    differs("minicpm-logits-multiplied@f16", None, "logits", &["output.scale"]);
    differs("qwen1.5-window-one-less@q8_0", Some(1), "attention", &["attention.window"]);
}

#[test]
fn locating_alone_blames_nobody() {
    let (report, status) = compared("qwen1-logn-missing@bf16", &["--locate-only"]);
    assert_eq!(status, Some(1));
    assert_eq!(report["first_divergence"]["causes"], serde_json::json!([]), "{report:#}");
}

#[test]
fn a_page_to_look_at_is_written_whole_beside_the_report() {
    let folder = tempfile::tempdir().expect("a folder");
    let page = folder.path().join("<b>&.html");
    let (report, status) = compared("qwen1-logn-missing@bf16", &["--report", text(&page)]);
    assert_eq!(status, Some(1), "{report:#}");
    let html = std::fs::read_to_string(&page).expect("the page");
    assert!(html.contains("differs first at attention of layer 0"), "{html}");
    assert!(html.ends_with("</html>\n") && html.contains("prefers-color-scheme: dark"), "{html}");
    assert_eq!(html.matches("<tr class=").count(), report["stages"].as_array().expect("a list").len());
    assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 1);
    let model = port("qwen1-logn-missing@bf16");
    let trace = model.join("trace.safetensors");
    let nowhere = folder.path().join("none/page.html");
    let error = refused(&[
        "compare-trace",
        "--model",
        text(&model),
        "--trace",
        text(&trace),
        "--report",
        text(&nowhere),
    ]);
    assert!(error.contains("none"), "{error}");
}

/// What is said of a port that reads another config.json than the model's.
#[track_caller]
fn misread(case_name: &str, change: impl FnOnce(&mut serde_json::Map<String, Json>)) -> Json {
    let folder = tempfile::tempdir().expect("a folder");
    let model = case(case_name);
    for file in ["config.json", "model.safetensors"] {
        std::fs::copy(model.join(file), folder.path().join(file)).expect("it is copied");
    }
    config(folder.path(), change);
    let out = folder.path().join("port.safetensors");
    let ids: Vec<String> = (0..90).map(|id| (3 + 2 * id).to_string()).collect();
    // An engine that shows streams alone, so that a whole layer is the first stage that differs.
    let map = folder.path().join("streams.toml");
    std::fs::write(&map, "[taps]\ninput_ids = [\"input_ids\"]\nlayer = [\"hidden.layer.{layer}\"]\n")
        .expect("written");
    let traced = ["trace", "--model", text(folder.path()), "--ids", &ids.join(","), "--map", text(&map)];
    run(&[&traced[..], &["--out", text(&out)]].concat());
    let args =
        ["compare-trace", "--model", text(&model), "--trace", text(&out), "--precision", "f32", "--json"];
    let output = camelid(&args).output().expect("it runs");
    let report: Json = serde_json::from_slice(&output.stdout).expect("JSON");
    report["first_divergence"].clone()
}

#[test]
fn two_keys_that_are_not_read_are_both_named() {
    let found = misread("llama3/3.1-rope", |config| {
        config.remove("rope_scaling");
        config.insert("rope_theta".into(), 10_000.0.into());
    });
    assert_eq!(found["causes"], serde_json::json!(["rope.scaling", "rope.theta"]), "{found:#}");
    let sentence = found["sentence"].as_str().expect("a sentence");
    assert!(sentence.contains("is not read); and rope.theta were 10000, not 500000"), "{sentence}");
}

#[test]
fn a_number_that_an_engine_has_built_in_is_named() {
    let found = misread("llama3/3.1-rope", |config| {
        config["rope_scaling"]["original_max_position_embeddings"] = 8192.into();
    });
    assert_eq!(found["causes"], serde_json::json!(["rope.scaling"]), "{found:#}");
    let sentence = found["sentence"].as_str().expect("a sentence");
    assert!(sentence.contains("original_max_position_embeddings 8192"), "{sentence}");
}
