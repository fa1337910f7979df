//! What `/v1/chat/completions` is asked.

use camelid_generate::Conversation;
use serde_json::{Map, Value as Json};

use crate::asked::fields::{Fields, wrong};
use crate::asked::options::{MOST_ALTERNATIVES, Options};
use crate::error::Error;

/// A request to answer a conversation.
#[derive(Debug, Clone, PartialEq)]
pub struct Chat {
    /// What both kinds of requests ask alike.
    pub options: Options,
    /// What is said, and what else the template is shown.
    pub said: Conversation,
    /// At most so many tokens.
    pub max_tokens: Option<usize>,
    /// Whether log-probabilities are told, and of how many of the likeliest tokens.
    pub logprobs: Option<usize>,
}

impl Chat {
    /// Reads a body.
    ///
    /// # Errors
    /// It is no JSON; a field is missing, of the wrong type, out of bounds, or not supported.
    pub fn read(body: &[u8]) -> Result<Chat, Error> {
        let mut fields = Fields::read(body)?;
        let options = Options::read(&mut fields)?;
        let said = conversation(&mut fields)?;
        let old = fields.count("max_tokens", 1..=u32::MAX as usize)?;
        let new = fields.count("max_completion_tokens", 1..=u32::MAX as usize)?;
        if let (Some(old), Some(new)) = (old, new)
            && old != new
        {
            let message =
                format!("`max_tokens` = {old} and `max_completion_tokens` = {new}: give one of them");
            return Err(Error::field("max_tokens", message).coded("invalid_value"));
        }
        let chat = Chat { options, said, max_tokens: new.or(old), logprobs: logprobs(&mut fields)? };
        fields.end()?;
        Ok(chat)
    }
}

fn logprobs(fields: &mut Fields) -> Result<Option<usize>, Error> {
    let told = fields.flag("logprobs")?;
    match fields.count("top_logprobs", 0..=MOST_ALTERNATIVES)? {
        Some(top) if !told && top > 0 => {
            let message = "`top_logprobs` is for `logprobs` = true";
            Err(Error::field("top_logprobs", message).coded("invalid_value"))
        }
        top => Ok(told.then(|| top.unwrap_or(0))),
    }
}

fn conversation(fields: &mut Fields) -> Result<Conversation, Error> {
    let Json::Array(messages) = fields.needed("messages")? else {
        return Err(Error::field(
            "messages",
            "`messages` must be a list of objects with `role` and `content`",
        )
        .coded("invalid_value"));
    };
    let messages = messages.into_iter().enumerate().map(|(place, message)| spoken(message, place));
    let messages = messages.collect::<Result<Vec<_>, _>>()?;
    let mut said = Map::new();
    match fields.take("chat_template_kwargs") {
        None => {}
        Some(Json::Object(names)) => said.extend(names),
        Some(other) => return Err(wrong("chat_template_kwargs", &other, "an object")),
    }
    said.insert("messages".into(), messages.into());
    Ok(Conversation::of_json(said.into())?)
}

/// Parts that are all text become one text; the role that took the place of `system` is called so.
fn spoken(mut message: Json, place: usize) -> Result<Json, Error> {
    let Some(fields) = message.as_object_mut() else { return Ok(message) };
    if fields.get("role").is_some_and(|role| role == "developer") {
        fields.insert("role".into(), "system".into());
    }
    for name in ["tool_calls", "function_call", "audio"] {
        if fields
            .get(name)
            .is_some_and(|value| !value.is_null() && value.as_array().is_none_or(|list| !list.is_empty()))
        {
            let message = format!("`messages[{place}].{name}` is not supported by this server");
            return Err(
                Error::field(format!("messages[{place}].{name}"), message).coded("unsupported_parameter")
            );
        }
    }
    if let Some(Json::Array(parts)) = fields.get("content") {
        let mut text = String::new();
        for (index, part) in parts.iter().enumerate() {
            let param = format!("messages[{place}].content[{index}]");
            match (part.get("type").and_then(Json::as_str), part.get("text")) {
                (Some("text"), Some(Json::String(part))) => text.push_str(part),
                (kind, _) => {
                    let kind: String = kind.unwrap_or("no type").chars().take(64).collect();
                    let message = format!("`{param}` is of {kind}: this server takes text alone");
                    return Err(Error::field(param, message).coded("unsupported_value"));
                }
            }
        }
        fields.insert("content".into(), text.into());
    }
    Ok(message)
}
