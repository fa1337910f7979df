//! What `/v1/completions` is asked.

use serde_json::Value as Json;

use crate::asked::fields::{Fields, kind, wrong};
use crate::asked::options::{MOST_ALTERNATIVES, Options};
use crate::error::Error;

/// Tokens where nobody says how many, as OpenAI's API has it.
const NEW_TOKENS: usize = 16;

/// A prompt: a text, or ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// A text, around which the model's frame is put.
    Text(String),
    /// Ids, as they are.
    Ids(Vec<u32>),
}

/// A request to go on with prompts.
#[derive(Debug, Clone, PartialEq)]
pub struct Completion {
    /// What both kinds of requests ask alike.
    pub options: Options,
    /// One prompt at least.
    pub prompts: Vec<Asked>,
    /// At most so many tokens.
    pub max_tokens: usize,
    /// Whether the prompt stands at the beginning of the text.
    pub echo: bool,
    /// Whether log-probabilities are told, and of how many of the likeliest tokens.
    pub logprobs: Option<usize>,
}

impl Completion {
    /// Reads a body.
    ///
    /// # Errors
    /// It is no JSON; a field is missing, of the wrong type, out of bounds, or not supported.
    pub fn read(body: &[u8]) -> Result<Completion, Error> {
        let mut fields = Fields::read(body)?;
        let completion = Completion {
            options: Options::read(&mut fields)?,
            prompts: prompts(fields.needed("prompt")?)?,
            max_tokens: fields.count("max_tokens", 0..=u32::MAX as usize)?.unwrap_or(NEW_TOKENS),
            echo: fields.flag("echo")?,
            logprobs: fields.count("logprobs", 0..=MOST_ALTERNATIVES)?,
        };
        fields.end()?;
        Ok(completion)
    }
}

fn prompts(value: Json) -> Result<Vec<Asked>, Error> {
    let wanted = "a text, a list of ids, or a list of one or the other";
    match value {
        Json::String(text) => Ok(vec![Asked::Text(text)]),
        Json::Array(list) if list.is_empty() => {
            Err(Error::field("prompt", "`prompt` is an empty list").coded("invalid_value"))
        }
        Json::Array(list) if list.iter().all(Json::is_number) => Ok(vec![Asked::Ids(ids(&list)?)]),
        Json::Array(list) => list.into_iter().map(one).collect(),
        other => Err(wrong("prompt", &other, wanted)),
    }
}

fn one(value: Json) -> Result<Asked, Error> {
    match value {
        Json::String(text) => Ok(Asked::Text(text)),
        Json::Array(list) => Ok(Asked::Ids(ids(&list)?)),
        other => {
            let message = format!("`prompt` holds {} among texts or lists of ids", kind(&other));
            Err(Error::field("prompt", message).coded("invalid_value"))
        }
    }
}

fn ids(list: &[Json]) -> Result<Vec<u32>, Error> {
    let id = |value: &Json| {
        let id = value.as_u64().and_then(|id| u32::try_from(id).ok());
        id.ok_or_else(|| {
            let value = if value.is_number() { value.to_string() } else { kind(value).to_owned() };
            Error::field("prompt", format!("`prompt` holds {value}, which is no token id"))
                .coded("invalid_value")
        })
    };
    list.iter().map(id).collect()
}
