//! What is said: turns, and further names for the template.

use serde_json::{Map, Value as Json};

use crate::Error;

/// A conversation's file may be this long, in bytes.
const LONGEST: usize = 64 << 20;
/// Keys under which a model's thoughts are passed; the first is the usual one.
const THOUGHTS: [&str; 3] = ["reasoning_content", "thinking", "reasoning"];

/// One turn: who speaks, what is said, and whatever else a template reads of it, such as `tool_calls`.
#[derive(Debug, Clone, PartialEq)]
pub struct Message(Map<String, Json>);

impl Message {
    /// A turn. `role` is `system`, `user`, `assistant`, or another that the template knows.
    pub fn new(role: impl Into<String>, content: impl Into<String>) -> Message {
        let fields = [("role", role.into()), ("content", content.into())];
        Message(fields.into_iter().map(|(key, text)| (key.to_owned(), text.into())).collect())
    }

    /// Who speaks.
    #[must_use]
    pub fn role(&self) -> &str {
        self.0.get("role").and_then(Json::as_str).unwrap_or_default()
    }

    /// What is said; none where it is no text.
    #[must_use]
    pub fn content(&self) -> Option<&str> {
        self.0.get("content")?.as_str()
    }

    /// The same with more said.
    #[must_use]
    pub fn with_more(mut self, text: &str) -> Message {
        if let Some(Json::String(content)) = self.0.get_mut("content") {
            content.push_str(text);
        }
        self
    }

    pub(super) fn fields(&self) -> &Map<String, Json> {
        &self.0
    }

    /// Reads the message at `place`, counted from 1. Keys at null are as if they were not there, as transformers has it; a
    /// model's thoughts go by all their names.
    fn read(value: Json, place: usize) -> Result<Message, Error> {
        let wrong = |what: String| Error::Conversation(format!("message {place}: {what}"));
        let Json::Object(mut fields) = value else {
            return Err(wrong(format!("{} is no object with `role` and `content`", kind(&value))));
        };
        fields.retain(|_, value| !value.is_null());
        match fields.get("role") {
            Some(Json::String(role)) if !role.is_empty() => {}
            Some(other) => {
                return Err(wrong(format!("`role` = {other}; it must be a name, such as \"user\"")));
            }
            None => return Err(wrong("`role` is missing: \"system\", \"user\", \"assistant\"".into())),
        }
        match fields.get("content") {
            Some(Json::String(_) | Json::Array(_) | Json::Object(_)) => {}
            Some(other) => return Err(wrong(format!("`content` is {}; it must be a text", kind(other)))),
            None if fields.len() > 1 => {} // an answer that is a call of a tool
            None => return Err(wrong("`content` is missing or null; an empty text is \"\"".into())),
        }
        if let Some(thought) = THOUGHTS.iter().find_map(|name| fields.get(*name)).cloned() {
            fields.entry("thinking").or_insert_with(|| thought.clone());
            fields.insert(THOUGHTS[0].into(), thought);
        }
        Ok(Message(fields))
    }
}

/// Turns, and what else a template is shown: `tools`, `documents`, `enable_thinking`, …
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Conversation {
    /// The turns, from the first.
    pub messages: Vec<Message>,
    /// Further names.
    pub names: Map<String, Json>,
}

impl Conversation {
    /// Turns and no further names.
    #[must_use]
    pub fn of(messages: Vec<Message>) -> Conversation {
        Conversation { messages, names: Map::new() }
    }

    /// Reads JSON: a list of messages, or an object with the list as `messages` and further names beside it.
    ///
    /// ```
    /// use camelid_generate::Conversation;
    ///
    /// let said = Conversation::read(br#"[{"role": "user", "content": "Hello!"}]"#)?;
    /// assert_eq!(said.messages[0].content(), Some("Hello!"));
    /// assert!(Conversation::read(br#"[{"role": "user"}]"#).is_err());
    /// # Ok::<(), camelid_generate::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Conversation`] says which message is wrong, and what it must be.
    pub fn read(text: &[u8]) -> Result<Conversation, Error> {
        if text.len() > LONGEST {
            return Err(Error::Conversation(format!(
                "{} bytes; more than {LONGEST} are not read",
                text.len()
            )));
        }
        let text = std::str::from_utf8(text)
            .map_err(|error| Error::Conversation(format!("no UTF-8 from byte {} on", error.valid_up_to())))?;
        let json = serde_json::from_str(text.trim_start_matches('\u{feff}'))
            .map_err(|error| Error::Conversation(format!("no JSON: {error}")))?;
        Conversation::of_json(json)
    }

    /// The same of JSON that has been read.
    ///
    /// # Errors
    /// As [`Conversation::read`].
    pub fn of_json(json: Json) -> Result<Conversation, Error> {
        let (list, names) = match json {
            Json::Object(mut names) => (names.remove("messages").unwrap_or_default(), names),
            other => (other, Map::new()),
        };
        let Json::Array(list) = list else {
            let message = "a list of messages is needed: [{\"role\": \"user\", \"content\": \"Hello!\"}]";
            return Err(Error::Conversation(message.into()));
        };
        if list.is_empty() {
            return Err(Error::Conversation("the list of messages is empty".into()));
        }
        let messages = list.into_iter().zip(1..).map(|(value, place)| Message::read(value, place));
        Ok(Conversation { messages: messages.collect::<Result<_, _>>()?, names })
    }

    /// As [`Conversation::read`] reads it: a list of messages, or an object where there are further names.
    #[must_use]
    pub fn to_json(&self) -> Json {
        let messages: Json = self.messages.iter().map(|message| Json::Object(message.0.clone())).collect();
        if self.names.is_empty() {
            return messages;
        }
        let mut all = self.names.clone();
        all.insert("messages".into(), messages);
        Json::Object(all)
    }

    /// Whether it ends within an answer.
    #[must_use]
    pub fn ends_in_an_answer(&self) -> bool {
        self.messages.last().is_some_and(|message| message.role() == "assistant")
    }

    /// Whether it has something above it.
    #[must_use]
    pub fn has_system(&self) -> bool {
        self.messages.iter().any(|message| message.role() == "system")
    }

    /// Whether tools are offered.
    #[must_use]
    pub fn has_tools(&self) -> bool {
        self.names.get("tools").and_then(Json::as_array).is_some_and(|tools| !tools.is_empty())
    }
}

/// What a value is, in words.
fn kind(value: &Json) -> &'static str {
    match value {
        Json::Null => "null",
        Json::Bool(_) => "true or false",
        Json::Number(_) => "a number",
        Json::String(_) => "a text",
        Json::Array(_) => "a list",
        Json::Object(_) => "an object",
    }
}
