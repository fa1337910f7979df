//! The committed list of what is known to be unproved, each with its reason: `unproved.toml` beside this crate's manifest.

use std::sync::LazyLock;

use serde::Deserialize;

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Entry {
    /// The word.
    pub(crate) word: String,
    /// The change of it; every change, where none is named.
    pub(crate) change: Option<String>,
    /// The families of which it is true; all, where none is named.
    #[serde(default)]
    pub(crate) families: Vec<String>,
    /// Why it can't be proved.
    pub(crate) reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    unproved: Vec<Entry>,
}

static LIST: LazyLock<Vec<Entry>> = LazyLock::new(|| {
    let file: File =
        toml::from_str(include_str!("../../unproved.toml")).expect("a test reads the committed list");
    file.unproved
});

/// Every entry.
pub(crate) fn all() -> Vec<Entry> {
    LIST.clone()
}

/// Why a change of a word is known to be unproved in a family, if it is.
pub(crate) fn reason(family: &str, word: &str, change: &str) -> Option<String> {
    let fits = |entry: &&Entry| {
        entry.word == word
            && entry.change.as_deref().is_none_or(|known| known == change)
            && (entry.families.is_empty() || entry.families.iter().any(|known| known == family))
    };
    LIST.iter().find(fits).map(|entry| entry.reason.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_names_a_word_of_the_schema_and_says_why() {
        let words = camelid_families::words();
        for entry in all() {
            let (table, key) = entry.word.split_once('.').unwrap_or_default();
            let known = words.iter().any(|word| word.table == table && word.key == key) || table == "tensors";
            assert!(known, "`{}` is no word", entry.word);
            assert!(entry.reason.len() > 20, "{entry:?}");
        }
    }
}
