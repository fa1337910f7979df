//! Of which families the pictures are: `site/pictures.toml`, since no family's name stands in Rust.

use camelid_families::Library;
use serde::Deserialize;
use serde_json::{Map, Value as Json};

use crate::Error;
use crate::facts::side::Side;

/// The pictures' examples.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Examples {
    pub(crate) mask: Vec<Example>,
    pub(crate) turn: Vec<Example>,
    pub(crate) slope: Vec<Example>,
    pub(crate) cache: Vec<Example>,
    pub(crate) route: Vec<Route>,
}

/// A family at a size, with keys set.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Example {
    pub(crate) title: String,
    pub(crate) family: String,
    pub(crate) size: Option<String>,
    #[serde(default)]
    set: Map<String, Json>,
    /// How many tokens are in sight.
    pub(crate) tokens: Option<usize>,
    /// Longer texts that the same is shown for.
    #[serde(default)]
    pub(crate) longer: Vec<usize>,
    /// What it shows.
    #[serde(default)]
    pub(crate) note: String,
}

/// A case whose router's choices are shown.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Route {
    pub(crate) title: String,
    pub(crate) family: String,
    pub(crate) case: String,
    pub(crate) note: String,
}

impl Examples {
    /// As they are written.
    pub(crate) fn read() -> Result<Examples, Error> {
        toml::from_str(include_str!("../../../site/pictures.toml"))
            .map_err(|error| Error::Site(format!("pictures.toml: {error}")))
    }
}

impl Example {
    /// Resolved.
    pub(crate) fn side(&self, library: &Library) -> Result<Side, Error> {
        let set: Vec<(String, Json)> =
            self.set.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
        Side::of_size(library.get(&self.family)?, self.size.as_deref(), &set)
    }
}
