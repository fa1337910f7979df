//! Experts, latents and borrowed keys: what does not go together is told from config.json alone, before a tensor is looked at.

use camelid_checkpoint::Checkpoint;
use camelid_families::{Allow, Library};
use serde_json::{Map, Value as Json, json};

/// A config.json alone, the first released size of a built-in family with changes, is refused with this: one fault, said once.
#[track_caller]
fn refused(name: &str, changes: Json, expected: &str) {
    let library = Library::built_in().expect("the built-in families");
    let family = library.get(name).expect("a family");
    let mut config: Map<String, Json> = family.sizes[0].config.clone();
    config.extend(changes.as_object().cloned().unwrap_or_default());
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("config.json"), Json::Object(config.clone()).to_string())
        .expect("written");
    let checkpoint = Checkpoint::open_config(folder.path()).expect("a config.json");
    let error =
        family.architecture(&config, &checkpoint, &Allow::default()).expect_err("it is refused").to_string();
    assert!(error.contains(expected), "{expected:?} is not in {error}");
    assert_eq!(error.lines().count(), 2, "{error}");
    assert!(error.matches(expected.split(": ").last().unwrap_or(expected)).count() == 1, "{error}");
}

#[test]
fn as_many_experts_are_chosen_as_there_are_at_most() {
    refused("qwen3-moe", json!({ "num_experts_per_tok": 129 }), "129 experts are chosen of 128");
    refused("qwen3-moe", json!({ "num_experts_per_tok": 0 }), "experts.chosen: layer 0: chosen is 0");
    refused("deepseek3", json!({ "num_experts_per_tok": 257 }), "257 experts are chosen of 128");
}

#[test]
fn groups_of_experts_divide_them() {
    refused(
        "deepseek3",
        json!({ "n_group": 7 }),
        "experts.groups: layer 3: 7 groups do not divide 256 experts",
    );
    refused("deepseek3", json!({ "topk_group": 9 }), "experts.groups_kept: layer 3: 9 groups are kept of 8");
    refused("deepseek3", json!({ "n_group": 256, "topk_group": 8 }), "groups of one expert");
}

#[test]
fn an_expert_has_a_width_and_a_finite_scale() {
    refused("qwen3-moe", json!({ "moe_intermediate_size": 0 }), "experts.width: 0 is not between 1 and");
    refused("deepseek3", json!({ "routed_scaling_factor": 1e39 }), "experts.scale: layer 3: the scale 1");
}

#[test]
fn a_latent_has_a_rank_and_the_parts_of_a_head() {
    refused("deepseek3", json!({ "kv_lora_rank": 0 }), "latent.rank: 0 is not between 1 and");
    refused("deepseek3", json!({ "q_lora_rank": 0 }), "latent.query_rank: 0 is not between 1 and");
    refused("deepseek3", json!({ "v_head_dim": 0 }), "latent.value_dim: 0 is not between 1 and");
    refused(
        "minicpm3",
        json!({ "num_key_value_heads": 4 }),
        "4 kv heads; keys made of a latent have as many heads",
    );
}

#[test]
fn keys_are_borrowed_from_an_older_layer_that_has_some() {
    let library = Library::built_in().expect("the built-in families");
    let family = |source: &str| {
        let mut library = library.clone();
        let text = format!("extends = \"llama2\"\n[attention]\nsource = \"= {source}\"\n");
        library.insert("mine", "mine.toml", &text).expect("it is a family");
        library.get("mine").expect("it was added").clone()
    };
    let config = library.get("llama2").expect("a family").sizes[0].config.clone();
    for (source, expected) in [
        ("3 if layer == 2 else none", "layer 2 reads the keys of layer 3, which is not before it"),
        ("layer if layer == 2 else none", "layer 2 reads the keys of layer 2, which is not before it"),
        (
            "layer - 1 if layer in [2, 3] else none",
            "layer 3 reads the keys of layer 2, which has none of its own",
        ),
    ] {
        let Err(unresolved) = family(source).resolve(&config, &[]) else { panic!("{source} is taken") };
        let messages: Vec<_> = unresolved.problems.iter().map(ToString::to_string).collect();
        assert!(
            messages.iter().any(|message| message.contains(expected)),
            "{expected:?} is not in {messages:#?}"
        );
    }
    assert!(family("0 if layer > 0 else none").resolve(&config, &[]).is_ok());
}

#[test]
fn a_delta_net_has_heads_that_divide_and_a_convolution_with_taps() {
    refused(
        "qwen3-next",
        json!({ "linear_num_key_heads": 5 }),
        "delta.value_heads: layer 0: 5 key heads don't divide 32 value heads",
    );
    refused("qwen3-next", json!({ "linear_conv_kernel_dim": 0 }), "delta.conv_width: 0 is not between 1 and");
    refused("qwen3.5", json!({ "linear_key_head_dim": 0 }), "delta.key_dim: 0 is not between 1 and");
}

/// A family of one's own over a built-in one's first size, refused with this.
#[track_caller]
fn refused_with(of: &str, own: &str, expected: &str) {
    let mut library = Library::built_in().expect("the built-in families");
    let text = format!("extends = \"{of}\"\n{own}");
    library.insert("mine", "mine.toml", &text).expect("it is a family");
    let config = library.get(of).expect("a family").sizes[0].config.clone();
    let Err(unresolved) = library.get("mine").expect("it was added").resolve(&config, &[]) else {
        panic!("it is taken: {own}")
    };
    let messages: Vec<_> = unresolved.problems.iter().map(ToString::to_string).collect();
    assert!(messages.iter().any(|message| message.contains(expected)), "{expected:?} is not in {messages:?}");
}

#[test]
fn roles_that_read_other_widths_share_no_tensor() {
    refused_with(
        "qwen3-next",
        "[delta]\ngate_rank = 8\n[tensors]\ndelta_gate_down = \"model.layers.{layer}.linear_attn.down\"\n",
        "layer 0: `delta_gate` has rows of [8] and `delta_query` of [2048], so they can't share a tensor",
    );
    refused_with(
        "minicpm3",
        "[tensors]\n\"query | attention_gate\" = { name = \"model.layers.{layer}.q\", by = \"head\" }\n",
        "layer 0: `attention_gate` has rows of [2560] and `query` of [768]",
    );
}

#[test]
fn a_state_stands_beside_no_two_way_prefix() {
    refused_with(
        "qwen3-next",
        "[prefix]\nuntil = 5\n",
        "delta.value_heads: layer 0: beside a two-way [prefix] a state is not defined",
    );
}

#[test]
fn a_kind_of_layer_that_no_word_has_is_refused() {
    let mut kinds = vec!["full_attention"; 48];
    kinds[2] = "mamba";
    let library = Library::built_in().expect("the built-in families");
    let family = library.get("qwen3-next").expect("a family");
    let mut config = family.sizes[0].config.clone();
    config.insert("layer_types".into(), json!(kinds));
    let unresolved = family.resolve(&config, &[]).expect_err("no word has it");
    let messages: Vec<_> = unresolved.problems.iter().map(ToString::to_string).collect();
    let wanted = "`layer_types` gives layer 2 the kind `mamba`: this family has `linear_attention` and `full_attention`";
    assert!(messages.len() == 1 && messages[0].contains(wanted), "{messages:?}");
    assert!(!messages[0].contains("refuse("), "a refusal is a sentence of its own: {messages:?}");
}
