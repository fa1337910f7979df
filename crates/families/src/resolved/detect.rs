//! Which family a config.json is of.

use serde_json::{Map, Value as Json};

use crate::error::Error;
use crate::resolved::resolve::Unresolved;
use crate::waist::architecture::Architecture;
use crate::waist::fields::difference;
use crate::written::declaration::Declaration;
use crate::written::formula::Refused;
use crate::written::library::Library;
use crate::written::out::{Out, out};

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
    /// Whether the family's rule accepts a config.json, unwrapped, else as it stands. A comparison with an absent key is no match.
    #[must_use]
    pub fn accepts(&self, config: &Map<String, Json>) -> bool {
        self.rule_holds(config).unwrap_or(false)
    }

    fn rule_holds(&self, config: &Map<String, Json>) -> Result<bool, Refused> {
        let Some(rule) = &self.matches else { return Ok(false) };
        rule.holds(minijinja::Value::from(minijinja::value::Serde(&self.unwrap.config(config))))
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
        let inside = config.values().filter_map(Json::as_object).chain([config]);
        let types: Vec<&str> = inside.filter_map(|table| table.get("model_type")?.as_str()).collect();
        let known = out().iter().find(|out| out.models.iter().any(|model| types.contains(&model.as_str())));
        if let Some(Out { title, models: _, why }) = known {
            return Error::Undetected(format!("config.json is of {title}, which is not carried: {why}"));
        }
        let says = |key: &str| config.get(key).map_or_else(|| "absent".to_owned(), Json::to_string);
        if let Some(doubt) = self.families().find_map(|family| family.rule_holds(config).err()) {
            return Error::Undetected(format!("config.json does not settle which family it is of: {doubt}"));
        }
        let known: Vec<_> = self.families().map(|family| family.name.as_str()).collect();
        Error::Undetected(format!(
            "config.json is of no known family: `model_type` is {}, `architectures` {}\n  there are {}\n  name one with \
             --family if the network is the same, or declare it with --spec; `camelid families --json` prints each \
             family's rule",
            says("model_type"),
            says("architectures"),
            known.join(", "),
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
    const MOST: usize = 3;
    let mut lines: Vec<_> =
        differs.iter().take(MOST).map(|(word, old, young)| format!("{word} ({old} or {young})")).collect();
    if differs.len() > MOST {
        lines.push(format!("{} more", differs.len() - MOST));
    }
    Err(Error::Undetected(format!(
        "config.json matches `{}` (= {}) and `{}` (= {}), which compute differently: in {}\n  \
         name one with --family",
        old.name,
        old.matches.as_ref().map(|rule| rule.source()).unwrap_or_default(),
        young.name,
        young.matches.as_ref().map(|rule| rule.source()).unwrap_or_default(),
        lines.join(", ")
    )))
}
