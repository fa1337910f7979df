//! The last value that is taken, and the first that is refused; words that go together, and words that don't.

use camelid_families::{MlpKind, Residual, Wiring};
use serde_json::json;

use super::{refused, taken};

#[test]
fn a_size_is_from_1_to_2_to_the_31() {
    taken("", json!({ "vocab_size": 1 }));
    taken("", json!({ "vocab_size": 1u64 << 31 }));
    refused("", json!({ "vocab_size": 0 }), &["embedding.vocab: 0 is not between 1 and 2147483648"]);
    refused(
        "",
        json!({ "vocab_size": (1u64 << 31) + 1 }),
        &["embedding.vocab: 2147483649 is not between 1 and 2147483648"],
    );
}

#[test]
fn there_are_at_most_ten_thousand_layers() {
    assert_eq!(taken("", json!({ "num_hidden_layers": 10_000 })).layers.len(), 10_000);
    refused(
        "",
        json!({ "num_hidden_layers": 10_001 }),
        &["block.layers: 10001 layers; at most 10000 are taken"],
    );
}

#[test]
fn a_cap_is_above_zero() {
    taken("[attention]\nsoftcap = 0.5\n[output]\nsoftcap = 0.5", json!({}));
    refused(
        "[attention]\nsoftcap = 0\n[output]\nsoftcap = 0.0",
        json!({}),
        &[
            "output.softcap: 0 is not above zero; `none` takes it away (mine.toml:6)",
            "attention.softcap: 0 is not above zero; `none` takes it away (mine.toml:4)",
        ],
    );
}

#[test]
fn the_base_of_a_logarithm_is_at_least_2() {
    assert_eq!(taken("[attention]\nlogn = 2", json!({})).layers[0].attention.logn, Some(2));
    for base in [0, 1] {
        refused(
            &format!("[attention]\nlogn = {base}"),
            json!({}),
            &["attention.logn: the base of the logarithm must be at least 2 (mine.toml:4)"],
        );
    }
}

#[test]
fn a_fraction_of_a_head_turns_above_0_and_at_most_1() {
    taken("[rope]\nfraction = 1", json!({}));
    for (fraction, said) in [("0", "0"), ("-0.5", "-0.5"), ("1.01", "1.01")] {
        refused(
            &format!("[rope]\nfraction = {fraction}"),
            json!({}),
            &[&format!("rope.fraction: {said} is not above 0 and at most 1 (mine.toml:4)")],
        );
    }
}

#[test]
fn what_turns_is_at_least_one_pair_of_features() {
    let turning = |fraction: f64| format!("[rope]\nfraction = {fraction}"); // of heads of 8
    let rope = taken(&turning(0.25), json!({})).layers[0].rope.clone().expect("rotary turns");
    assert_eq!(rope.rotary_dim(8), 2);
    for (fraction, features) in [(0.1, 0), (0.125, 1), (0.375, 3)] {
        let message = format!(
            "rope.fraction: layer 0: {features} of 8 features turn, which is no positive multiple of 2"
        );
        refused(&turning(fraction), json!({}), &[&message]);
    }
}

#[test]
fn on_two_axes_each_half_of_what_turns_is_pairs() {
    let axes = |axes: usize, fraction: f64| {
        format!("[rope]\naxes = {axes}\nfraction = {fraction}\n[prefix]\nuntil = 3")
    };
    taken(&axes(2, 0.5), json!({}));
    refused(
        &axes(2, 0.75),
        json!({}),
        &["rope.fraction: layer 0: 6 of 8 features turn, which is no positive multiple of 4"],
    );
    refused(&axes(0, 1.0), json!({}), &["rope.axes: 0 axes; there are 1 and 2 (mine.toml:4)"]);
    refused(&axes(3, 0.75), json!({}), &["rope.axes: 3 axes; there are 1 and 2 (mine.toml:4)"]);
}

#[test]
fn dual_chunks_turn_half_pairs_on_one_axis_and_have_no_window() {
    let dual_chunk =
        |rest: &str| format!("[attention]\ndual_chunk = {{ chunk_size = 8, local_size = 2 }}\n{rest}");
    let needs = "attention.dual_chunk: dual chunks need rotary turns of half pairs on one axis (mine.toml:4)";
    taken(&dual_chunk("[rope]\npairing = \"half\"\naxes = 1"), json!({}));
    refused(&dual_chunk("[rope]\npairing = \"adjacent\""), json!({}), &[needs]);
    refused(&dual_chunk("[rope]\naxes = 2\n[prefix]\nuntil = 3"), json!({}), &[needs]);
    refused(&dual_chunk("position = \"none\""), json!({}), &[needs]);
    refused(
        &dual_chunk("window = 4"),
        json!({}),
        &["attention.dual_chunk: dual chunks and a window on the same layer are not defined (mine.toml:4)"],
    );
}

#[test]
fn a_gated_mlp_has_a_gate_and_a_plain_one_has_none() {
    let plain = "[mlp]\nkind = \"plain\"\n[tensors]\ngate = \"none\"";
    assert_eq!(taken(plain, json!({})).layers[0].mlp.kind, MlpKind::Plain);
    refused(
        "[tensors]\ngate = \"none\"",
        json!({}),
        &["no tensor is named for `gate`, which a gated MLP needs"],
    );
    refused(
        "[mlp]\nkind = \"plain\"",
        json!({}),
        &["mlp.kind: layer 0: a plain MLP has no gate, but a tensor is named for one (mine.toml:4)"],
    );
}

#[test]
fn a_residual_from_the_norm_is_sequential() {
    let normed = taken("[block]\nresidual = \"norm\"", json!({}));
    assert_eq!(normed.layers[0].block.residual, Residual::Norm);
    let parallel = taken("[block]\nwiring = \"parallel\"", json!({}));
    assert_eq!(parallel.layers[0].block.wiring, Wiring::Parallel);
    refused(
        "[block]\nresidual = \"norm\"\nwiring = \"parallel\"",
        json!({}),
        &["block.residual: a residual from the norm is defined for sequential wiring only (mine.toml:4)"],
    );
}

#[test]
fn a_model_has_an_embedding_and_a_head_of_its_own_unless_they_are_tied() {
    let headless = "[tensors]\noutput = \"none\"";
    assert!(taken(headless, json!({ "tie_word_embeddings": true })).output.tie);
    refused(
        headless,
        json!({}),
        &["no tensor is named for `output`, which an untied model needs for its logits"],
    );
    refused(
        "[tensors]\nembedding = \"none\"",
        json!({}),
        &["no tensor is named for `embedding`, which every model looks its tokens up in"],
    );
}
