//! The committed list of what is known to be unproved, each with its reason: `unproved.toml` beside this crate's manifest.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;
use serde_json::Value as Json;

use crate::changes::{Editor, short};

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Entry {
    /// The word.
    pub(crate) word: String,
    /// The change of it; every change, where none is named.
    #[serde(default)]
    change: Option<String>,
    /// Word → the values for which this holds, in every layer.
    #[serde(default)]
    when: BTreeMap<String, Vec<String>>,
    /// Why it can't be proved.
    pub(crate) reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    unproved: Vec<Entry>,
}

static LIST: LazyLock<Vec<Entry>> = LazyLock::new(|| {
    let file: File =
        toml::from_str(include_str!("../../unproved.toml")).expect("a test reads the committed list");
    file.unproved
});

/// Every entry.
pub(crate) fn all() -> &'static [Entry] {
    &LIST
}

/// Why a change of a word is known to be unproved, if it is in every one of these.
pub(crate) fn reason(word: &str, change: &str, editors: &[Editor<'_>]) -> Option<String> {
    let entry = |editor: &Editor<'_>| LIST.iter().find(|entry| entry.fits(word, change, editor));
    let entries: Option<Vec<&Entry>> = editors.iter().map(entry).collect();
    let mut reasons: Vec<&str> = entries?.into_iter().map(|entry| entry.reason.as_str()).collect();
    reasons.sort_unstable();
    reasons.dedup();
    (!reasons.is_empty()).then(|| reasons.join("; "))
}

impl Entry {
    fn fits(&self, word: &str, change: &str, editor: &Editor<'_>) -> bool {
        let holds = |(word, wanted): (&String, &Vec<String>)| {
            let fits = |value: &Json| {
                wanted.contains(&short(value)) || (!value.is_null() && wanted.iter().any(|any| any == "some"))
            };
            editor.values(word).iter().all(fits)
        };
        self.word == word
            && self.change.as_deref().is_none_or(|known| known == change)
            && self.when.iter().all(holds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_names_words_of_the_schema_and_says_why() {
        let words = camelid_families::words();
        let known =
            |name: &str| words.iter().any(|word| name.starts_with(&format!("{}.{}", word.table, word.key)));
        for entry in all() {
            assert!(known(&entry.word), "`{}` is no word", entry.word);
            assert!(entry.when.keys().all(|word| known(word)), "{entry:?}");
            assert!(entry.reason.len() > 20, "{entry:?}");
        }
    }
}
