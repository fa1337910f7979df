//! What converting refuses, in the words that a family's file uses.

use camelid_families::{Allowed, Library, Source};
use serde_json::json;

#[test]
fn a_norm_of_heads_that_the_other_family_lacks_is_told_by_its_attributes() {
    let mut library = Library::built_in().expect("the built-in families");
    let lines = "extends = \"llama2\"\nmatch = \"= model_type == 'mine'\"\n[tensors]\n\
                 key_norm = { name = \"layers.{layer}.k\", per = \"each_head\", at = \"after_rope\" }";
    library.insert("mine", "mine.toml", lines).expect("a declaration");
    let (mine, target) =
        (library.get("mine").expect("it is there"), library.get("llama2").expect("built in"));
    let config = json!({
        "model_type": "mine", "vocab_size": 100, "hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 4,
        "num_key_value_heads": 2, "intermediate_size": 64, "hidden_act": "silu", "rms_norm_eps": 1e-5,
        "max_position_embeddings": 128,
    });
    let config = config.as_object().expect("a table");
    let architecture = mine.resolve(config, &[]).expect("it resolves");
    let source = Source { family: mine, config, architecture: &architecture };
    let error =
        target.converted(source, None, Allowed::Bytes).expect_err("llama2 has no such norm").to_string();
    let told = "tensors.key_norm: the checkpoint has a tensor, per each_head, at after_rope, and this family would make it none";
    assert!(error.contains(told), "{error}");
}
