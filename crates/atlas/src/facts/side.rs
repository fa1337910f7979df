//! A family at one of its sizes, with keys of config.json that a reader sets otherwise.

use camelid_families::{Architecture, Declaration};
use serde_json::{Map, Value as Json};

use crate::Error;
use crate::facts::text::listed;

/// A family at one size.
#[derive(Debug, Clone)]
pub struct Side {
    /// The family.
    pub family: Declaration,
    /// The size's name.
    pub size: String,
    /// Its config.json.
    pub config: Map<String, Json>,
    /// What they come to.
    pub architecture: Architecture,
}

impl Side {
    /// A published size, by name or the first, with keys set: `key` or `table.key` to a value; null takes a key away.
    ///
    /// # Errors
    /// There is no such size; the keys do not resolve.
    pub fn of_size(family: &Declaration, size: Option<&str>, set: &[(String, Json)]) -> Result<Side, Error> {
        let found = match size {
            Some(name) => family.sizes.iter().find(|size| size.name.eq_ignore_ascii_case(name)),
            None => family.sizes.first(),
        };
        let Some(found) = found else {
            return Err(Error::Size {
                family: family.name.clone(),
                size: size.unwrap_or_default().to_owned(),
                known: family.sizes.iter().map(|size| size.name.clone()).collect::<Vec<_>>().join(", "),
            });
        };
        let mut config = found.config.clone();
        set.iter().try_for_each(|(key, value)| put(&mut config, key, value))?;
        let architecture = family
            .resolve(&config, &[])
            .map_err(|unresolved| Error::Unresolved(listed(&family.name, &unresolved.problems)))?;
        Ok(Side { family: family.clone(), size: found.name.clone(), config, architecture })
    }

    /// `family:size`.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}:{}", self.family.name, self.size)
    }

    /// The longest input that the size was made for, or what a reader may take for it.
    #[must_use]
    pub fn context(&self) -> usize {
        self.architecture.stack.context.unwrap_or(4096).max(1)
    }
}

fn put(config: &mut Map<String, Json>, key: &str, value: &Json) -> Result<(), Error> {
    match key.split_once('.') {
        None if value.is_null() => drop(config.remove(key)),
        None => drop(config.insert(key.to_owned(), value.clone())),
        Some((table, rest)) => {
            let entry = config.entry(table).or_insert_with(|| Json::Object(Map::new()));
            let inner = entry.as_object_mut().ok_or_else(|| Error::Set { key: key.to_owned() })?;
            put(inner, rest, value)?;
        }
    }
    Ok(())
}

/// Bytes of keys and values, or latents, of the first 1,000 tokens in bf16: no layer that slides has let a key go by then.
#[must_use]
pub fn cache_of_thousand(architecture: &Architecture) -> u64 {
    // 1,024 tokens fill whole blocks, in f32.
    architecture.cache_bytes(1_024) * 1_000 / 1_024 / 2
}
