//! What every token is: by the type that the file gives it, and by names that say more than the type does.

use std::collections::HashMap;

use serde::Deserialize;

use super::arrays::{Gguf, wrong};
use crate::Error;
use crate::formats::sentencepiece::proto::Kind;

/// What every token is, by id, and at which a text is at its end.
#[derive(Debug)]
pub(super) struct Kinds {
    pub(super) kinds: Vec<Kind>,
    /// In the order of their ids.
    pub(super) ends: Vec<u32>,
}

/// `tables/names.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Names {
    ends: Vec<String>,
    shown: Vec<String>,
    fill: Vec<Fill>,
    unless: Vec<Unless>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fill {
    #[serde(default)]
    key: Option<String>,
    names: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Unless {
    beside: Vec<String>,
    name: String,
    r#type: u64,
}

impl Kinds {
    pub(super) fn of(gguf: &Gguf) -> Result<Kinds, Error> {
        let names: Names = serde_json::from_str(include_str!("../../tables/names.json"))
            .map_err(|error| wrong("tokens", error.to_string()))?;
        let ids: HashMap<&str, u32> = gguf.tokens.iter().map(String::as_str).zip(0..).collect();
        let mut kinds = (0..gguf.tokens.len()).map(|id| kind(gguf, id)).collect::<Result<Vec<_>, _>>()?;
        let mut ends = Vec::new();
        for Fill { key, names } in &names.fill {
            let said = key.as_deref().and_then(|key| gguf.fills(key));
            let named = names.iter().find_map(|name| ids.get(name.as_str()).copied());
            if let (None, Some(id)) = (said, named) {
                kinds[id as usize] = Kind::Control;
            }
            ends.extend(said.or(named).filter(|_| key.is_some()));
        }
        for id in names.ends.iter().filter_map(|name| ids.get(name.as_str())) {
            kinds[*id as usize] = Kind::Control;
            ends.push(*id);
        }
        for id in names.shown.iter().filter_map(|name| ids.get(name.as_str())) {
            kinds[*id as usize] = Kind::UserDefined;
        }
        ends.extend([gguf.eos()?, gguf.eot_token_id, gguf.eom_token_id].into_iter().flatten());
        for Unless { beside, name, r#type } in &names.unless {
            let ended = |name: &String| ids.get(name.as_str()).filter(|id| ends.contains(id)).copied();
            if beside.iter().all(|name| ended(name).is_some())
                && let Some(id) = ended(name)
            {
                ends.retain(|end| *end != id);
                kinds[id as usize] = Kind::from_number(*r#type).unwrap_or(Kind::Normal);
            }
        }
        ends.sort_unstable();
        ends.dedup();
        Ok(Kinds { kinds, ends })
    }
}

/// What the file says of a token.
fn kind(gguf: &Gguf, id: usize) -> Result<Kind, Error> {
    if gguf.token_type.is_empty() {
        return Ok(Kind::Normal);
    }
    match gguf.token_type.get(id).copied() {
        // "Undefined": the type of tokens that have none.
        Some(0) => Ok(Kind::Normal),
        Some(number) => Kind::from_number(number)
            .ok_or_else(|| wrong("token_type", format!("token {id} is of the unknown type {number}"))),
        None => Err(wrong("token_type", format!("token {id} has none"))),
    }
}
