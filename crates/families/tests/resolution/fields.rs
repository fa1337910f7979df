//! An architecture as words and values, and what differs between two.

use camelid_families::difference;
use serde_json::{Value as Json, json};

use super::taken;

/// The words have these values.
#[track_caller]
fn check(lines: &str, changes: Json, expected: &[(&str, Json)]) {
    let fields = taken(lines, changes).fields();
    for (word, value) in expected {
        assert_eq!(fields.get(*word), Some(value), "{word}");
    }
}

#[test]
fn every_table_is_there_word_by_word() {
    check(
        "[prefix]\nuntil = 3",
        json!({}),
        &[
            ("embedding.vocab", json!(100)),
            ("embedding.scale", json!(1.0)),
            ("block.layers", json!(1)),
            ("block.wiring", json!("sequential")),
            ("norm.kind", json!("rms")),
            ("norm.eps", json!(1e-5)),
            ("attention.kv_heads", json!(2)),
            ("attention.softcap", json!(null)),
            ("rope.theta", json!(10000.0)),
            ("prefix.until", json!(3)),
            ("mlp.activation", json!("silu")),
            ("output.tie", json!(false)),
        ],
    );
    assert!(!taken("", json!({})).fields().keys().any(|word| word.starts_with("prefix.")));
}

#[test]
fn a_word_has_one_value_where_the_layers_agree_and_else_one_for_each_layer() {
    let lines = "[attention]\nwindow = \"= 4 if layer == 1 else none\"\n[tensors]\nup = \"mlp{layer}_up\"";
    check(
        lines,
        json!({ "num_hidden_layers": 3 }),
        &[
            ("attention.window", json!([null, 4, null])),
            ("attention.heads", json!(4)),
            ("rope.pairing", json!("half")),
            ("tensors.\"up\"", json!(["mlp0_up", "mlp1_up", "mlp2_up"])),
            ("tensors.\"down\"", json!("model.layers.{layer}.mlp.down_proj")),
        ],
    );
}

#[test]
fn a_tensor_is_its_name_and_what_is_unusual_about_it() {
    check(
        r#"
        [bias]
        "query | key | value" = true
        [tensors]
        "query | key | value" = { name = "model.layers.{layer}.qkv", by = "group" }
        query_norm = { name = "model.layers.{layer}.q_norm", per = "width" }
        key_norm = { name = "model.layers.{layer}.k_norm", per = "each_head", at = "after_rope" }
        layer_scale = { name = "model.layers.{layer}.layer_scalar", suffix = "none" }
        "#,
        json!({ "num_hidden_layers": 2 }),
        &[
            ("tensors.\"query | key | value\"", json!("model.layers.{layer}.qkv + bias, by group")),
            ("tensors.\"query_norm\"", json!("model.layers.{layer}.q_norm, per width")),
            ("tensors.\"key_norm\"", json!("model.layers.{layer}.k_norm, per each_head, after_rope")),
            ("tensors.\"layer_scale\"", json!("model.layers.{layer}.layer_scalar, suffix none")),
            ("tensors.\"embedding\"", json!("model.embed_tokens")),
            ("tensors.\"output\"", json!("lm_head")),
        ],
    );
}

#[test]
fn two_architectures_differ_in_the_words_that_were_said_otherwise() {
    let norm = |attributes: &str| {
        let lines = format!("[tensors]\nquery_norm = {{ name = \"layers.{{layer}}.norm\", {attributes} }}");
        taken(&lines, json!({}))
    };
    let query_norm = "tensors.\"query_norm\"".to_owned();
    let (plain, after) = (norm("at = \"before_rope\""), norm("at = \"after_rope\""));
    assert_eq!(difference(&plain, &plain), []);
    assert_eq!(
        difference(&plain, &after),
        [(query_norm.clone(), json!("layers.{layer}.norm"), json!("layers.{layer}.norm, after_rope"))]
    );
    let none = taken("", json!({ "rms_norm_eps": 1e-6 }));
    assert_eq!(
        difference(&none, &plain),
        [
            ("norm.eps".to_owned(), json!(1e-6), json!(1e-5)),
            (query_norm, json!(null), json!("layers.{layer}.norm")),
        ]
    );
}
