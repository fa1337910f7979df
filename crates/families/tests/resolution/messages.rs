//! A problem points at the word, the value and the line that said it.

use serde_json::json;

use super::{refused, resolve, taken};

#[test]
fn a_value_of_the_wrong_type_is_shown_with_the_line_that_said_it() {
    refused(
        "[mlp]\nwidth = \"= intermediate_size\"\nactivation = \"= hidden_act\"",
        json!({ "hidden_act": "swoosh" }),
        &["mlp.activation: there is no `swoosh`; there are `"],
    );
    refused(
        "[attention]\nposition = \"rope\"\nscale = true\nsoftcap = 1",
        json!({}),
        &["attention.scale: it must be a number, not true (mine.toml:5)"],
    );
}

#[test]
fn a_word_that_must_be_said_is_asked_for() {
    refused(
        "[prefix]\nhold = [3]",
        json!({}),
        &["prefix.until: must be said, and no file of the family says it"],
    );
}

#[test]
fn a_word_that_must_have_a_value_may_not_come_to_none() {
    refused(
        "[norm]\noffset = 1\nkind = \"none\"",
        json!({}),
        &["norm.kind: \"none\" gives none, but there must be a value (mine.toml:5)"],
    );
    let eps = "= rms_norm_eps if tie_word_embeddings else none";
    refused(
        &format!("[norm]\neps = \"{eps}\""),
        json!({}),
        &[&format!("norm.eps: \"{eps}\" gives none, but there must be a value (mine.toml:4)")],
    );
}

#[test]
fn what_a_table_lacks_is_said_of_the_table() {
    refused(
        "[attention]\ndual_chunk = { chunk_size = 8 }",
        json!({}),
        &["attention.dual_chunk: `local_size` is missing in {\"chunk_size\":8} (mine.toml:4)"],
    );
}

#[test]
fn tensors_are_named_even_where_the_rest_does_not_resolve() {
    let changes = json!({ "hidden_size": null, "head_dim": 8, "num_hidden_layers": 2 });
    let unresolved = resolve("[tensors]\nfinal_norm = \"norm{hidden_size}\"", changes).expect_err("no width");
    assert!(unresolved.architecture.is_none());
    let names = unresolved.tensors;
    assert_eq!(names.len(), 2 * 9 + 2, "nine of each layer, the embedding and the head: {names:#?}");
    for name in ["model.embed_tokens.weight", "lm_head.weight", "model.layers.1.mlp.up_proj.weight"] {
        assert!(names.iter().any(|known| known == name), "{name} is not in {names:#?}");
    }
}

#[test]
fn a_tensor_that_stands_alone_is_named_as_it_is_and_has_no_bias() {
    let scale = "layer_scale = { name = \"layers.{layer}.scale\", suffix = \"none\" }";
    let lines = format!("[tensors]\n{scale}");
    let plan = taken(&lines, json!({})).plan();
    let planned =
        plan.tensors.iter().find(|planned| planned.name == "layers.0.scale").expect("it is planned");
    assert_eq!(planned.shape, [1]);
    refused(
        &format!("[bias]\nlayer_scale = true\n{lines}"),
        json!({}),
        &["bias.\"layer_scale\": `layers.0.scale` is a number or a parameter of its own, which has no bias"],
    );
    let query = "query = { name = \"layers.{layer}.q\", suffix = \"none\" }";
    refused(
        &format!("[bias]\nquery = true\n[tensors]\n{query}"),
        json!({}),
        &["bias.\"query\": `layers.0.q` is a"],
    );
}
