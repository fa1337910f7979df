//! The names that engines give, by the letter: a preset is read and written by one file, so a round trip can't tell that it is wrong.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use camelid::checkpoint::{Mapping, Source, read_safetensors};

use crate::models::{camelid, run, text};

fn port() -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/ports")).join("right-qwen1@bf16")
}

/// As public runs of the engines show them: llama.cpp's graph, transformers' debugger, `named_modules()` of mlx, and the
/// folders of vLLM's intermediate logging.
const NAMES: [(&str, &[&str]); 4] = [
    (
        "llama.cpp",
        &["attn_norm-0", "kqv_out-1", "attn_out-1", "ffn_norm-2", "ffn_out-0", "l_out-2", "result_norm"],
    ),
    (
        "transformers",
        &[
            "ForCausalLM.model.layers.0.self_attn.o_proj_outputs",
            "ForCausalLM.model.layers.1.mlp.down_proj_outputs",
            "ForCausalLM.model.layers.2.input_layernorm_outputs",
            "ForCausalLM.model.norm_outputs",
            "ForCausalLM_outputs_logits",
        ],
    ),
    ("mlx-lm", &["model.layers.0.self_attn", "model.layers.1.mlp", "model.layers.2", "model.norm", "logits"]),
    (
        "vllm",
        &[
            "model.layers.0.self_attn/outputs",
            "model.layers.1.self_attn.attn/outputs",
            "model.layers.2.mlp/outputs",
            "model.norm/outputs_0",
            "logits_processor/outputs",
        ],
    ),
];

#[test]
fn a_trace_has_the_names_that_an_engine_gives() {
    let folder = tempfile::tempdir().expect("a folder");
    let (model, out) = (port(), folder.path().join("truth.safetensors"));
    for (engine, wanted) in NAMES {
        run(&["trace", "--model", text(&model), "--ids", "1,5,9", "--names", engine, "--out", text(&out)]);
        let source = Arc::new(Source::open(&out, Mapping::Read).expect("it opens"));
        let tensors = read_safetensors(&source).expect("a safetensors file");
        let names: Vec<&str> = tensors.iter().map(|tensor| tensor.name()).collect();
        for name in wanted {
            assert!(names.contains(name), "{engine}: `{name}` is not in {names:?}");
        }
    }
}

#[test]
fn a_page_shows_what_it_is_told_as_text() {
    let folder = tempfile::tempdir().expect("a folder");
    let model = folder.path().join("<i>model&");
    std::fs::create_dir(&model).expect("made");
    for file in ["config.json", "model.safetensors", "trace.safetensors"] {
        std::fs::copy(port().join(file), model.join(file)).expect("copied");
    }
    let (trace, page) = (model.join("trace.safetensors"), folder.path().join("page.html"));
    let args = ["compare-trace", "--model", text(&model), "--trace", text(&trace), "--report", text(&page)];
    assert_eq!(camelid(&args).output().expect("it runs").status.code(), Some(0));
    let html = std::fs::read_to_string(page).expect("the page");
    assert!(html.contains("&lt;i&gt;model&amp;") && !html.contains("<i>model"), "{html}");
}
