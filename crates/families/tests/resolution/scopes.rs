//! The names that formulas see: null in config.json, defaults and lets that build on one another, keys that nobody gives.

use serde_json::json;

use super::{refused, taken};

#[test]
fn null_in_config_json_is_as_absent_where_there_is_a_default() {
    let attention =
        |kv_heads| taken("", json!({ "num_key_value_heads": kv_heads })).layers[0].attention.clone();
    assert_eq!(attention(Some(2)).kv_heads, 2);
    assert_eq!(attention(None).kv_heads, 4);
}

#[test]
fn null_in_config_json_is_none_where_there_is_no_default() {
    let lines = "[attention]\nwindow = \"= sliding_window\"";
    let window = |tokens| taken(lines, json!({ "sliding_window": tokens })).layers[0].attention.window;
    assert_eq!(window(Some(7)), Some(7));
    assert_eq!(window(None), None);
    refused(
        lines,
        json!({}),
        &["config.json: `sliding_window` is missing, which attention.window needs (mine.toml:4)"],
    );
}

#[test]
fn a_let_may_use_the_layer_and_other_lets() {
    let lines = "[let]\nslides = \"= layer % period == 0\"\nperiod = 2\n[attention]\nwindow = \"= 4 if slides else none\"";
    let layers = taken(lines, json!({ "num_hidden_layers": 3 })).layers;
    assert_eq!(layers.iter().map(|l| l.attention.window).collect::<Vec<_>>(), [Some(4), None, Some(4)]);
}

#[test]
fn names_that_need_one_another_in_a_circle_are_shown_as_one() {
    refused(
        "[default]\na = \"= b\"\n[let]\nb = \"= c\"\nc = \"= a\"\n[attention]\nscale = \"= a\"",
        json!({}),
        &["attention.scale: `a` needs itself: a → b → c → a"],
    );
    // Only the circle is shown, not the way to it.
    refused(
        "[let]\nway = \"= a\"\na = \"= b\"\nb = \"= a\"\n[attention]\nscale = \"= way\"",
        json!({}),
        &["attention.scale: `a` needs itself: a → b → a"],
    );
}

#[test]
fn names_build_on_one_another_32_deep() {
    let chain = |names: usize| {
        let lets: String = (1..names).map(|n| format!("n{n} = \"= n{} / 2\"\n", n - 1)).collect();
        format!("[let]\nn0 = 1.0\n{lets}[attention]\nscale = \"= n{}\"", names - 1)
    };
    assert_eq!(taken(&chain(32), json!({})).layers[0].attention.scale, 0.5f64.powi(31));
    let deep = "attention.scale: `n32` builds on more than 32 other names, one upon the other";
    refused(&chain(33), json!({}), &[deep]);
}

#[test]
fn a_key_that_a_let_needs_is_said_to_be_missing_but_none_that_it_asks_about() {
    refused(
        "[let]\nbase = \"= other if other is defined else absent\"\n[attention]\nscale = \"= base\"",
        json!({}),
        &["config.json: `absent` is missing, which attention.scale needs (mine.toml:6)"],
    );
}

#[test]
fn a_default_is_looked_into_only_where_config_json_gives_no_value() {
    let lines = |scale| format!("[default]\nwide = \"= absent\"\n[attention]\nscale = \"= {scale}\"");
    assert_eq!(taken(&lines("wide / 2"), json!({ "wide": 3 })).layers[0].attention.scale, 1.5);
    let missing = ["config.json: `absent` is missing, which attention.scale needs (mine.toml:6)"];
    refused(&lines("wide"), json!({}), &missing);
    refused(&lines("wide"), json!({ "wide": null }), &missing);
    // The key is there: what fails is the formula.
    refused(&lines("wide + 'x'"), json!({ "wide": 3 }), &["attention.scale: "]);
}
