//! What `tokenizer.ggml.pre` means: `tables/splits.toml`, read.

use serde::Deserialize;

use super::arrays::wrong;
use crate::Error;
use crate::merging::bytes::WholeWords;

/// How texts are split under some names.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Split {
    names: Vec<String>,
    pub(super) patterns: Vec<String>,
    #[serde(default)]
    pub(super) whole_words: WholeWords,
    /// Whether BOS goes before a text, where the file does not say.
    #[serde(default)]
    pub(super) bos: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Splits {
    split: Vec<Split>,
}

/// The name under which the split stands that is taken where the file names none.
pub(super) const DEFAULT: &str = "default";

/// The split of a name.
pub(super) fn split(name: Option<&str>) -> Result<Split, Error> {
    let Splits { split: mut splits } = serde_json::from_str(include_str!("../../tables/splits.json"))
        .map_err(|error| wrong("pre", error.to_string()))?;
    let name = name.filter(|name| !name.is_empty()).unwrap_or(DEFAULT);
    match splits.iter().position(|split| split.names.iter().any(|other| other == name)) {
        Some(at) => Ok(splits.swap_remove(at)),
        None => {
            let mut names: Vec<_> = splits.into_iter().flat_map(|split| split.names).collect();
            names.sort();
            Err(wrong("pre", format!("{name:?} is not known; known are {}", names.join(", "))))
        }
    }
}

/// The first name of a split, by its patterns.
pub(super) fn name_of(patterns: &[String]) -> Result<Option<String>, Error> {
    let Splits { split: splits } = serde_json::from_str(include_str!("../../tables/splits.json"))
        .map_err(|error| wrong("pre", error.to_string()))?;
    let found = splits.into_iter().find(|split| split.patterns == patterns);
    Ok(found.and_then(|split| split.names.into_iter().next()))
}
