//! What a checkpoint says of how to generate.

use serde_json::{Map, Value as Json};

use crate::choice::sampling::Sampling;

/// `generation_config.json`, as far as it is read here.
#[derive(Debug, Clone, PartialEq)]
pub struct Defaults {
    /// As the file says; greedy unless it says `do_sample`. Drawn among 50 where it does not say `top_k`, as transformers does.
    pub sampling: Sampling,
    /// `top_k`, where the file says it.
    pub top_k: Option<usize>,
    /// Ids that end a text; from `config.json` where this file names none.
    pub eos: Vec<u32>,
    /// Texts that end a text.
    pub stop_texts: Vec<String>,
    /// At most so many tokens.
    pub max_new_tokens: Option<usize>,
    /// Keys whose values would change the text, and which are not implemented: a caller should tell its user.
    pub unread: Vec<String>,
}

/// What transformers draws among where nobody says it: the default of its `GenerationConfig`, as of 5.24.0.
const TOP_K: usize = 50;

/// Keys that change nothing here: names, versions, padding, caches, what the model returns beside ids.
const INERT: [&str; 20] = [
    "_from_model_config",
    "transformers_version",
    "bos_token_id",
    "pad_token_id",
    "decoder_start_token_id",
    "use_cache",
    "cache_implementation",
    "cache_config",
    "return_dict_in_generate",
    "output_attentions",
    "output_hidden_states",
    "output_scores",
    "output_logits",
    "num_return_sequences",
    "max_length",
    "chat_format",
    "max_window_size",
    "user_token_id",
    "assistant_token_id",
    "trust_remote_code",
];

/// Keys that are not implemented, with the value at which they do nothing.
const NEUTRAL: [(&str, f64); 12] = [
    ("num_beams", 1.0),
    ("num_beam_groups", 1.0),
    ("no_repeat_ngram_size", 0.0),
    ("encoder_no_repeat_ngram_size", 0.0),
    ("min_length", 0.0),
    ("typical_p", 1.0),
    ("epsilon_cutoff", 0.0),
    ("eta_cutoff", 0.0),
    ("length_penalty", 1.0),
    ("encoder_repetition_penalty", 1.0),
    ("diversity_penalty", 0.0),
    ("guidance_scale", 1.0),
];

impl Default for Defaults {
    fn default() -> Defaults {
        let sampling = Sampling { top_k: TOP_K, ..Sampling::default() };
        Defaults {
            sampling,
            top_k: None,
            eos: vec![],
            stop_texts: vec![],
            max_new_tokens: None,
            unread: vec![],
        }
    }
}

impl Defaults {
    /// Reads the object of a `generation_config.json`.
    ///
    /// # Errors
    /// A key with a value of the wrong type.
    pub(crate) fn read(file: &Map<String, Json>) -> Result<Defaults, String> {
        let number = |key: &str| match file.get(key) {
            None | Some(Json::Null) => Ok(None),
            Some(value) => value.as_f64().map(Some).ok_or_else(|| format!("`{key}` = {value} is no number")),
        };
        let samples = match file.get("do_sample") {
            None | Some(Json::Null) => false,
            Some(value) => {
                value.as_bool().ok_or_else(|| format!("`do_sample` = {value} is neither true nor false"))?
            }
        };
        let plain = Sampling::default();
        let temperature = if samples { number("temperature")?.unwrap_or(1.0) as f32 } else { 0.0 };
        let top_k = number("top_k")?.map(|k| k.max(0.0) as usize);
        let sampling = Sampling {
            temperature,
            top_k: top_k.unwrap_or(TOP_K),
            top_p: number("top_p")?.map_or(plain.top_p, |p| p as f32),
            min_p: number("min_p")?.map_or(plain.min_p, |p| p as f32),
            repetition_penalty: number("repetition_penalty")?.map_or(plain.repetition_penalty, |r| r as f32),
            seed: plain.seed,
        };
        let max_new_tokens = number("max_new_tokens")?.map(|n| n.max(0.0) as usize);
        let (eos, stop_texts) = (ids(file.get("eos_token_id"))?, texts(file.get("stop_strings"))?);
        Ok(Defaults { sampling, top_k, eos, stop_texts, max_new_tokens, unread: unread(file) })
    }
}

fn unread(file: &Map<String, Json>) -> Vec<String> {
    const READ: [&str; 9] = [
        "do_sample",
        "temperature",
        "top_k",
        "top_p",
        "min_p",
        "repetition_penalty",
        "eos_token_id",
        "stop_strings",
        "max_new_tokens",
    ];
    let neutral = |key: &str, value: &Json| {
        let is_default = NEUTRAL.iter().any(|(name, at)| *name == key && value.as_f64() == Some(*at));
        is_default
            || matches!(value, Json::Null | Json::Bool(false))
            || value.as_array().is_some_and(Vec::is_empty)
    };
    file.iter()
        .filter(|(key, value)| {
            !READ.contains(&key.as_str()) && !INERT.contains(&key.as_str()) && !neutral(key, value)
        })
        .map(|(key, value)| format!("{key} = {value}"))
        .collect()
}

/// One text, or a list of them; none for null or what is absent.
fn texts(value: Option<&Json>) -> Result<Vec<String>, String> {
    let text = |value: &Json| value.as_str().map(str::to_owned).ok_or_else(|| format!("{value} is no text"));
    match value {
        None | Some(Json::Null) => Ok(Vec::new()),
        Some(Json::Array(list)) => list.iter().map(text).collect(),
        Some(one) => Ok(vec![text(one)?]),
    }
}

/// One id, or a list of them; none for null or what is absent.
pub(crate) fn ids(value: Option<&Json>) -> Result<Vec<u32>, String> {
    let id = |value: &Json| {
        let id = value.as_u64().and_then(|id| u32::try_from(id).ok());
        id.ok_or_else(|| format!("{value} is no token id"))
    };
    match value {
        None | Some(Json::Null) => Ok(Vec::new()),
        Some(Json::Array(list)) => list.iter().map(id).collect(),
        Some(one) => Ok(vec![id(one)?]),
    }
}
