//! Which family a config.json is of, from the config.json alone.

use camelid_families::{Class, Library};
use serde_json::{Map, Value as Json, json};

fn size(library: &Library, family: &str) -> Map<String, Json> {
    library.get(family).expect("a family").sizes.last().expect("a size").config.clone()
}

/// The size of `of`, with changes, is detected as `expected`; or refused with both names in the message.
#[track_caller]
fn check(of: &str, changes: Json, expected: Result<&str, &[&str]>) {
    let library = Library::built_in().expect("the built-in families");
    let mut config = size(&library, of);
    config.extend(changes.as_object().cloned().unwrap_or_default());
    config.retain(|_, value| !value.is_null());
    let found =
        library.detect(&config, &[]).map(|found| found.family.name.clone()).map_err(|e| e.to_string());
    match expected {
        Ok(name) => assert_eq!(found.as_deref(), Ok(name)),
        Err(parts) => {
            let message = found.expect_err("it is refused");
            assert!(parts.iter().all(|part| message.contains(part)), "{parts:?} in {message}");
        }
    }
}

#[test]
fn released_configs_are_told_apart() {
    check("llama1", json!({}), Ok("llama1"));
    check("llama2", json!({}), Ok("llama2"));
    check("llama3", json!({}), Ok("llama3"));
    check("baichuan1", json!({}), Ok("baichuan1"));
    check("baichuan2", json!({}), Ok("baichuan2"));
    check("yi", json!({}), Ok("yi"));
    check("qwen1", json!({}), Ok("qwen1"));
    check("qwen2", json!({}), Ok("qwen2"));
    check("chatglm1", json!({}), Ok("chatglm1"));
    check("glm4", json!({}), Ok("glm4"));
    check("glm4-hf", json!({}), Ok("glm4-hf"));
    check("minicpm", json!({}), Ok("minicpm"));
    check("gemma1", json!({}), Ok("gemma1"));
    check("gemma2", json!({}), Ok("gemma2"));
}

#[test]
fn a_llama_with_biases_is_of_the_family_that_has_them() {
    for key in ["attention_bias", "mlp_bias"] {
        check("llama1", json!({ (key): true }), Ok("llama2"));
        check("llama1", json!({ (key): false }), Ok("llama1"));
    }
}

#[test]
fn of_families_with_equal_numbers_the_youngest_gives_the_name() {
    check("chatglm2", json!({}), Ok("chatglm3"));
}

#[test]
fn families_that_would_compute_differently_are_refused_with_what_tells_them_apart() {
    check(
        "chatglm2",
        json!({ "rope_ratio": 50 }),
        Err(&["chatglm2", "chatglm3", "rope.scaling", "rope.theta"]),
    );
}

#[test]
fn no_match_says_what_was_read_and_what_to_do() {
    check(
        "llama1",
        json!({ "model_type": "mamba" }),
        Err(&["`model_type` is \"mamba\"", "--family", "--spec"]),
    );
}

#[test]
fn every_family_says_which_classes_are_its_own() {
    let library = Library::built_in().expect("the built-in families");
    for family in library.families() {
        assert!(!family.classes.is_empty(), "{}", family.name);
        let config = |named: Json| Map::from_iter([("architectures".to_owned(), named)]);
        for own in &family.classes {
            assert_eq!(family.class(&config(json!([own]))), Class::Own);
            let other = format!("{own}ForSequenceClassification");
            let Class::Other(says) = family.class(&config(json!([other]))) else {
                panic!("{other} is taken")
            };
            assert!(says.contains(&other) && says.contains("a classifier"), "{says}");
        }
        for base in &family.base_classes {
            assert_eq!(family.class(&config(json!([base]))), Class::Base(base.clone()));
        }
        for none in [json!([]), json!(null)] {
            assert_eq!(family.class(&config(none)), Class::Own);
        }
        let Class::Other(_) = family.class(&config(json!(["AnotherForCausalLM"]))) else {
            panic!("it is taken")
        };
        let encoder = Map::from_iter([("is_causal".to_owned(), json!(false))]);
        assert!(matches!(family.class(&encoder), Class::Other(_)));
    }
}

#[test]
fn the_text_model_inside_a_larger_one_is_told_with_the_larger_ones_name() {
    let library = Library::built_in().expect("the built-in families");
    let mut unwrapping = 0;
    for family in library.families() {
        let Some(inside) = family.unwrap.config.first() else { continue };
        unwrapping += 1;
        let class = |outer: Json, own: Json| {
            let own = json!({ "architectures": own });
            family.class(&Map::from_iter([("architectures".to_owned(), outer), (inside.clone(), own)]))
        };
        let larger = "LargerForConditionalGeneration";
        assert_eq!(class(json!([larger]), json!(family.classes)), Class::Inside(larger.to_owned()));
        assert_eq!(class(json!([larger]), Json::Null), Class::Inside(larger.to_owned()));
        assert_eq!(class(json!([]), Json::Null), Class::Own);
        assert!(matches!(class(json!(["LargerForSequenceClassification"]), Json::Null), Class::Other(_)));
        assert!(matches!(class(json!([larger]), json!(["AnotherForCausalLM"])), Class::Other(_)));
    }
    assert!(unwrapping > 0);
}
