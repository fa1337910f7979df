//! Guesses at the config.json that says a model in another family's keys.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value as Json};

use crate::doors::convert::keys::{bare, is_of_each_layer};
use crate::resolved::config;
use crate::waist::architecture::Architecture;
use crate::written::declaration::Declaration;
use crate::written::expr::Expr;
use crate::written::formula::root;

/// Keys of config.json that say whose it is, and nothing else.
const IDENTITY: [&str; 5] = ["model_type", "architectures", "auto_map", "_name_or_path", "tokenizer_class"];

/// A config.json with the family that reads it.
#[derive(Clone, Copy)]
pub(super) struct Said<'a> {
    pub(super) family: &'a Declaration,
    pub(super) config: &'a Map<String, Json>,
}

impl Declaration {
    /// Guesses, the likeliest first: what is said already, where it is said in this family's keys; else that over what each
    /// release says, and over nothing but what tells the family.
    pub(super) fn guesses(&self, said: Said<'_>, architecture: &Architecture) -> Vec<Map<String, Json>> {
        let mut guesses = Vec::new();
        if said.family.name == self.name {
            let own = config::rename(self, said.config).0;
            guesses.push(self.with_words(own.clone(), architecture));
            guesses.insert(0, own);
        }
        let releases = self.sizes.iter().map(|size| &size.config);
        for release in releases.clone() {
            let guess = self.guess(said, architecture, release, |_| true);
            if !guesses.contains(&guess) {
                guesses.push(guess);
            }
        }
        let nothing = Map::new();
        let release = releases.clone().next().unwrap_or(&nothing);
        let identity = self.identity(release);
        guesses.push(self.guess(said, architecture, release, |key| identity.contains(key)));
        guesses
    }

    /// The rotary embedding under the keys of transformers 4, which 5 reads too; where the table of 5 has one for each kind of
    /// layer, as it is. Left as it is, 4 and what was written for it run with the defaults and say nothing.
    pub(super) fn for_both_majors(&self, config: &Map<String, Json>) -> Map<String, Json> {
        let mut old = config.clone();
        let Some(Json::Object(mut table)) = old.shift_remove("rope_parameters") else {
            return config.clone();
        };
        for key in ["rope_theta", "partial_rotary_factor"] {
            if let Some(value) = table.shift_remove(key) {
                old.entry(key).or_insert(value);
            }
        }
        let plain = table
            .iter()
            .all(|(key, value)| matches!(key.as_str(), "rope_type" | "type") && value == "default");
        if !plain {
            old.entry("rope_scaling").or_insert(Json::Object(table));
        }
        let words = |config: &Map<String, Json>| Some(self.resolve(config, &[]).ok()?.fields());
        if words(&old) == words(config) { old } else { config.clone() }
    }

    /// The release's keys, under those of the source that mean the same, under those whose word is a bare key.
    fn guess(
        &self,
        said: Said<'_>,
        architecture: &Architecture,
        release: &Map<String, Json>,
        keep: impl Fn(&str) -> bool,
    ) -> Map<String, Json> {
        let (mut guess, _) = config::rename(self, release);
        guess.retain(|key, _| keep(key));
        let identity = self.identity(release);
        let said = config::rename(said.family, said.config).0;
        let said = said.into_iter().filter(|(key, _)| key == "vocab_size" || !identity.contains(key));
        guess.extend(said);
        self.with_words(guess, architecture)
    }

    /// Keys that tell the family, where a release has them.
    fn identity(&self, release: &Map<String, Json>) -> BTreeSet<String> {
        let (release, _) = config::rename(self, release);
        let rule = self.matches.iter().flat_map(|rule| rule.variables().iter()).map(|name| root(name));
        let rule = rule.filter(|key| release.contains_key(*key));
        rule.chain(IDENTITY).map(str::to_owned).collect()
    }

    /// With the keys that are nothing but a word's value, and those that say whether there are biases.
    fn with_words(&self, mut guess: Map<String, Json>, architecture: &Architecture) -> Map<String, Json> {
        let fields = architecture.fields();
        for (word, entry) in &self.words {
            let (Some(key), Some(value)) = (self.key(&entry.expr), fields.get(word)) else { continue };
            // A trained length that no scaling reads is said by nobody, and may be read by another word.
            if value.is_null() && word == "rope.context" {
                continue;
            }
            // What differs from layer to layer is in no key of its own.
            let one = architecture.layers.len() == 1 || !is_of_each_layer(word, value, architecture);
            if one {
                self.set(&mut guess, key, value.clone());
            }
        }
        // One key may speak for several roles: where one of them has a bias, all have, be it of zeros.
        let mut biases: BTreeMap<&str, bool> = BTreeMap::new();
        for (role, entry) in &self.bias {
            let layer = role.per_layer().then_some(0);
            let (Some(key), Some(named)) = (self.key(&entry.expr), architecture.tensor(layer, *role)) else {
                continue;
            };
            *biases.entry(key).or_default() |= named.bias;
        }
        for (key, has) in biases {
            self.set(&mut guess, key, has.into());
        }
        guess
    }

    /// The key of config.json, where a formula is nothing but one; a name of the declaration's own is none.
    pub(super) fn key<'e>(&self, expr: &'e Expr) -> Option<&'e str> {
        bare(expr).filter(|name| !self.lets.contains_key(*name))
    }

    fn set(&self, config: &mut Map<String, Json>, key: &str, value: Json) {
        let is_default =
            self.default.get(key).is_some_and(|entry| entry.expr == Expr::Literal(value.clone()));
        if value.is_null() && is_default {
            config.shift_remove(key);
        } else {
            config.insert(key.to_owned(), value);
        }
    }

    /// Undoes the renames of keys that this family's own releases spell otherwise.
    pub(super) fn in_own_keys(&self, mut config: Map<String, Json>) -> Map<String, Json> {
        for (from, entry) in &self.rename {
            let released = self.sizes.iter().any(|size| size.config.contains_key(from));
            let Some(to) = entry.expr.text().filter(|_| released) else { continue };
            if let Some(value) = config.shift_remove(to) {
                config.insert(from.clone(), value);
            }
        }
        config
    }
}
