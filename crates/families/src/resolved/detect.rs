//! Which family a config.json is of.

use serde_json::{Map, Value as Json};

use crate::error::Error;
use crate::resolved::resolve::Unresolved;
use crate::waist::architecture::Architecture;
use crate::waist::fields::difference;
use crate::written::declaration::Declaration;
use crate::written::library::Library;

/// The family of a checkpoint.
#[derive(Debug)]
pub struct Detected<'a> {
    /// The family: the youngest of those that match.
    pub family: &'a Declaration,
    /// The rule that decided, as written.
    pub rule: String,
    /// Older families that match too and resolve to equal numbers.
    pub also: Vec<&'a Declaration>,
}

impl Declaration {
    /// Whether the family's rule accepts a config.json, read as it stands. A comparison with an absent key is no match.
    #[must_use]
    pub fn accepts(&self, config: &Map<String, Json>) -> bool {
        let Some(rule) = &self.matches else { return false };
        rule.evaluate(minijinja::Value::from(minijinja::value::Serde(config)))
            .is_ok_and(|value| value.is_true())
    }
}

impl Library {
    /// Every family whose rule accepts a config.json.
    pub fn matching(&self, config: &Map<String, Json>) -> impl Iterator<Item = &Declaration> {
        self.families().filter(|family| family.accepts(config))
    }

    /// The family of a config.json. Where several match, all are resolved: equal numbers, and the youngest gives the name.
    ///
    /// # Errors
    /// [`Error::Undetected`] if none matches, or several with different numbers: with the candidates and what would tell
    /// them apart.
    pub fn detect(&self, config: &Map<String, Json>, allowed: &[String]) -> Result<Detected<'_>, Error> {
        let mut candidates: Vec<&Declaration> = self.matching(config).collect();
        candidates.sort_by_key(|family| age(family));
        let resolved: Vec<(&Declaration, Result<Architecture, Unresolved>)> =
            candidates.into_iter().map(|family| (family, family.resolve(config, allowed))).collect();
        // A family that refuses the config.json is no candidate, so long as another takes it.
        let fits = resolved.iter().any(|(_, resolved)| resolved.is_ok());
        let candidates: Vec<_> =
            resolved.into_iter().filter(|(_, resolved)| !fits || resolved.is_ok()).collect();
        let Some(((family, youngest), older)) = candidates.split_last() else {
            return Err(self.no_match(config));
        };
        if let Ok(youngest) = youngest {
            for (other, architecture) in older {
                if let Ok(architecture) = architecture {
                    agree(family, youngest, other, architecture)?;
                }
            }
        }
        Ok(Detected {
            family,
            rule: family.matches.as_ref().map(|rule| rule.source().to_owned()).unwrap_or_default(),
            also: older.iter().map(|(family, _)| *family).collect(),
        })
    }

    fn no_match(&self, config: &Map<String, Json>) -> Error {
        let says = |key: &str| config.get(key).map_or_else(|| "absent".to_owned(), Json::to_string);
        let parts = config.contains_key("vision_config") || config.contains_key("audio_config");
        let parts = if parts { ", a model of more than text" } else { "" };
        Error::Undetected(format!(
            "config.json is of no known family: `model_type` is {}, `architectures` {}{parts}; name one with --family, or \
             declare it with --spec (`camelid families` lists those there are)",
            says("model_type"),
            says("architectures"),
        ))
    }
}

/// Older first: an ancestor before its descendants, else by the date of release.
fn age(family: &Declaration) -> (String, usize) {
    (family.released.clone().unwrap_or_default(), family.chain.len())
}

fn agree(young: &Declaration, a: &Architecture, old: &Declaration, b: &Architecture) -> Result<(), Error> {
    let differs = difference(b, a);
    if differs.is_empty() {
        return Ok(());
    }
    let lines = differs.iter().map(|(word, old, young)| format!("\n  {word}: {old} or {young}"));
    Err(Error::Undetected(format!(
        "config.json matches `{}` (= {}) and `{}` (= {}), which compute differently; name one with --family. They differ \
         in:{}",
        old.name,
        old.matches.as_ref().map(|rule| rule.source()).unwrap_or_default(),
        young.name,
        young.matches.as_ref().map(|rule| rule.source()).unwrap_or_default(),
        lines.collect::<String>()
    )))
}
