//! `camelid compare-trace`: what other engines computed, in their own precision.

use std::path::{Path, PathBuf};

use serde_json::Value as Json;

use crate::models::{camelid, refused, text};

fn port(name: &str) -> PathBuf {
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
fn a_dump_that_can_t_be_compared_is_one_clear_error() {
    let folder = tempfile::tempdir().expect("a folder");
    let model = port("right-qwen1@bf16");
    let whole = std::fs::read(model.join("trace.safetensors")).expect("the trace");
    let half = folder.path().join("half.safetensors");
    std::fs::write(&half, &whole[..whole.len() / 2]).expect("written");
    let map = folder.path().join("map.toml");
    std::fs::write(&map, "[taps]\n\"no.such.tap\" = [\"x\"]\n").expect("written");
    let of_another = port("minicpm-logits-multiplied@f16").join("trace.safetensors");
    let compare = |trace: &Path, more: &[&str]| {
        let args = ["compare-trace", "--model", text(&model), "--trace", text(trace)];
        let error = refused(&[&args, more].concat());
        assert!(error.lines().count() <= 3, "{error}");
        error
    };
    assert!(compare(&half, &[]).contains("half.safetensors"));
    assert!(compare(&folder.path().join("none.safetensors"), &[]).contains("none.safetensors"));
    let of = |names: &str, ids: usize| {
        let file = folder.path().join("made.safetensors");
        let header =
            format!(r#"{{"{names}":{{"dtype":"I64","shape":[{ids}],"data_offsets":[0,{}]}}}}"#, 8 * ids);
        let bytes = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &vec![0; 8 * ids]].concat();
        std::fs::write(&file, bytes).expect("written");
        compare(&file, &[])
    };
    assert!(of("input_ids", 0).contains("`input_ids` holds no ids"));
    assert!(of("input_ids", 3).contains("no name in it is known"));
    assert!(of("tokens", 3).contains("there are no `input_ids`"));
    let trace = model.join("trace.safetensors");
    assert!(compare(&trace, &["--map", text(&map)]).contains("no.such.tap"));
    // Another model of the same width differs at once, and no word is blamed.
    let args = ["compare-trace", "--model", text(&model), "--trace", text(&of_another), "--json"];
    let output = camelid(&args).output().expect("it runs");
    let report: Json = serde_json::from_slice(&output.stdout).expect("JSON");
    let first = &report["first_divergence"];
    assert_eq!((output.status.code(), first["stage"].as_str()), (Some(1), Some("embedding")), "{first:#}");
    assert_eq!(first["causes"], serde_json::json!([]), "{first:#}");
}
