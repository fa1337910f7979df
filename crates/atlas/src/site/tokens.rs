//! A dozen sentences as the families' real vocabularies cut them: `site/tokens.json`, encoded beforehand by the crate
//! `tokenizers`, since the vocabularies are not the project's to carry.

use std::collections::BTreeMap;

use camelid_tokenizers::{Specials, Tokenizer};
use serde::{Deserialize, Serialize};

use crate::Error;

/// What was encoded.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tokens {
    /// The sentences.
    pub sentences: Vec<String>,
    /// Vocabulary → what it is, and who reads it.
    pub vocabularies: BTreeMap<String, Vocabulary>,
}

/// One vocabulary.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vocabulary {
    /// The families whose releases have it.
    pub families: Vec<String>,
    /// For each sentence the ids and what they spell; empty until they are encoded.
    #[serde(default)]
    pub cut: Vec<Vec<(u32, String)>>,
}

impl Tokens {
    /// As they are written.
    ///
    /// # Errors
    /// The file is not what it should be.
    pub fn read() -> Result<Tokens, Error> {
        serde_json::from_str(include_str!("../../site/tokens.json"))
            .map_err(|error| Error::Site(format!("tokens.json: {error}")))
    }

    /// Encodes every sentence anew with one vocabulary.
    ///
    /// # Errors
    /// What the tokenizer says.
    pub fn encode(&mut self, name: &str, tokenizer: &dyn Tokenizer) -> Result<(), Error> {
        let wrong = |error: camelid_tokenizers::Error| Error::Site(format!("{name}: {error}"));
        let mut cut = Vec::new();
        for sentence in &self.sentences {
            let mut ids = Vec::new();
            tokenizer.encode_into(sentence, Specials::Literal, &mut ids).map_err(wrong)?;
            let spelt = |id: &u32| {
                let piece = tokenizer.piece(*id).unwrap_or_default();
                (*id, String::from_utf8_lossy(piece).into_owned())
            };
            cut.push(ids.iter().map(spelt).collect());
        }
        if let Some(vocabulary) = self.vocabularies.get_mut(name) {
            vocabulary.cut = cut;
        }
        Ok(())
    }

    /// The vocabulary that a family's releases have, where it is known.
    pub(crate) fn of(&self, family: &str) -> Option<String> {
        let mut vocabularies = self.vocabularies.iter();
        let found =
            vocabularies.find(|(_, vocabulary)| vocabulary.families.iter().any(|name| name == family));
        found.map(|(name, _)| name.clone())
    }
}
