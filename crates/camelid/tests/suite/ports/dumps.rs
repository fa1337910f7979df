//! The forms that dumps come in, and what of them is refused.

use std::path::Path;

use serde_json::Value as Json;

use super::port;
use crate::models::{camelid, refused, run, text};

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

/// A safetensors file's tensors as NumPy's own arrays, a file each.
fn as_arrays(trace: &Path, folder: &Path) {
    use camelid::checkpoint::{Dtype, Mapping, Source, read_safetensors};
    let source = Source::open(trace, Mapping::Read).expect("the file");
    for tensor in read_safetensors(&source.into()).expect("tensors") {
        let descr = match tensor.dtype() {
            Dtype::I64 => "<i8",
            Dtype::F32 => "<f4",
            Dtype::Bf16 => "<V2",
            other => panic!("{other}"),
        };
        let shape: String = tensor.shape().iter().map(|extent| format!("{extent}, ")).collect();
        let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({shape}), }}\n");
        let length = (header.len() as u16).to_le_bytes();
        let bytes = tensor.bytes().expect("bytes");
        let file = [&b"\x93NUMPY\x01\x00"[..], &length, header.as_bytes(), &bytes].concat();
        std::fs::write(folder.join(format!("{}.npy", tensor.name())), file).expect("written");
    }
}

#[test]
fn numpys_arrays_are_a_dump_as_any_other() {
    let folder = tempfile::tempdir().expect("a folder");
    let model = port("qwen1-logn-missing@bf16");
    as_arrays(&model.join("trace.safetensors"), folder.path());
    let compare = |trace: &Path| -> Json {
        let args = ["compare-trace", "--model", text(&model), "--trace", text(trace), "--json"];
        serde_json::from_slice(&camelid(&args).output().expect("it runs").stdout).expect("JSON")
    };
    let arrays = compare(folder.path());
    assert_eq!(arrays["first_divergence"]["causes"], serde_json::json!(["attention.logn"]), "{arrays:#}");
    assert_eq!(arrays, compare(&model.join("trace.safetensors")));
    // `tests/reference/ports/as_npz.py` made it of the same trace.
    assert_eq!(arrays, compare(&port("qwen1-logn-missing.npz")));
}
