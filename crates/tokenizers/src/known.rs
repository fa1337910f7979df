//! What is known of published rank files, which say neither how a text is split nor what their special tokens are.
//!
//! The data are in `tables/ranks.toml`: an entry is named, or told by its number of ranks. A family's `[tokenizer]` table names
//! one by the word `known`, so that nothing stands in two places.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::{Error, Settings};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    ranks: usize,
    tokenizer: Settings,
}

fn entries() -> Result<BTreeMap<String, Entry>, Error> {
    serde_json::from_str(include_str!("../tables/ranks.json"))
        .map_err(|error| Error::setting("known", error.to_string()))
}

/// The settings of the one entry with so many ranks.
pub(crate) fn of_ranks(ranks: usize) -> Result<Settings, Error> {
    let entries = entries()?;
    let names: Vec<_> =
        entries.iter().map(|(name, entry)| format!("{name} ({} ranks)", entry.ranks)).collect();
    let found = entries.into_values().find(|entry| entry.ranks == ranks);
    found.map(|entry| entry.tokenizer).ok_or_else(|| {
        let known = names.join(", ");
        Error::setting("pattern", format!("{ranks} ranks say not how a text is split; known are {known}"))
    })
}

impl Settings {
    /// What is known of a published rank file, by its name in `tables/ranks.toml`.
    ///
    /// # Errors
    /// [`Error::Setting`] lists the names that there are.
    pub fn known(name: &str) -> Result<Settings, Error> {
        let mut entries = entries()?;
        match entries.remove(name) {
            Some(entry) => Ok(entry.tokenizer),
            None => {
                let names: Vec<_> = entries.into_keys().collect();
                Err(Error::setting("known", format!("{name:?} is not known; known are {}", names.join(", "))))
            }
        }
    }

    /// These settings, with what they leave unsaid taken from the entry that [`Settings::known`] names.
    ///
    /// # Errors
    /// As [`Settings::known`].
    pub fn resolved(&self) -> Result<Settings, Error> {
        match &self.known {
            Some(name) => Ok(Settings::known(name)?.under(self)),
            None => Ok(self.clone()),
        }
    }

    /// `over`, and these settings where it says nothing.
    pub(crate) fn under(self, over: &Settings) -> Settings {
        let mut settings = over.clone();
        settings.known = None;
        settings.pattern = settings.pattern.or(self.pattern);
        settings.prefix = settings.prefix.or(self.prefix);
        settings.suffix = settings.suffix.or(self.suffix);
        settings.stop = settings.stop.or(self.stop);
        if settings.special.is_empty() {
            settings.special = self.special;
        }
        if settings.normalization == crate::Normalization::None {
            settings.normalization = self.normalization;
        }
        settings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entrys_special_tokens_begin_where_its_ranks_end() {
        for (name, entry) in entries().unwrap() {
            let specials = entry.tokenizer.specials().unwrap();
            assert_eq!(specials[0].id as usize, entry.ranks, "{name}");
            assert!(entry.tokenizer.pattern.is_some(), "{name}");
        }
    }

    #[test]
    fn what_is_not_known_is_told_with_what_is() {
        let error = Settings::known("none").unwrap_err().to_string();
        assert!(error.starts_with(r#"tokenizer.known: "none" is not known; known are "#), "{error}");
        let error = of_ranks(5).unwrap_err().to_string();
        assert!(error.contains("5 ranks") && error.contains("128000 ranks"), "{error}");
    }
}
