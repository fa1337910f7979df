//! What `describe` and `diff` answer beside sizes: formulas, keys that are set, frequencies, slopes, sight, text, cache.

use serde_json::Value as Json;

use crate::models::{refused, run};

fn json(args: &[&str]) -> Json {
    serde_json::from_str(&run(&[args, &["--json"]].concat())).expect("JSON")
}

fn words<'j>(report: &'j Json, part: &str) -> Vec<&'j str> {
    let lines = report["differences"][part].as_array().expect("a part");
    lines.iter().map(|line| line["word"].as_str().expect("a word")).collect()
}

#[test]
fn formulas_differ_where_values_do_not() {
    let report = json(&["diff", "qwen1.5:7B", "qwen2:7B"]);
    assert_eq!(words(&report, "mathematics"), ["attention.dual_chunk"]);
    let line = &report["differences"]["mathematics"][0];
    assert_eq!([&line["a"]["formula"], &line["b"]["formula"]], ["none", "= dual_chunk_attention_config"]);
    assert_eq!(line["a"]["value"], line["b"]["value"]);
    assert_eq!(line["b"]["origin"], "families/qwen2.toml:15");
    let report = json(&["diff", "chatglm2", "chatglm3"]);
    assert_eq!(words(&report, "mathematics"), ["rope.theta", "rope.scaling"]);
    assert!(words(&report, "tokenizer").contains(&"special.<|user|>"), "{report:#}");
    let shown = run(&["diff", "chatglm2", "chatglm3", "--part", "mathematics"]);
    assert!(shown.contains("= rope_theta * rope_ratio, here 10000"), "{shown}");
    assert!(!shown.contains("tokenizer"), "{shown}");
}

#[test]
fn keys_are_set_on_both_sides_or_on_one() {
    let yarn =
        r#"rope_scaling={"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768}"#;
    let report = json(&[
        "describe",
        "--family",
        "qwen2",
        "--size",
        "7B",
        "--set",
        yarn,
        "--set",
        "max_position_embeddings=32768",
    ]);
    let turns = &report["turns"][0];
    assert_eq!(turns["bands"][1]["change"]["blended"].as_array().map(Vec::len), Some(2), "{turns:#}");
    assert_eq!(turns["inverse"].as_array().map(Vec::len), Some(64));
    assert!((turns["factor"].as_f64().expect("a number") - (0.1 * 4_f64.ln() + 1.0)).abs() < 1e-12);
    let report = json(&[
        "diff",
        "qwen2:7B",
        "qwen2:7B",
        "--set",
        "b:use_sliding_window=true",
        "--set",
        "sliding_window=4096",
    ]);
    assert_eq!(
        words(&report, "sizes"),
        Vec::<&str>::new(),
        "the window begins at layer 28, of which there is none"
    );
    let report = json(&[
        "diff",
        "qwen2:7B",
        "qwen2:7B",
        "--set",
        "b:use_sliding_window=true",
        "--set",
        "max_window_layers=20",
    ]);
    assert_eq!(words(&report, "sizes"), ["attention.window"]);
    let error = refused(&["describe", "--family", "qwen2", "--set", "rope_theat=1"]);
    assert!(error.contains("rope_theat"), "{error}");
    let error = refused(&["describe", "--family", "qwen2", "--set", "hidden_size.x=1"]);
    assert!(error.contains("`hidden_size.x`") || error.contains("no table"), "{error}");
    assert!(refused(&["describe", "--family", "qwen2", "--set", "rope_theta"]).contains("KEY=VALUE"));
}

#[test]
fn sight_slopes_text_and_cache_are_numbers() {
    let report = json(&["describe", "--family", "gemma2", "--size", "27B", "--tokens", "8192"]);
    let sees = &report["sees"]["layers"];
    assert_eq!([&sees[0]["runs"][0]["first"], &sees[0]["runs"][0]["last"]], [4096, 8191]);
    assert_eq!([&sees[1]["runs"][0]["first"], &sees[1]["runs"][0]["last"]], [0, 8191]);
    assert_eq!(report["formulas"]["attention.scale"]["formula"], "\"= query_pre_attn_scalar ** -0.5\"");
    assert_eq!(report["text"]["prefix"][0], "<bos>");
    assert!(report["text"]["conversation"].as_str().is_some_and(|said| said.contains("<start_of_turn>user")));
    // 2 · 16 heads · 128 features · 2 bytes; 23 layers keep 8192 tokens, 23 a window of 4096 with what it reserves
    assert_eq!(report["cache_bytes"]["bf16"], 2_u64 * 16 * 128 * 2 * 23 * (8192 + 5888));
    let report = json(&["describe", "--family", "baichuan1", "--size", "13B"]);
    assert_eq!(report["slopes"][0]["slopes"].as_array().map(Vec::len), Some(40));
    assert_eq!(report["turns"], serde_json::json!([]));
    let shown = run(&["diff", "llama2:7B", "llama3:8B", "--tokens", "8192", "--part", "sizes"]);
    assert!(shown.contains("4.3 GB") && shown.contains("1.1 GB"), "{shown}");
    let shown = run(&["describe", "--family", "gemma2", "--part", "sees"]);
    assert!(shown.contains("layers 0, 2, … 24: a window of 4,096 keys"), "{shown}");
    assert!(!shown.contains("parameters"), "{shown}");
}

#[test]
fn several_checkpoints_are_told_apart() {
    let case = |name: &str| crate::models::case(name).display().to_string();
    let (a, b) = (case("chatglm2/base"), case("chatglm3/base"));
    let shown = run(&["families", "--model", &a, "--model", &b]);
    assert!(shown.contains(&a) && shown.contains(&b), "{shown}");
    let report = json(&["families", "--model", &a, "--model", &b]);
    assert_eq!(report.as_array().map(Vec::len), Some(2), "{report:#}");
}
