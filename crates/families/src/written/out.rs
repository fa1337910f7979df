//! Families that stay out, by the `model_type` of their config.json, each with the reason.

use std::sync::LazyLock;

use serde::Deserialize;

/// A family, or several of a kind, that the schema has no words for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Out {
    /// What it is called.
    pub title: String,
    /// What its config.json calls it.
    pub models: Vec<String>,
    /// What it has that there is no word for.
    pub why: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    out: Vec<Out>,
}

static LIST: LazyLock<Vec<Out>> = LazyLock::new(|| {
    let text = include_str!("../../families/out/out.toml");
    let file: File = toml::from_str(text).expect("a test reads the list");
    file.out
});

/// Every one of them.
#[must_use]
pub fn out() -> &'static [Out] {
    &LIST
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_says_why_and_none_is_named_twice() {
        let mut models: Vec<&String> = out().iter().flat_map(|out| &out.models).collect();
        assert!(models.len() > 5 && out().iter().all(|out| out.why.len() > 30), "{models:?}");
        let all = models.len();
        models.sort();
        models.dedup();
        assert_eq!(models.len(), all, "{models:?}");
    }
}
