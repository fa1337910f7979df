//! `describe`, `diff`, `perplexity`, `bench`: what they show.

mod answers;
mod engines;

use serde_json::Value as Json;

use crate::models::{case, refused, run, stories, text};

fn json(args: &[&str]) -> Json {
    serde_json::from_str(&run(&[args, &["--json"]].concat())).expect("JSON")
}

#[test]
fn a_model_is_described_by_words_tensors_and_sums() {
    let shown = run(&["describe", "--model", text(stories())]);
    for line in [
        "attention.kv_heads         4",
        "layers 0–4",
        "260,032",
        "[512, 64]",
        "output is the embedding",
        "1.0 MB as stored",
        "1.9 MB for each 1,000 tokens",
    ] {
        assert!(shown.contains(line), "{shown}\nlacks {line}");
    }
    let report = json(&["describe", "--family", "gemma2", "--size", "9b"]);
    assert_eq!(report["parameters"], 9_241_705_984_u64);
    assert_eq!(report["words"]["attention.window"][0], 4096);
    let error = refused(&["describe", "--family", "gemma2", "--size", "3B"]);
    assert!(error.contains("`gemma2` has no size `3B`; there are 2B, 9B, 27B"), "{error}");
}

#[test]
fn a_declaration_is_shown_merged_and_is_one_itself() {
    let shown = run(&["describe", "--family", "gemma2", "--declaration"]);
    assert!(shown.contains("# families/llama1.toml:"), "{shown}");
    assert!(shown.contains("softcap = \"= attn_logit_softcapping\""), "{shown}");
    let folder = tempfile::tempdir().expect("a folder");
    let spec = folder.path().join("whole.toml");
    std::fs::write(&spec, shown).expect("written");
    let model = case("gemma2/softcap");
    let described =
        |which: &[&str]| json(&[&["describe", "--model", text(&model)], which].concat())["words"].clone();
    assert_eq!(described(&["--spec", text(&spec)]), described(&["--family", "gemma2"]));
}

#[test]
fn families_differ_in_words_with_their_meaning() {
    let report = json(&["diff", "llama2:7B", "llama3"]);
    assert_eq!(report["b"]["size"], "8B");
    let words = |part: &str| {
        let lines = report["differences"][part].as_array().cloned().unwrap_or_default();
        lines.iter().map(|line| line["word"].as_str().unwrap_or_default().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(words("mathematics"), Vec::<String>::new());
    assert!(
        words("sizes").contains(&"embedding.vocab".to_owned())
            && words("sizes").contains(&"rope.theta".to_owned())
    );
    assert_eq!(words("chat"), ["stop", "template", "a question"]);
    let shown = run(&["diff", "gemma1", "gemma2"]);
    assert!(shown.contains("s ← cap · tanh(s / cap), before bias and mask."), "{shown}");
    assert!(run(&["diff", "llama2", "llama2"]).contains("they do not differ"));
    assert!(refused(&["diff", "llama2", "nobody"]).contains("no family is called `nobody`"));
}

#[test]
fn perplexity_is_that_of_the_definition() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("text.txt");
    std::fs::write(&file, "Once upon a time, there was a little girl named Lily. She loved to play outside.")
        .expect("written");
    let args = ["perplexity", "--model", text(stories()), "--file", text(&file)];
    let whole = json(&args);
    assert!(whole["perplexity"].as_f64().is_some_and(|p| p > 1.0 && p < 10.0), "{whole}");
    let mean = whole["nll"].as_f64().expect("a number");
    assert!((mean.exp() - whole["perplexity"].as_f64().expect("a number")).abs() < 1e-9);
    let windows = json(&[&args as &[&str], &["--context", "8"]].concat());
    // BOS stands before each window, so every token is scored in both.
    assert_eq!(windows["tokens"], whole["tokens"]);
    assert!(windows["nll"].as_f64() > whole["nll"].as_f64(), "less is known of each token");
    let long = json(&[&args as &[&str], &["--context", "9999"]].concat());
    assert_eq!(long["nll"], whole["nll"], "a longer window than the text needs changes nothing");
}

#[test]
fn a_token_reads_the_experts_that_it_chooses_and_a_row_of_each_table() {
    let read = |case: &str| {
        let folder = format!("{}/../../tests/cases/{case}", env!("CARGO_MANIFEST_DIR"));
        let args = ["--prompt-tokens", "4", "--new-tokens", "0", "--dtype", "f32"];
        let report = json(&[&["bench", "--model", &folder] as &[&str], &args].concat());
        ["weight_bytes", "bytes_per_token"].map(|key| report[key].as_u64().unwrap_or_default())
    };
    // Two layers of 8 experts apart, of which 3 are chosen: [24, 48] three times; the table is no output.
    let [all, token] = read("qwen3-moe/base");
    assert_eq!(all - token, 4 * (2 * 5 * 3 * 24 * 48 + 263 * 48));
    // Three layers of 6 stacked experts with biases, of which 3 are chosen.
    let [all, token] = read("gpt-oss/base");
    assert_eq!(all - token, 4 * (3 * 3 * (3 * 32 * 48 + 2 * 32 + 48) + 255 * 48));
    // The table is the output too, but each layer's own embeddings are only looked up.
    let [all, token] = read("gemma4/e");
    assert_eq!(all - token, 4 * 253 * 60);
}

/// Stories has 5 layers of width 64, 8 heads and 4 for keys, an MLP of 172 and a tied table: all in f32.
#[test]
fn describe_says_what_stays_in_the_file_and_what_is_made_of_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("stories.gguf");
    run(&["convert", "--model", text(stories()), "--to-gguf", "--out", text(&file)]);
    let loaded = |model: &std::path::Path| {
        let report = json(&["describe", "--model", text(model)]);
        let [place, made] =
            ["in_place", "made"].map(|key| report["loaded_bytes"][key].as_u64().expect("bytes"));
        assert_eq!(Some(place + made), report["weight_bytes"].as_u64(), "nothing is widened");
        made
    };
    let vectors = 4 * (2 * 5 + 1) * 64;
    assert_eq!(loaded(stories()), vectors);
    // A GGUF file of this architecture has the rows of queries and keys in another order.
    assert_eq!(loaded(&file), vectors + 4 * 5 * (64 + 32) * 64);
}

#[test]
fn bench_keeps_the_contract() {
    let args = [
        "bench",
        "--model",
        text(stories()),
        "--prompt-tokens",
        "16",
        "--new-tokens",
        "4",
        "--threads",
        "2",
        "--dtype",
        "f32",
    ];
    let report = json(&args);
    for key in
        ["version", "threads", "load_s", "prefill_tok_s", "decode_tok_s", "first_logits_argmax", "checksum"]
    {
        assert!(!report[key].is_null(), "{report} lacks {key}");
    }
    assert_eq!((report["peer"].as_str(), report["dtype"].as_str()), (Some("camelid"), Some("f32")));
    assert_eq!(report["checksum"].as_str().map(str::len), Some(16));
    // The embedding is the output too, so each token reads all there is; f32, and some bytes of it in norms.
    let [all, token] = ["weight_bytes", "bytes_per_token"].map(|key| report[key].as_u64());
    assert!(all == token && all.is_some_and(|bytes| bytes > 1_000_000), "{report}");
    for key in ["read_gb_s", "share_of_memory"] {
        assert!(report[key].as_f64().is_some_and(|value| value > 0.0), "{key} of {report}");
    }
    assert_eq!(report["compute"], "f32");
    assert_eq!(json(&[&args as &[&str], &["--compute", "q8"]].concat())["compute"], "q8");
    assert_eq!(report["checksum"], json(&args)["checksum"]);
    let bf16 =
        ["bench", "--model", text(stories()), "--prompt-tokens", "4", "--new-tokens", "1", "--dtype", "bf16"];
    assert!(refused(&bf16).contains("has weights in f32"), "the figure would be another's");
    let any = json(&["bench", text(&case("llama2/gqa-bf16")), "-p", "4", "-n", "1"]);
    assert!(
        any["dtype"].as_str().is_some_and(|types| types.contains("bf16")) && any["compute"] == "f32",
        "{any}"
    );
}
