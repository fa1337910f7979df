//! Bad family files and bad config.json files: each one clear message with file, key and value.

use std::io::Write;

use camelid_families::Library;
use serde_json::{Map, Value as Json, json};

fn add(name: &str, text: &str) -> Result<(Library, String), String> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(format!("{name}.toml"));
    std::fs::File::create(&path).and_then(|mut file| file.write_all(text.as_bytes())).expect("a file");
    let mut library = Library::built_in().expect("the built-in families");
    let name = library.add(&path).map_err(|error| error.to_string())?;
    Ok((library, name))
}

/// A family's file is refused, with these parts in the message.
#[track_caller]
fn refused(text: &str, parts: &[&str]) {
    let message = add("mine", text).err().unwrap_or_else(|| panic!("it was taken:\n{text}"));
    for part in parts {
        assert!(message.contains(part), "`{part}` is not in: {message}");
    }
}

/// A config.json is refused by a family laid over gemma2's smallest size, with these parts in the message.
#[track_caller]
fn misfit(text: &str, changes: Json, parts: &[&str]) {
    let (library, name) = add("mine", text).unwrap_or_else(|message| panic!("{message}"));
    let family = library.get(&name).expect("it was added");
    let mut config = tiny();
    config.extend(changes.as_object().cloned().unwrap_or_default());
    let unresolved = family.resolve(&config, &[]).err().unwrap_or_else(|| panic!("it resolved"));
    let message: String = unresolved.problems.iter().map(|problem| format!("{problem}\n")).collect();
    for part in parts {
        assert!(message.contains(part), "`{part}` is not in:\n{message}");
    }
}

fn tiny() -> Map<String, Json> {
    let config = json!({
        "model_type": "mine", "vocab_size": 100, "hidden_size": 32, "num_hidden_layers": 4, "num_attention_heads": 4,
        "num_key_value_heads": 2, "intermediate_size": 64, "hidden_act": "silu", "rms_norm_eps": 1e-5,
        "max_position_embeddings": 128,
    });
    config.as_object().cloned().unwrap_or_default()
}

const MINE: &str = "extends = \"llama2\"\nmatch = \"= model_type == 'mine'\"\n";

#[test]
fn the_tiny_config_is_one_that_resolves() {
    let (library, name) = add("mine", MINE).expect("a family");
    library.get(&name).expect("it was added").resolve(&tiny(), &[]).expect("it resolves");
}

#[test]
fn a_family_file_is_refused_with_its_file_line_and_key() {
    refused("extends = \"lama2\"", &["mine.toml:1", "lama2", "llama2"]);
    refused("extends = \"llama2\"\n[atention]\nscale = 1", &["mine.toml:2", "atention", "attention"]);
    refused("extends = \"llama2\"\n\n[attention]\nscal = 1", &["mine.toml:4", "scal", "scale"]);
    refused("extends = \"llama2\"\n[tensors]\nqueries = \"x\"", &["mine.toml:3", "queries", "query"]);
    refused("extends = \"llama2\"\n[tensors]\n\"query | query\" = \"x\"", &["twice"]);
    refused(
        "extends = \"llama2\"\n[tensors]\n\"query | attention_norm\" = \"x\"",
        &[
            "mine.toml:3",
            "`attention_norm` has a tensor of its own",
            "only query, key, value, attention_gate, delta_query",
            "gate, up, expert_gate, expert_up may share one",
        ],
    );
    refused(
        "extends = \"llama2\"\n[tensors]\n\"gate | layer_scale\" = \"x\"",
        &["`layer_scale` has a tensor"],
    );
    refused("extends = \"llama2\"\n[attention]\nscale = \"= 1 +\"", &["mine.toml:3", "scale", "1 +"]);
    refused("extends = \"llama2\"\nmatch = \"model_type\"", &["match", "formula"]);
    refused("extends = \"llama2\"\n[default]\nfoo = 1", &["mine.toml:3", "foo", "no formula reads"]);
    refused(
        "extends = \"llama2\"\n[default]\nsliding_window = 8\n[attention]\nwindow = \"= sliding_windw\"",
        &["mine.toml:5", "attention.window", "`sliding_windw`", "is `sliding_window` meant?"],
    );
    refused("extends = \"baichuan1\"\n[tensors]\nquery = \"q\"", &["query | key | value", "without a name"]);
    refused(
        "extends = \"llama2\"\n[tensors]\nup = { name = \"u\", buy = \"group\" }",
        &["buy", "suffix, by, per, at"],
    );
    refused(
        "extends = \"llama2\"\n[tensors]\nup = { name = \"u\", by = \"heap\" }",
        &["heap", "rows, group"],
    );
    refused("extends = \"llama2\"\n[tensors]\nup = \"a.{layer\"", &["brace"]);
    refused("extends = \"mine\"", &["circle", "mine → mine"]);
    refused("extends = 7", &["extends", "string"]);
    refused("[[sizes]]\nname = \"7B\"", &["parameters"]);
    refused("title = \"a\"\ntitle = \"b\"", &["mine.toml", "title"]);
    refused("a = 1979-05-27", &["mine.toml"]);
}

#[test]
fn a_config_is_refused_with_its_key_and_value() {
    misfit(MINE, json!({ "new_feature": 3 }), &["`new_feature` = 3", "not known"]);
    misfit(
        MINE,
        json!({ "rope_scaling": { "rope_type": "linear", "factor": 0.5 } }),
        &["rope.scaling", "0.5"],
    );
    misfit(MINE, json!({ "rope_scaling": { "rope_type": "spiral" } }), &["rope.scaling", "spiral", "linear"]);
    misfit(MINE, json!({ "rope_scaling": { "rope_type": "linear", "factor": 2, "fast": 1 } }), &["fast"]);
    misfit(
        MINE,
        json!({ "rope_theta": 1e4, "rope_parameters": { "rope_theta": 2e4, "rope_type": "default" } }),
        &["rope_theta", "differently"],
    );
    misfit(MINE, json!({ "hidden_size": null }), &["hidden_size"]);
    misfit(MINE, json!({ "num_key_value_heads": 3 }), &["attention.kv_heads", "3 kv heads", "4 heads"]);
    misfit(MINE, json!({ "num_key_value_heads": 0 }), &["attention.kv_heads"]);
    misfit(
        MINE,
        json!({ "num_attention_heads": 0 }),
        &["attention.head_dim", "hidden_size // num_attention_heads"],
    );
    misfit(MINE, json!({ "head_dim": 7 }), &["rope.fraction", "7"]);
    misfit(MINE, json!({ "num_hidden_layers": 1e3 }), &["block.layers", "1000"]);
    misfit(MINE, json!({ "num_hidden_layers": 1_000_000_000_000u64 }), &["block.layers"]);
    misfit(MINE, json!({ "hidden_size": 1u64 << 60 }), &["embedding.width"]);
    misfit(MINE, json!({ "hidden_size": "wide" }), &["embedding.width", "wide"]);
    misfit(MINE, json!({ "rms_norm_eps": -1.0 }), &["norm.eps", "-1"]);
    misfit(MINE, json!({ "hidden_act": "swoosh" }), &["mlp.activation", "swoosh"]);
    misfit(MINE, json!({ "attention_bias": "yes" }), &["bias", "yes"]);
    misfit("extends = \"llama1\"", json!({ "attention_bias": true }), &["`attention_bias` = true", "false"]);
    misfit("extends = \"qwen1\"", json!({}), &["seq_length", "use_logn_attn"]);
}

#[test]
fn a_declaration_is_refused_where_its_words_do_not_fit() {
    let with = |lines: &str| format!("{MINE}{lines}");
    misfit(&with("[attention]\nwindow = 0"), json!({}), &["attention.window", "mine.toml"]);
    misfit(&with("[attention]\nsoftcap = -1"), json!({}), &["attention.softcap", "-1"]);
    misfit(&with("[attention]\nposition = \"compass\""), json!({}), &["attention.position", "compass"]);
    misfit(&with("[attention]\nscale = \"= head_dim / 0\""), json!({}), &["attention.scale", "mine.toml"]);
    misfit(
        &with("[attention]\nscale = \"= absent\""),
        json!({}),
        &["`absent` is missing", "attention.scale"],
    );
    misfit(&with("[attention]\nwindow = \"= 4 if layer == 0\""), json!({}), &["attention.window", "else"]);
    misfit(
        &with("[attention]\ndual_chunk = { chunk_size = 8, local_size = 8 }"),
        json!({}),
        &["attention.dual_chunk"],
    );
    misfit(
        &with("[attention]\nposition = \"none\"\ndual_chunk = { chunk_size = 8, local_size = 2 }"),
        json!({}),
        &["attention.dual_chunk", "rotary"],
    );
    misfit(
        &with("[attention]\nwindow = 4\n[prefix]\nuntil = 3"),
        json!({}),
        &["attention.window", "[prefix]"],
    );
    misfit(&with("[rope]\nfraction = 2"), json!({}), &["rope.fraction", "2"]);
    misfit(&with("[rope]\naxes = 2"), json!({}), &["rope.axes", "[prefix]"]);
    misfit(&with("[mlp]\nkind = \"plain\""), json!({}), &["mlp.kind", "gate"]);
    misfit(&with("[tensors]\nquery = \"none\""), json!({}), &["`query`"]);
    misfit(
        &with("[bias]\nquery = true\n[tensors]\n\"query | key | value\" = \"qkv\""),
        json!({}),
        &["bias", "all of them"],
    );
    misfit(
        &with("[default]\na = \"= b\"\nb = \"= a\"\n[attention]\nscale = \"= a\""),
        json!({}),
        &["needs itself"],
    );
    misfit(&with("[let]\nwide = 1\n[embedding]\nscale = \"= wide\""), json!({ "wide": 2 }), &["wide"]);
}

#[test]
fn what_is_waved_through_by_name_is_not_refused() {
    let (library, name) = add("mine", MINE).expect("a family");
    let mut config = tiny();
    config.insert("new_feature".into(), json!(3));
    library.get(&name).expect("it was added").resolve(&config, &["new_feature".into()]).expect("it resolves");
}

#[test]
fn every_spelling_of_a_config_resolves_to_the_same_numbers() {
    let library = Library::built_in().expect("the built-in families");
    let family = library.get("llama3").expect("a family");
    let scaling = json!({ "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 64 });
    let with = |changes: Json| {
        let mut config = tiny();
        config.extend(changes.as_object().cloned().unwrap_or_default());
        family.resolve(&config, &[]).unwrap_or_else(|u| panic!("{:?}", u.problems))
    };
    let table = |extra: Json| {
        let mut table = scaling.as_object().cloned().unwrap_or_default();
        table.extend(extra.as_object().cloned().unwrap_or_default());
        Json::Object(table)
    };
    let released =
        with(json!({ "rope_theta": 5e5, "rope_scaling": table(json!({ "rope_type": "llama3" })) }));
    let older = with(json!({ "rope_theta": 5e5, "rope_scaling": table(json!({ "type": "llama3" })) }));
    let newer =
        with(json!({ "rope_parameters": table(json!({ "rope_type": "llama3", "rope_theta": 5e5 })) }));
    assert_eq!(released, older);
    assert_eq!(released, newer);
}
