//! What is said of a real family's config.json, beside its own checkpoint.

use std::path::Path;

use camelid::checkpoint::Checkpoint;
use camelid::families::{Allow, Library};

#[test]
fn beside_an_unknown_key_nothing_else_is_reported_that_fits() {
    let case = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases/gemma2/softcap");
    let checkpoint = Checkpoint::open(&case).expect("a case is a checkpoint");
    let mut config = checkpoint.config().expect("a config.json").clone();
    config.insert("new_feature".into(), true.into());
    let library = Library::built_in().expect("the built-in families");
    let family = library.get("gemma2").expect("a family");
    let error = family.architecture(&config, &checkpoint, &Allow::default()).expect_err("a key is unknown");
    let message = error.to_string();
    assert!(message.contains("`new_feature`") && !message.contains("tensor"), "{message}");
}

#[test]
fn keys_of_the_runtime_that_released_configs_hold_are_inert() {
    let library = Library::built_in().expect("the built-in families");
    let family = library.get("gemma2").expect("a family");
    let case = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases/gemma2/softcap");
    let mut config = Checkpoint::open(&case).expect("a case").config().expect("a config.json").clone();
    config.insert("cache_implementation".into(), "hybrid".into());
    config.insert("_attn_implementation_autoset".into(), true.into());
    family.resolve(&config, &[]).unwrap_or_else(|error| panic!("{:?}", error.problems));
}
