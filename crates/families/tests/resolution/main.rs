//! From a family's file and a config.json to plain numbers: what is taken, what is refused and in which words, and what
//! the result tells those who read it.

mod bounds;
mod declared;
mod fields;
mod messages;
mod mixtures;
mod scopes;
mod words;

use camelid_families::{Architecture, Declaration, Library, Unresolved};
use serde_json::{Map, Value as Json, json};

/// The two lines above every family here; a test's own begin at line 3 of mine.toml.
const HEAD: &str = "extends = \"llama2\"\nmatch = \"= model_type == 'mine'\"\n";

/// A family of these lines, laid over one whose biases follow config.json.
#[track_caller]
fn family(lines: &str) -> Declaration {
    let mut library = Library::built_in().expect("the built-in families");
    library.insert("mine", "mine.toml", &format!("{HEAD}{lines}")).unwrap_or_else(|e| panic!("{e}"));
    library.get("mine").expect("it was added").clone()
}

/// A config.json of one layer that resolves, with changes.
fn config(changes: Json) -> Map<String, Json> {
    let mut config = json!({
        "model_type": "mine", "vocab_size": 100, "hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 4,
        "num_key_value_heads": 2, "intermediate_size": 64, "hidden_act": "silu", "rms_norm_eps": 1e-5,
        "max_position_embeddings": 128,
    });
    if let (Some(config), Json::Object(changes)) = (config.as_object_mut(), changes) {
        config.extend(changes);
    }
    config.as_object().cloned().unwrap_or_default()
}

#[track_caller]
fn resolve(lines: &str, changes: Json) -> Result<Architecture, Unresolved> {
    family(lines).resolve(&config(changes), &[])
}

#[track_caller]
fn taken(lines: &str, changes: Json) -> Architecture {
    resolve(lines, changes).unwrap_or_else(|unresolved| panic!("{lines}\n{:#?}", unresolved.problems))
}

/// Exactly these problems are found, in this order; each message begins as given.
#[track_caller]
fn refused(lines: &str, changes: Json, expected: &[&str]) {
    let Err(unresolved) = resolve(lines, changes) else { panic!("it was taken:\n{lines}") };
    let messages: Vec<_> = unresolved.problems.iter().map(ToString::to_string).collect();
    let fits = messages.len() == expected.len()
        && messages.iter().zip(expected).all(|(message, begins)| message.starts_with(begins));
    assert!(fits, "expected\n  {}\nbut the problems are\n  {}", expected.join("\n  "), messages.join("\n  "));
}
