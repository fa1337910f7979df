//! What `convert` wrote beside a result: whose vocabulary it has, and how it came about.

use std::path::Path;

use camelid_checkpoint::read_json;
use camelid_families::{Declaration, Library};
use serde_json::{Map, Value as Json};

use crate::Error;

/// The file in a converted folder.
pub const RECORD: &str = "camelid-conversion.json";

/// The record of a converted folder.
#[derive(Debug, Clone, Default)]
pub(crate) struct Converted {
    /// The family in whose keys the result is.
    family: Option<String>,
    /// The family that the source was of, whose vocabulary and chat it still has.
    source: Option<String>,
    /// The source's config.json.
    config: Map<String, Json>,
}

impl Converted {
    /// The record of a folder; none where there is none.
    ///
    /// # Errors
    /// It can't be read, or is no JSON object.
    pub(crate) fn read(folder: &Path) -> Result<Option<Converted>, Error> {
        let path = folder.join(RECORD);
        if !path.is_file() {
            return Ok(None);
        }
        let record = read_json(&path)?;
        let text = |value: Option<&Json>| value.and_then(Json::as_str).map(str::to_owned);
        let source = record.get("source");
        let config = source.and_then(|source| source.get("config")).and_then(Json::as_object);
        Ok(Some(Converted {
            family: text(record.get("family")),
            source: text(source.and_then(|source| source.get("family"))),
            config: config.cloned().unwrap_or_default(),
        }))
    }

    /// The family that the record names, where its rule accepts the config.json that lies there now.
    pub(crate) fn family<'l>(
        &self,
        library: &'l Library,
        config: &Map<String, Json>,
    ) -> Option<&'l Declaration> {
        library.get(self.family.as_deref()?).ok().filter(|family| family.accepts(config))
    }

    /// The family whose vocabulary it is, with the config.json that its tables are evaluated over.
    pub(crate) fn voice(&self, library: &Library) -> Option<(Declaration, Map<String, Json>)> {
        let family = library.get(self.source.as_deref()?).ok()?;
        Some((family.clone(), self.config.clone()))
    }
}
