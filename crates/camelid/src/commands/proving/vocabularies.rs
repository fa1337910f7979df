//! The table of real vocabularies: whose they are, and which package of which registry has them.

use std::collections::BTreeMap;

use anyhow::Context;
use serde::Deserialize;
use serde_json::{Map, Value};

/// A vocabulary by its folder's name.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Vocabulary {
    /// The family that it belongs to; by default the one of the folder's name.
    pub(crate) family: Option<String>,
    /// The special tokens of one call, where that was made of another release than the family's.
    pub(crate) special: BTreeMap<String, BTreeMap<String, u32>>,
    /// By call: what its reference had in tokenizer_config.json, where that is not in the vocabulary's folder.
    pub(crate) beside: BTreeMap<String, Map<String, Value>>,
    /// Where a package registry has it.
    pub(crate) asset: Option<Asset>,
}

/// A file inside a pinned package.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Asset {
    pub(crate) registry: Registry,
    pub(crate) package: String,
    pub(crate) version: String,
    /// The file's path inside the package's archive.
    pub(crate) member: String,
    /// What the file is called here, where the package calls it otherwise.
    #[serde(default)]
    pub(crate) name: Option<String>,
    /// The SHA-256 of that file.
    pub(crate) sha256: String,
    /// Where the file is cut into packages: in how many. Their names and members then have the number of a part in place of
    /// `{1}`, where numbers begin at 1, and `{00}`, where they begin at 00.
    #[serde(default = "whole")]
    pub(crate) parts: usize,
}

fn whole() -> usize {
    1
}

/// A package registry, which is reached through its own client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Registry {
    Pypi,
    Npm,
}

/// The whole table, by the vocabularies' folders.
pub(crate) type Known = BTreeMap<String, Vocabulary>;

/// Reads the table that is built in.
pub(crate) fn known() -> anyhow::Result<Known> {
    toml::from_str(include_str!("vocabularies.toml")).context("vocabularies.toml")
}

impl Asset {
    /// The file's own name.
    pub(crate) fn file_name(&self) -> &str {
        if let Some(name) = &self.name {
            return name;
        }
        let name = self.member.rsplit('/').next().unwrap_or(&self.member);
        name.strip_suffix(".part{00}").unwrap_or(name)
    }

    /// The packages to fetch, each with its member, in the order in which the members are joined.
    pub(crate) fn pieces(&self) -> impl Iterator<Item = (String, String)> {
        (0..self.parts).map(|part| {
            let number = |text: &str| {
                text.replace("{1}", &(part + 1).to_string()).replace("{00}", &format!("{part:02}"))
            };
            (number(&self.package), number(&self.member))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_asset_is_pinned_by_a_hash() {
        for (name, vocabulary) in known().unwrap() {
            if let Some(asset) = vocabulary.asset {
                let digits =
                    asset.sha256.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
                assert!(asset.sha256.len() == 64 && digits, "{name}");
                assert!(!asset.file_name().is_empty() && asset.file_name() != asset.member, "{name}");
            }
        }
    }
}
