//! The fields of a request, taken one by one: each with its type and its bounds, and nothing left over unread.

use std::fmt::Display;
use std::ops::RangeInclusive;

use serde_json::{Map, Value as Json};

use crate::error::Error;

/// The fields of a request that have not been taken yet.
#[derive(Debug)]
pub(crate) struct Fields(Map<String, Json>);

/// Whether a value changes nothing.
type IsNeutral = fn(&Json) -> bool;

/// Fields that change nothing, or change nothing at these values: clients send them by habit.
const NEUTRAL: [(&str, IsNeutral); 34] = [
    ("presence_penalty", is_zero),
    ("frequency_penalty", is_zero),
    ("logit_bias", is_empty),
    ("suffix", is_empty),
    ("tools", is_empty),
    ("functions", is_empty),
    ("tool_choice", |value| value == "none" || value == "auto"),
    ("function_call", |value| value == "none" || value == "auto"),
    ("parallel_tool_calls", Json::is_boolean),
    ("response_format", |value| {
        value.as_object().is_some_and(|table| table.len() == 1) && value["type"] == "text"
    }),
    ("modalities", |value| value.as_array().is_some_and(|list| list.iter().all(|one| one == "text"))),
    ("service_tier", |value| value == "auto" || value == "default"),
    ("store", is_false),
    // Names that clients give for their own books.
    ("user", Json::is_string),
    ("metadata", Json::is_object),
    ("safety_identifier", Json::is_string),
    ("prompt_cache_key", Json::is_string),
    ("prompt_cache_retention", Json::is_string),
    // Of other servers.
    ("ignore_eos", is_false),
    ("min_tokens", is_zero),
    ("use_beam_search", is_false),
    ("length_penalty", is_one),
    ("typical_p", is_one),
    ("early_stopping", is_false),
    ("skip_special_tokens", is_true),
    ("spaces_between_special_tokens", Json::is_boolean),
    ("include_stop_str_in_output", is_false),
    ("add_generation_prompt", is_true),
    ("continue_final_message", is_false),
    ("add_special_tokens", is_true),
    ("stop_token_ids", is_empty),
    ("truncate_prompt_tokens", Json::is_null),
    ("do_sample", Json::is_boolean),
    ("cache_prompt", is_true),
];

fn is_zero(value: &Json) -> bool {
    value.as_f64() == Some(0.0)
}

fn is_one(value: &Json) -> bool {
    value.as_f64() == Some(1.0)
}

fn is_true(value: &Json) -> bool {
    *value == Json::Bool(true)
}

fn is_false(value: &Json) -> bool {
    *value == Json::Bool(false)
}

fn is_empty(value: &Json) -> bool {
    match value {
        Json::Object(table) => table.is_empty(),
        Json::Array(list) => list.is_empty(),
        Json::String(text) => text.is_empty(),
        Json::Null | Json::Bool(_) | Json::Number(_) => false,
    }
}

impl Fields {
    /// Reads a body.
    pub(crate) fn read(body: &[u8]) -> Result<Fields, Error> {
        let json: Json = serde_json::from_slice(body)
            .map_err(|error| Error::invalid(format!("the body is no JSON: {error}")).coded("invalid_json"))?;
        match json {
            Json::Object(fields) => Ok(Fields(fields)),
            other => Err(Error::invalid(format!("the body is {}; it must be an object", kind(&other)))),
        }
    }

    /// Takes a field; null is as if it were not there.
    pub(crate) fn take(&mut self, name: &str) -> Option<Json> {
        self.0.swap_remove(name).filter(|value| !value.is_null())
    }

    /// A field that must be there.
    pub(crate) fn needed(&mut self, name: &str) -> Result<Json, Error> {
        self.take(name).ok_or_else(|| {
            Error::field(name, format!("`{name}` is missing")).coded("missing_required_parameter")
        })
    }

    pub(crate) fn flag(&mut self, name: &str) -> Result<bool, Error> {
        match self.take(name) {
            None => Ok(false),
            Some(Json::Bool(flag)) => Ok(flag),
            Some(other) => Err(wrong(name, &other, "true or false")),
        }
    }

    pub(crate) fn number(&mut self, name: &str, bounds: RangeInclusive<f64>) -> Result<Option<f32>, Error> {
        let Some(value) = self.take(name) else { return Ok(None) };
        let number = value.as_f64().filter(|number| bounds.contains(number));
        let number = number.ok_or_else(|| wrong(name, &value, &within("a number", &bounds)))?;
        Ok(Some(number as f32))
    }

    pub(crate) fn count(
        &mut self,
        name: &str,
        bounds: RangeInclusive<usize>,
    ) -> Result<Option<usize>, Error> {
        let Some(value) = self.take(name) else { return Ok(None) };
        let number = value.as_u64().and_then(|number| usize::try_from(number).ok());
        let number = number.filter(|number| bounds.contains(number));
        Ok(Some(number.ok_or_else(|| wrong(name, &value, &within("a whole number", &bounds)))?))
    }

    /// A whole number of 64 bits, of either sign.
    pub(crate) fn seed(&mut self, name: &str) -> Result<Option<u64>, Error> {
        let Some(value) = self.take(name) else { return Ok(None) };
        let number = value.as_u64().or_else(|| value.as_i64().map(i64::cast_unsigned));
        Ok(Some(number.ok_or_else(|| wrong(name, &value, "a whole number of 64 bits"))?))
    }

    /// One text or a list of at most `most`.
    pub(crate) fn texts(&mut self, name: &str, most: usize) -> Result<Vec<String>, Error> {
        let wanted = || format!("a text, or a list of at most {most} texts");
        match self.take(name) {
            None => Ok(Vec::new()),
            Some(Json::String(text)) => Ok(vec![text]),
            Some(Json::Array(list)) if list.len() <= most => {
                let text = |value: Json| match value {
                    Json::String(text) => Ok(text),
                    other => Err(wrong(name, &other, &wanted())),
                };
                list.into_iter().map(text).collect()
            }
            Some(other) => Err(wrong(name, &other, &wanted())),
        }
    }

    /// Nothing may be left but what changes nothing.
    pub(crate) fn end(self) -> Result<(), Error> {
        for (name, value) in self.0.iter().filter(|(_, value)| !value.is_null()) {
            let Some((_, neutral)) = NEUTRAL.iter().find(|(known, _)| known == name) else {
                let message = format!("`{}` is not supported by this server; leave it out", shown(name));
                return Err(Error::field(shown(name), message).coded("unsupported_parameter"));
            };
            if !neutral(value) {
                let message = format!(
                    "`{name}` = {} is not supported by this server; leave it out",
                    shown(&value.to_string())
                );
                return Err(Error::field(name.as_str(), message).coded("unsupported_value"));
            }
        }
        Ok(())
    }
}

fn within<T: Display>(what: &str, bounds: &RangeInclusive<T>) -> String {
    format!("{what} from {} to {}", bounds.start(), bounds.end())
}

/// A field of the wrong type, or out of bounds.
pub(crate) fn wrong(name: &str, value: &Json, wanted: &str) -> Error {
    let value = match value {
        Json::Number(_) | Json::Bool(_) => value.to_string(),
        Json::String(text) => format!("{:?}", shown(text)),
        Json::Null | Json::Array(_) | Json::Object(_) => kind(value).to_owned(),
    };
    Error::field(name, format!("`{name}` is {value}; it must be {wanted}")).coded("invalid_value")
}

/// As much of a text as a message can hold.
fn shown(text: &str) -> String {
    let mut shown: String = text.chars().take(64).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}

/// What a value is, in words.
pub(crate) fn kind(value: &Json) -> &'static str {
    match value {
        Json::Null => "null",
        Json::Bool(_) => "true or false",
        Json::Number(_) => "a number",
        Json::String(_) => "a text",
        Json::Array(_) => "a list",
        Json::Object(_) => "an object",
    }
}
