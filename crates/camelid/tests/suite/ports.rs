//! `camelid compare-trace`: what other engines computed, in their own precision.

use std::path::{Path, PathBuf};

use serde_json::Value as Json;

use crate::models::{camelid, case, config, refused, run, stories, text};

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

/// What a port in f32 shows, as an engine that keeps the stream as a pair would write it: a folder for each module.
fn as_pairs(model: &Path, folder: &Path, residual: bool) {
    use camelid::checkpoint::{Dtype, Tensor, write_safetensors};
    let file = folder.join("truth.safetensors");
    run(&["trace", "--model", text(model), "--ids", "1,5,9,2,7,3,11,4", "--out", text(&file)]);
    let source =
        camelid::checkpoint::Source::open(&file, camelid::checkpoint::Mapping::Read).expect("the file");
    let all = camelid::checkpoint::read_safetensors(&source.into()).expect("tensors");
    std::fs::remove_file(&file).expect("removed");
    let write = |place: &str, tensor: &Tensor| {
        let path = folder.join(format!("{place}_cuda_0.safetensors"));
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        write_safetensors(&path, &[tensor.renamed("tensor")]).expect("written");
    };
    for tensor in &all {
        let (kind, layer) = tensor.name().rsplit_once('.').unwrap_or((tensor.name(), ""));
        match kind {
            "input_ids" => write("model.embed_tokens/inputs_0", tensor),
            "attention" => write(&format!("model.layers.{layer}.self_attn/outputs"), tensor),
            "hidden.layer" => {
                let part = |by: f32| {
                    let values = tensor.to_f32().expect("numbers").into_iter().enumerate();
                    let share = values.map(|(i, x)| if i % 2 == 0 { x * by } else { x * (1.0 - by) });
                    let bytes: Vec<u8> = share.flat_map(f32::to_le_bytes).collect();
                    Tensor::from_bytes("part", Dtype::F32, tensor.shape(), bytes.into()).expect("a tensor")
                };
                write(&format!("model.layers.{layer}/outputs_0"), &part(0.25));
                if residual {
                    write(&format!("model.layers.{layer}/outputs_1"), &part(0.75));
                }
            }
            _ => {}
        }
    }
}

#[test]
fn a_stream_that_is_kept_as_a_pair_is_its_sum_and_half_a_pair_is_not_compared() {
    let model = port("right-qwen1@bf16");
    let compare = |residual: bool| -> Json {
        let folder = tempfile::tempdir().expect("a folder");
        as_pairs(&model, folder.path(), residual);
        let args = [
            "compare-trace",
            "--model",
            text(&model),
            "--trace",
            text(folder.path()),
            "--precision",
            "f32",
            "--json",
        ];
        serde_json::from_str(&run(&args)).expect("JSON")
    };
    let count = |report: &Json, stage: &str| {
        report["stages"].as_array().expect("a list").iter().filter(|each| each["stage"] == stage).count()
    };
    let whole = compare(true);
    assert_eq!((count(&whole, "layer"), count(&whole, "attention")), (3, 3), "{whole:#}");
    assert_eq!(
        (&whole["verdict"], &whole["unmatched"]),
        (&"equal".into(), &serde_json::json!([])),
        "{whole:#}"
    );
    let half = compare(false);
    assert_eq!((count(&half, "layer"), count(&half, "attention")), (0, 3), "{half:#}");
    assert_eq!(half["unmatched"].as_array().map(Vec::len), Some(3), "{half:#}");
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

/// A safetensors file of f32 tensors and ids.
fn made(path: &Path, ids: &[i64], tensors: &[(&str, [usize; 2], f32)]) {
    use camelid::checkpoint::{Dtype, Tensor, write_safetensors};
    let bytes: Vec<u8> = ids.iter().flat_map(|id| id.to_le_bytes()).collect();
    let mut all = vec![Tensor::from_bytes("input_ids", Dtype::I64, &[ids.len()], bytes.into()).expect("ids")];
    for (name, shape, value) in tensors {
        let bytes: Vec<u8> = (0..shape[0] * shape[1]).flat_map(|_| value.to_le_bytes()).collect();
        all.push(Tensor::from_bytes(name, Dtype::F32, shape, bytes.into()).expect("a tensor"));
    }
    write_safetensors(path, &all).expect("written");
}

#[test]
fn what_does_not_fit_is_refused_or_located_and_never_dropped() {
    let folder = tempfile::tempdir().expect("a folder");
    let (file, model) = (folder.path().join("made.safetensors"), port("right-qwen1@bf16"));
    let config: Json =
        serde_json::from_slice(&std::fs::read(model.join("config.json")).expect("a file")).expect("JSON");
    let width = config["hidden_size"].as_u64().expect("a width") as usize;
    let refuse = |ids: &[i64], tensors: &[(&str, [usize; 2], f32)], wanted: &[&str]| {
        made(&file, ids, tensors);
        let error = refused(&["compare-trace", "--model", text(&model), "--trace", text(&file)]);
        assert!(wanted.iter().all(|wanted| error.contains(wanted)), "{error}");
    };
    refuse(&[1, 2, 3], &[("hidden.layer.0", [3, width + 1], 0.5)], &["`hidden.layer.0`", "is it a dump of"]);
    refuse(&[1, 2, 3], &[("hidden.layer.0", [4, width], 0.5)], &["`hidden.layer.0`", "3 tokens"]);
    refuse(&[1, 2, 99_999_999], &[("hidden.layer.0", [3, width], 0.5)], &["99999999"]);
    refuse(&[1, 2, -3], &[("hidden.layer.0", [3, width], 0.5)], &["`input_ids`", "negative"]);
    refuse(
        &[1, 2, 3],
        &[("l_out-0", [3, width], 0.5), ("hidden.layer.0", [3, width], 0.25)],
        &["`l_out-0`", "`hidden.layer.0`", "are the same stage and differ"],
    );
    made(&file, &[1, 2, 3], &[("hidden.layer.1", [3, width], f32::NAN), ("hidden.layr.2", [3, width], 0.5)]);
    let args =
        ["compare-trace", "--model", text(&model), "--trace", text(&file), "--precision", "bf16", "--json"];
    let output = camelid(&args).output().expect("it runs");
    let report: Json = serde_json::from_slice(&output.stdout).expect("JSON");
    let first = &report["first_divergence"];
    assert_eq!((output.status.code(), first["layer"].as_u64()), (Some(1), Some(1)), "{report:#}");
    assert!(first["sentence"].as_str().is_some_and(|told| told.contains("not finite")), "{first:#}");
    assert_eq!(report["unmatched"], serde_json::json!(["hidden.layr.2"]));
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
