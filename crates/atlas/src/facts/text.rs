//! How a family reads text: its vocabulary's files, what stands around a text, and a conversation as the model sees it.

use camelid_families::{Declaration, Problem};
use camelid_generate::{Conversation, Ending, Message, form};
use camelid_tokenizers::Settings;
use serde::Serialize;
use serde_json::{Map, Value as Json};

use crate::Error;

/// How a family reads text.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Text {
    /// The files that may hold the vocabulary, in order of preference, each with its kind.
    pub files: Vec<(String, String)>,
    /// Special tokens by name, with their ids, where the file does not say them.
    pub special: Vec<(String, u32)>,
    /// Tokens before a text; none where the vocabulary's own file says it.
    pub prefix: Option<Vec<String>>,
    /// Tokens after it.
    pub suffix: Option<Vec<String>>,
    /// Tokens that end a generated text.
    pub stop: Option<Vec<String>>,
    /// The name of the family's own chat template.
    pub template: Option<String>,
    /// A conversation of one question, as the model reads it.
    pub conversation: Option<String>,
    /// Texts that end a turn.
    pub stop_turn: Vec<String>,
}

/// What the conversation asks.
pub const QUESTION: &str = "What is a camel?";

/// How a family reads text at one size.
///
/// # Errors
/// A formula of `[tokenizer]` or `[chat]` lacks a key of config.json.
pub fn text(family: &Declaration, config: &Map<String, Json>) -> Result<Text, Error> {
    let settings: Settings = family
        .evaluate("tokenizer", &family.tokenizer, config)
        .map_err(|problems| Error::Unresolved(listed(&family.name, &problems)))?;
    let kind = |kind: &_| serde_json::to_value(kind).ok().and_then(|kind| kind.as_str().map(str::to_owned));
    let files = settings.files.iter().map(|file| (file.name.clone(), kind(&file.kind).unwrap_or_default()));
    let files = files.collect();
    let settings = settings.resolved().map_err(|error| Error::Unresolved(error.to_string()))?;
    let chat = form(family, config)?;
    let said = Conversation::of(vec![Message::new("user", QUESTION)]);
    let conversation =
        chat.as_ref().map(|chat| chat.template.render(&said, Ending::Answer).map(|prompt| prompt.text()));
    let template = chat.as_ref().map(|chat| chat.template.name().to_owned());
    Ok(Text {
        files,
        special: settings.special.into_iter().collect(),
        prefix: settings.prefix,
        suffix: settings.suffix,
        stop: settings.stop,
        template,
        conversation: conversation.transpose()?,
        stop_turn: chat.map(|chat| chat.stop).unwrap_or_default(),
    })
}

/// Problems as one text.
pub(crate) fn listed(family: &str, problems: &[Problem]) -> String {
    let lines: Vec<_> = problems.iter().map(|problem| format!("\n  - {problem}")).collect();
    format!("`{family}` does not resolve:{}", lines.concat())
}
