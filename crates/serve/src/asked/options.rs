//! What both kinds of requests ask alike: how tokens are chosen, how many, how the answer comes.

use camelid_generate::{Defaults, Sampling};
use serde_json::Value as Json;

use crate::asked::fields::{Fields, wrong};
use crate::error::Error;

/// More texts of one prompt than these are not asked for at once.
const MOST_CHOICES: usize = 128;
/// More texts that end a text than these are not taken.
const MOST_STOPS: usize = 16;
/// More alternatives of a token than these are not told.
pub(crate) const MOST_ALTERNATIVES: usize = 20;

/// What both kinds of requests ask alike. What is not asked for is `None`.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// The model's name.
    pub model: String,
    /// How many texts of each prompt.
    pub n: usize,
    /// Whether the answer comes piece by piece.
    pub stream: bool,
    /// Whether a stream ends with what it took.
    pub include_usage: bool,
    /// Texts that end a text.
    pub stop: Vec<String>,
    /// T ≥ 0.
    pub temperature: Option<f32>,
    /// A probability.
    pub top_p: Option<f32>,
    /// 0 is all.
    pub top_k: Option<usize>,
    /// A probability.
    pub min_p: Option<f32>,
    /// 1 is none.
    pub repetition_penalty: Option<f32>,
    /// Where the stream of chance begins.
    pub seed: Option<u64>,
}

impl Options {
    pub(crate) fn read(fields: &mut Fields) -> Result<Options, Error> {
        let model = match fields.needed("model")? {
            Json::String(model) => model,
            other => return Err(wrong("model", &other, "a name")),
        };
        let stream = fields.flag("stream")?;
        let include_usage = include_usage(fields.take("stream_options"), stream)?;
        let n = fields.count("n", 1..=MOST_CHOICES)?.unwrap_or(1);
        if let Some(best_of) = fields.count("best_of", 1..=MOST_CHOICES)?
            && best_of != n
        {
            let message =
                format!("`best_of` = {best_of} is not supported by this server, but as many as `n`");
            return Err(Error::field("best_of", message).coded("unsupported_value"));
        }
        Ok(Options {
            model,
            n,
            stream,
            include_usage,
            stop: fields.texts("stop", MOST_STOPS)?,
            temperature: fields.number("temperature", 0.0..=2.0)?,
            top_p: fields.number("top_p", 0.0..=1.0)?,
            top_k: top_k(fields)?,
            min_p: fields.number("min_p", 0.0..=1.0)?,
            repetition_penalty: fields.number("repetition_penalty", 1e-3..=1e3)?,
            seed: fields.seed("seed")?,
        })
    }

    /// How tokens are chosen: as is asked, else as the checkpoint says, else as OpenAI's API has it, which draws among all
    /// at temperature 1.
    #[must_use]
    pub fn sampling(&self, defaults: &Defaults, seed: u64) -> Sampling {
        let said = defaults.sampling;
        let own = if said.is_greedy() { 1.0 } else { said.temperature };
        Sampling {
            temperature: self.temperature.unwrap_or(own),
            top_k: self.top_k.or(defaults.top_k).unwrap_or(0),
            top_p: self.top_p.unwrap_or(said.top_p),
            min_p: self.min_p.unwrap_or(said.min_p),
            repetition_penalty: self.repetition_penalty.unwrap_or(said.repetition_penalty),
            seed,
        }
    }
}

/// vLLM's clients say −1 for all.
fn top_k(fields: &mut Fields) -> Result<Option<usize>, Error> {
    match fields.take("top_k") {
        None => Ok(None),
        Some(value) if value.as_i64() == Some(-1) => Ok(Some(0)),
        Some(value) => {
            let number = value.as_u64().and_then(|k| u32::try_from(k).ok());
            let k = number.ok_or_else(|| wrong("top_k", &value, "a whole number; 0 is all"))?;
            Ok(Some(k as usize))
        }
    }
}

fn include_usage(options: Option<Json>, stream: bool) -> Result<bool, Error> {
    let Some(options) = options else { return Ok(false) };
    if !stream {
        let message = "`stream_options` are for a stream: give `stream` = true, or leave them out";
        return Err(Error::field("stream_options", message).coded("invalid_value"));
    }
    let Json::Object(table) = options else {
        return Err(wrong("stream_options", &options, "an object"));
    };
    let mut include = false;
    for (name, value) in table {
        match (name.as_str(), value) {
            ("include_usage", Json::Bool(flag)) => include = flag,
            // Nothing is padded here in any case.
            ("include_obfuscation", Json::Bool(_)) | (_, Json::Null) => {}
            (_, value) => {
                let message = format!("`stream_options.{name}` = {value} is not supported by this server");
                return Err(Error::field("stream_options", message).coded("unsupported_parameter"));
            }
        }
    }
    Ok(include)
}
