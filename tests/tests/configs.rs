//! Real `config.json` files, as found in public repositories (`tests/configs/INDEX.tsv` says where each), and what other
//! programs add to them: each is told its family and resolves, or is refused.

use std::path::{Path, PathBuf};

use camelid::checkpoint::Checkpoint;
use camelid::families::{Allow, Architecture, Library};
use serde_json::{Map, Value as Json, json};

type Config = Map<String, Json>;

fn library() -> Library {
    Library::built_in().expect("the built-in families")
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn read(path: &Path) -> Config {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The family that a config.json is of and what it comes to, or why not.
fn told(library: &Library, config: &Config) -> Result<(String, Architecture), String> {
    names(library, config).map(|(names, architecture)| (names[0].clone(), architecture))
}

/// The same with every name that is right: the family's, its form's, those of older families with equal numbers.
fn names(library: &Library, config: &Config) -> Result<(Vec<String>, Architecture), String> {
    let found = library.detect(config, &[]).map_err(|error| error.to_string())?;
    let family = found.family;
    let architecture = family.resolve(config, &[]).map_err(|unresolved| {
        let problems: Vec<_> = unresolved.problems.iter().map(ToString::to_string).collect();
        format!("{}: {}", family.name, problems.join("; "))
    })?;
    let also = found.also.iter().map(|older| older.name.clone()).chain(family.form_of.clone());
    Ok((std::iter::once(family.name.clone()).chain(also).collect(), architecture))
}

#[test]
fn every_config_that_was_found_is_of_its_family_or_refused() {
    let library = library();
    let index = std::fs::read_to_string(folder("configs/INDEX.tsv")).expect("the index");
    let mut wrong = Vec::new();
    let mut count = 0;
    for line in index.lines().skip(1) {
        let mut cells = line.split('\t');
        let (name, expected) = (cells.next().expect("a name"), cells.next().expect("what is expected"));
        let found = names(&library, &read(&folder("configs").join(format!("{name}.json"))));
        let right = match (&found, expected.strip_prefix("refuse: ")) {
            (Ok((names, _)), None) => names.iter().any(|name| name == expected),
            (Err(message), Some(_)) => message.lines().count() <= 3,
            (Ok(_), Some(_)) | (Err(_), None) => false,
        };
        if !right {
            wrong.push(format!("{name}: expected {expected}, got {:?}", found.map(|(names, _)| names)));
        }
        count += 1;
    }
    assert!(count >= 51, "{count} configs");
    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
}

/// A published size of a family, or a config.json that was found, with keys changed; null removes none, it is written.
fn changed(library: &Library, of: &str, changes: &Json) -> Config {
    let found = folder("configs").join(format!("{of}.json"));
    let mut config = match library.get(of) {
        Ok(family) => family.sizes[0].config.clone(),
        Err(_) => read(&found),
    };
    // Few layers say as much as many, and sooner.
    for key in ["num_hidden_layers", "num_layers", "n_layer"] {
        if config.contains_key(key) {
            config.insert(key.to_owned(), 2.into());
        }
    }
    config.extend(changes.as_object().expect("a table").clone());
    config
}

/// With these keys the config.json comes to the same numbers.
#[track_caller]
fn neutral(of: &str, changes: Json) {
    let library = library();
    let plain = told(&library, &changed(&library, of, &json!({}))).expect("it resolves as it is");
    let got = told(&library, &changed(&library, of, &changes));
    assert!(
        got.as_ref().is_ok_and(|got| *got == plain),
        "{of} with {changes}: {:?}",
        got.map(|(name, _)| name)
    );
}

/// With these keys it is refused, in at most three lines that have these parts.
#[track_caller]
fn refused(of: &str, changes: Json, parts: &[&str]) {
    let library = library();
    let message = told(&library, &changed(&library, of, &changes)).expect_err("it is refused");
    assert!(message.lines().count() <= 3, "{message}");
    assert!(parts.iter().all(|part| message.contains(part)), "{parts:?} are not all in: {message}");
    for jargon in ["usize", "f64", "unknown variant", "unknown field", "invalid type", "declared inert"] {
        assert!(!message.contains(jargon), "`{jargon}` in: {message}");
    }
}

const FAMILIES: [&str; 12] = [
    "llama1", "llama2", "llama3", "yi", "qwen1", "qwen1.5", "qwen2", "glm4", "glm4-hf", "minicpm", "gemma1",
    "gemma2",
];

/// What PretrainedConfig itself writes, in both major versions (`to_dict`, not `to_diff_dict`).
#[test]
fn the_keys_of_every_config_class_are_inert() {
    let table: Json = serde_json::from_str(include_str!("../reference/config_defaults.json"))
        .expect("the table of defaults");
    let shared = |version: &str| table[version]["shared"].clone();
    let (version_4, mut version_5) = (shared("transformers 4.57.6"), shared("transformers 5.24.0"));
    assert_eq!(version_4["pruned_heads"], json!({}), "to_dict, not to_diff_dict");
    version_5["torch_dtype"] = "float16".into();
    version_5["dtype"] = "bfloat16".into();
    for family in FAMILIES {
        for keys in [&version_4, &version_5] {
            neutral(family, keys.clone());
        }
    }
}

#[test]
fn what_other_programs_leave_behind_is_inert() {
    for family in FAMILIES {
        neutral(family, json!({ "unsloth_version": "2024.9", "unsloth_fixed": true }));
        neutral(family, json!({ "transformers.js_config": { "kv_cache_dtype": { "q4f16": "float16" } } }));
        neutral(
            family,
            json!({ "_flash_attn_2_enabled": true, "use_flash_attn": "auto", "attn_implementation": "sdpa" }),
        );
        neutral(
            family,
            json!({ "_attn_implementation_internal": "eager", "_attn_implementation_autoset": true }),
        );
        neutral(family, json!({ "is_llama_config": true, "rope_interleaved": false, "use_mrope": false }));
        neutral(family, json!({ "pre_seq_len": null, "prefix_projection": false, "quantization_bit": 0 }));
        neutral(family, json!({ "max_length": 4096, "tokenizer_type": "X", "z_loss_weight": 0.0 }));
        neutral(
            family,
            json!({ "context_window_size": 4096, "prefill_chunk_size": 4096, "tensor_parallel_shards": 1 }),
        );
        neutral(family, json!({ "lm_head_generation": true, "torchscript": true, "use_cache": false }));
        neutral(
            family,
            json!({ "quantization_config": null, "sparse_attention_enabled": false, "activation": "swiglu" }),
        );
    }
    neutral("llama2", json!({ "max_sequence_length": 2048, "seq_length": 9 }));
    neutral(
        "llama2",
        json!({ "sliding_window": 4096, "use_sliding_window": false, "max_window_layers": 28 }),
    );
    neutral("llama2", json!({ "partial_rotary_factor": 1.0, "num_experts": 0 }));
    neutral(
        "gemma2",
        json!({ "sliding_window_size": 4096, "hidden_act": "gelu", "use_bidirectional_attention": null }),
    );
    neutral("gemma1", json!({ "hidden_activation": "relu" }));
    neutral("qwen2", json!({ "attention_bias": false, "sliding_window": null, "layer_types": null }));
}

#[test]
fn a_key_that_would_matter_is_refused_with_the_option_that_lets_it_pass() {
    for (family, key, value) in [
        ("llama2", "partial_rotary_factor", json!(0.5)),
        ("llama2", "pre_seq_len", json!(128)),
        ("chatglm3-6b-ipex", "quantization_bit", json!(4)),
        ("llama2", "quantization_config", json!({ "quant_method": "gptq", "bits": 4 })),
        ("llama2", "quantization", json!({ "group_size": 64, "bits": 4 })),
        ("llama2", "add_cross_attention", json!(true)),
        ("llama2", "is_encoder_decoder", json!(true)),
        ("llama2", "pruned_heads", json!({ "0": [1] })),
        ("llama2", "use_mrope", json!(true)),
        ("llama2", "num_experts", json!(8)),
        ("llama2", "use_qk_norm", json!(true)),
        ("llama2", "attn_logit_softcapping", json!(50.0)),
        ("minicpm", "sliding_window", json!(4096)),
        ("llama2", "something_new", json!([1, 2, 3])),
        ("llama2", "layer_types", json!(["sliding_attention"])),
    ] {
        refused(family, json!({ key: value }), &[key, "--allow-key"]);
    }
}

#[test]
fn rotary_tables_are_read_as_upstream_reads_them() {
    neutral("llama2", json!({ "rope_scaling": {} }));
    neutral("llama2", json!({ "rope_scaling": { "type": null } }));
    neutral("llama2", json!({ "rope_parameters": { "rope_type": "default", "rope_theta": 10000.0 } }));
    neutral("llama2", json!({ "rope_scaling": { "rope_type": "default", "factor": 1.0 } }));
    let library = library();
    let rope = |table: Json| {
        let config = changed(&library, "llama2", &json!({ "rope_scaling": table }));
        told(&library, &config)
            .map(|(_, architecture)| (architecture.layers[0].rope.clone(), architecture.stack.context))
    };
    let same = |a: Json, b: Json| assert_eq!(rope(a.clone()), rope(b), "{a}");
    let yarn = json!({ "type": "yarn", "factor": 4.0, "original_max_position_embeddings": 4096 });
    let with = |keys: Json| {
        let mut table = yarn.as_object().expect("a table").clone();
        table.extend(keys.as_object().expect("a table").clone());
        Json::Object(table)
    };
    same(with(json!({ "finetuned": true })), yarn.clone());
    same(with(json!({ "attn_factor": 1.0, "extrapolation_factor": 1 })), yarn.clone());
    same(with(json!({ "beta_fast": null, "mscale": null, "attention_factor": null })), yarn.clone());
    same(with(json!({ "beta_fast": 0, "beta_slow": 0 })), yarn.clone());
    same(json!({ "type": "yarn", "factor": 4.0 }), yarn.clone());
    same(json!({ "type": "yarn", "factor": 4.0, "original_max_position_embeddings": null }), yarn.clone());
    let halved = json!({ "type": "yarn", "factor": 2.0, "original_max_position_embeddings": 2048 });
    let ratio = json!({ "type": "yarn", "factor": null, "original_max_position_embeddings": 2048 });
    assert_eq!(rope(ratio).map(|(rope, _)| rope), rope(halved).map(|(rope, _)| rope));
    let linear = json!({ "type": "linear", "factor": 2.0 });
    same(
        json!({ "rope_type": "linear", "factor": 2, "original_max_position_embeddings": 4096, "finetuned": false }),
        linear,
    );
    let bands =
        json!({ "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0 });
    let mut whole = bands.clone();
    whole["original_max_position_embeddings"] = 4096.into();
    same(bands, whole);
}

#[test]
fn a_rotary_table_that_no_code_here_reads_is_refused_in_plain_words() {
    let refuse = |table: Json, parts: &[&str]| refused("llama2", json!({ "rope_scaling": table }), parts);
    refuse(json!({ "type": "clex", "factor": 2.0 }), &["\"clex\"", "yarn", "longrope"]);
    refuse(json!({ "factor": 2.0 }), &["rope_type", "linear"]);
    refuse(json!({ "type": "linear" }), &["`factor` is missing", "linear"]);
    refuse(json!({ "type": "linear", "factor": "2" }), &["`factor` must be a number", "\"2\""]);
    refuse(
        json!({ "type": "linear", "factor": 2.0, "alpha": 1000 }),
        &["`alpha` = 1000", "--allow-key rope_scaling.alpha"],
    );
    refuse(json!({ "type": "yarn", "factor": 2.0, "attn_factor": 2.0 }), &["attn_factor"]);
    let library = library();
    let config = changed(
        &library,
        "llama2",
        &json!({ "rope_scaling": { "type": "linear", "factor": 2.0, "alpha": 1 } }),
    );
    let family = library.get("llama2").expect("a family");
    assert!(family.resolve(&config, &["rope_scaling.alpha".into()]).is_ok());
}

#[test]
fn the_context_counts_what_it_is_stretched_by() {
    let library = library();
    let context = |of: &str, table: Json| {
        let config = changed(&library, of, &json!({ "rope_scaling": table }));
        told(&library, &config).expect("it resolves").1.stack.context
    };
    assert_eq!(context("llama2", Json::Null), Some(4096));
    assert_eq!(context("llama2", json!({ "type": "linear", "factor": 4.0 })), Some(16384));
    assert_eq!(context("llama2", json!({ "type": "dynamic", "factor": 2.0 })), Some(8192));
    let yarn = json!({ "type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768 });
    assert_eq!(context("qwen2.5-1.5b-instruct-450", yarn.clone()), Some(131_072));
    assert_eq!(context("qwen2", yarn), Some(131_072)); // which says it already
    let bands = json!({ "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8192 });
    assert_eq!(context("llama3", bands), Some(8192)); // said as it is
}

#[test]
fn a_baichuan_is_told_by_what_the_originals_fix() {
    let library = library();
    let of = |changes: Json| {
        let config = changed(&library, "baichuan2-13b-ipex", &changes);
        told(&library, &config).map(|(name, architecture)| (name, architecture.layers[0].attention.position))
    };
    use camelid::families::Position::{Alibi, Rope};
    let is = |changes: Json, name: &str, position| {
        assert_eq!(of(changes.clone()), Ok((name.into(), position)), "{changes}");
    };
    for class in [json!("BaichuanTokenizer"), Json::Null] {
        is(json!({ "hidden_size": 5120, "tokenizer_class": class }), "baichuan2", Alibi);
        is(json!({ "hidden_size": 5120, "tokenizer_class": class, "vocab_size": 64000 }), "baichuan1", Alibi);
        is(json!({ "hidden_size": 4096, "tokenizer_class": class }), "baichuan2", Rope);
    }
    is(json!({ "hidden_size": 5120, "max_position_embeddings": 4096 }), "baichuan2", Alibi);
    is(
        json!({ "hidden_size": 5120, "vocab_size": 64000, "max_position_embeddings": 4096 }),
        "baichuan1",
        Alibi,
    );
    is(json!({ "vocab_size": 64000, "architectures": ["BaiChuanForCausalLM"] }), "baichuan1", Rope);
    let doubt = of(json!({ "vocab_size": 65000 })).expect_err("a doubt");
    assert!(doubt.contains("--family baichuan2") && doubt.contains("64000"), "{doubt}");
    let doubt = of(json!({ "max_position_embeddings": 4096 })).expect_err("a doubt");
    assert!(doubt.contains("ALiBi") && doubt.contains("remove `max_position_embeddings`"), "{doubt}");
}

#[test]
fn absent_and_null_are_two_things_where_they_are_upstream() {
    let library = library();
    let value = |of: &str, changes: Json, without: &str, word: &str| {
        let mut config = changed(&library, of, &changes);
        if !without.is_empty() {
            config.shift_remove(without);
        }
        told(&library, &config).expect("it resolves").1.fields().get(word).cloned().unwrap_or(Json::Null)
    };
    let slides = json!({ "use_sliding_window": true, "max_window_layers": 0, "sliding_window": null });
    assert_eq!(value("qwen2", slides.clone(), "", "attention.window"), Json::Null);
    assert_eq!(value("qwen2", slides, "sliding_window", "attention.window"), json!(4096));
    assert_eq!(value("gemma2", json!({}), "attn_logit_softcapping", "attention.softcap"), json!(50.0));
    assert_eq!(
        value("gemma2", json!({ "attn_logit_softcapping": null }), "", "attention.softcap"),
        Json::Null
    );
    assert_eq!(value("gemma2", json!({}), "final_logit_softcapping", "output.softcap"), json!(30.0));
    assert_eq!(value("yi-34b-original", json!({}), "rope_theta", "rope.theta"), json!(5e6));
    assert_eq!(
        value("gemma1", json!({ "hidden_act": "gelu" }), "", "mlp.activation"),
        json!("gelu_pytorch_tanh")
    );
    assert_eq!(value("gemma1", json!({ "hidden_act": "silu" }), "", "mlp.activation"), json!("silu"));
    assert_eq!(value("gemma1", json!({ "hidden_act": "relu" }), "", "mlp.activation"), json!("relu"));
}

#[test]
fn beside_an_unknown_key_nothing_else_is_reported_that_fits() {
    let checkpoint = Checkpoint::open(folder("cases/gemma2/softcap")).expect("a case is a checkpoint");
    let mut config = checkpoint.config().expect("a config.json").clone();
    config.insert("new_feature".into(), true.into());
    let library = library();
    let family = library.get("gemma2").expect("a family");
    let error = family.architecture(&config, &checkpoint, &Allow::default()).expect_err("a key is unknown");
    let message = error.to_string();
    assert!(message.contains("`new_feature`") && !message.contains("tensor"), "{message}");
}

#[test]
fn what_releases_say_of_a_delta_net_is_what_is_computed() {
    let said = json!({ "attn_output_gate": true, "output_gate_type": "swish", "mamba_ssm_dtype": "float32",
        "mtp_num_hidden_layers": 1, "mtp_use_dedicated_embeddings": false });
    neutral("qwen3.5", said.clone());
    neutral("qwen3.5-moe", said);
    refused("qwen3-next", json!({ "attn_output_gate": false }), &["attn_output_gate", "false", "true"]);
    refused("qwen3.5", json!({ "output_gate_type": "sigmoid" }), &["output_gate_type", "sigmoid", "swish"]);
}
