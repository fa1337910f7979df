//! Whether the class that a config.json names is one that continues a text, and one that the family declares.
//!
//! `model_type` names a configuration, not a network: a classifier, a reward model and an encoder trained from a Llama say
//! "llama" as the Llama does. What they compute is told by `architectures`, and by `is_causal`.

use serde_json::{Map, Value as Json};

use crate::written::declaration::Declaration;

/// What a config.json says about the class of its model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Class {
    /// One of the family's own, or none is named.
    Own,
    /// The family's network without a head: it runs where the head is the embedding. The class is named.
    Base(String),
    /// One of the family's own inside a larger model, which also takes in what is no text. The larger class is named.
    Inside(String),
    /// Another network, or one that makes no text: what config.json says, as the end of a sentence.
    Other(String),
}

/// How the name of a class ends, and what such a model is.
const KINDS: [(&str, &str); 9] = [
    ("ForSequenceClassification", "a classifier: it makes no text"),
    ("ForTokenClassification", "a classifier of tokens: it makes no text"),
    ("ForQuestionAnswering", "one that marks answers in a text: it makes no text"),
    ("ForMultipleChoice", "one that chooses among answers: it makes no text"),
    ("ForMaskedLM", "one that fills gaps, with attention both ways"),
    ("RewardModel", "a reward model: it makes no text"),
    ("ForReward", "a reward model: it makes no text"),
    ("ForConditionalGeneration", "one that reads more than the text that it continues"),
    ("Model", "one without a head, an encoder or a model for embeddings: it makes no text"),
];

/// How the name of a class ends that makes text.
const SPEAKS: [&str; 3] = ["ForCausalLM", "ForConditionalGeneration", "LMHeadModel"];

impl Declaration {
    /// Holds the class that a config.json names to the family's own.
    #[must_use]
    pub fn class(&self, config: &Map<String, Json>) -> Class {
        if config.get("is_causal") == Some(&Json::Bool(false)) {
            return Class::Other(
                "says that `is_causal` is false: attention goes both ways, as in an encoder".into(),
            );
        }
        // Of a text model inside a larger one the class is the larger one's, which is none of ours; that it makes text is told
        // by how its name ends.
        let inside = self.unwrap.config.iter().find_map(|name| config.get(name)?.as_object());
        if let Some(inside) = inside {
            let outer = named(config);
            let speaks = |name: &&str| SPEAKS.iter().any(|end| name.ends_with(end));
            return match outer.is_empty() || outer.iter().any(speaks) {
                true => match (self.class(inside), outer.first()) {
                    (Class::Own, Some(name)) => Class::Inside((*name).to_owned()),
                    (class, _) => class,
                },
                false => Class::Other(self.told(&outer)),
            };
        }
        let named = named(config);
        let among = |own: &[String]| named.iter().copied().find(|name| own.iter().any(|other| other == name));
        if named.is_empty() || self.classes.is_empty() || among(&self.classes).is_some() {
            return Class::Own;
        }
        match among(&self.base_classes) {
            Some(name) => Class::Base(name.to_owned()),
            None => Class::Other(self.told(&named)),
        }
    }

    fn told(&self, named: &[&str]) -> String {
        let kind = |name: &&str| KINDS.iter().find(|(end, _)| name.ends_with(end)).map(|(_, kind)| *kind);
        let kind = named.iter().find_map(kind).unwrap_or("another network: it may compute otherwise");
        let quoted: Vec<_> = named.iter().map(|name| format!("`{name}`")).collect();
        let own: Vec<_> = self.classes.iter().map(|name| format!("`{name}`")).collect();
        format!("names the class {}, {kind}; {}'s own is {}", quoted.join(", "), self.title, own.join(" or "))
    }
}

/// The classes that a config.json names.
fn named(config: &Map<String, Json>) -> Vec<&str> {
    match config.get("architectures") {
        Some(Json::Array(list)) => list.iter().filter_map(Json::as_str).collect(),
        Some(Json::String(name)) => vec![name],
        Some(Json::Null | Json::Bool(_) | Json::Number(_) | Json::Object(_)) | None => Vec::new(),
    }
}
