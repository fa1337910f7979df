//! Conversations: messages in, a prompt out, by a Jinja template.

mod conversation;
mod environment;
mod escapes;
mod prompt;
mod python;
mod source;
mod tokens;

use std::collections::BTreeMap;
use std::fmt;

use minijinja::Environment;
use minijinja::value::{Serde, Value};
use serde_json::{Map, Value as Json};

use crate::Error;

pub use conversation::{Conversation, Message};
use prompt::Marks;
pub use prompt::{Join, Piece, Prompt};

/// The name under which the template stands in its own environment.
const NAME: &str = "chat";

/// A chat template: Jinja as transformers runs it, with `trim_blocks`, `lstrip_blocks`, loop controls, Python's methods of
/// strings, lists and tables, `raise_exception`, `strftime_now` and a `tojson` that escapes nothing. It sees the messages,
/// `add_generation_prompt` and the special tokens; it can open no file, and it is stopped after some ten million steps.
///
/// ```
/// use camelid_generate::{ChatTemplate, Conversation, Ending, Message};
///
/// let source = "{% for m in messages %}<|{{ m.role }}|>{{ m.content.strip() }}\n{% endfor %}<|assistant|>";
/// let template = ChatTemplate::new("chat_template.jinja", source)?;
/// let said = Conversation::of(vec![Message::new("user", " Hello! ")]);
/// assert_eq!(template.render(&said, Ending::Answer)?.text(), "<|user|>Hello!\n<|assistant|>");
/// # Ok::<(), camelid_generate::Error>(())
/// ```
#[derive(Clone)]
pub struct ChatTemplate {
    name: String,
    environment: Environment<'static>,
    join: Join,
    /// `bos_token` and so on.
    names: Map<String, Json>,
}

/// How a rendered conversation ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// With the last message.
    Message,
    /// With the words after which the model answers.
    Answer,
    /// Within the last message, which goes on.
    Open,
}

impl ChatTemplate {
    /// Reads a template. `name` stands in messages: the file or the key that it comes from.
    ///
    /// # Errors
    /// [`Error::Template`] where it is not Jinja.
    pub fn new(name: &str, source: &str) -> Result<ChatTemplate, Error> {
        let mut environment = environment::environment();
        environment
            .add_template_owned(NAME, source::prepared(source))
            .map_err(|error| explain(name, &error))?;
        Ok(ChatTemplate { name: name.to_owned(), environment, join: Join::Text, names: Map::new() })
    }

    /// The same with further names for the template to read: `bos_token`, `eos_token`.
    #[must_use]
    pub fn with_names(mut self, names: Map<String, Json>) -> ChatTemplate {
        self.names.extend(names);
        self
    }

    /// The same, whose ids are joined so.
    #[must_use]
    pub fn joined(mut self, join: Join) -> ChatTemplate {
        self.join = join;
        self
    }

    /// Where the template comes from.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The conversation as the model reads it.
    ///
    /// # Errors
    /// [`Error::Template`]: an unknown filter, what the template itself raises, too many steps, too much text.
    /// [`Error::Conversation`] where the template takes texts, and is given something else; where nothing is to go on.
    pub fn render(&self, said: &Conversation, ending: Ending) -> Result<Prompt, Error> {
        let mut messages: Vec<Json> =
            said.messages.iter().map(|message| message.fields().clone().into()).collect();
        let marks = Marks::outside(
            texts(&messages).chain(texts(said.names.values())).chain(texts(self.names.values())),
        )?;
        if ending == Ending::Open {
            open(&mut messages, marks.here)?;
        }
        let context = self.context(said, messages, ending, marks);
        let template = self.environment.get_template(NAME).map_err(|error| explain(&self.name, &error))?;
        let mut out = environment::Bounded::default();
        template.render_captured_to(context, &mut out).map_err(|error| self.failed(said, &error))?;
        let text = String::from_utf8(out.into_bytes()).map_err(|_| Error::Template {
            name: self.name.clone(),
            line: None,
            message: "the prompt is no UTF-8".into(),
        })?;
        self.spoken(said, &text)?;
        let text = if ending == Ending::Open { self.before(&text, marks.here)? } else { text };
        Ok(match self.join {
            Join::Text => Prompt::of(text),
            Join::Ids => marks.pieces(&text),
        })
    }

    /// What the template sees.
    fn context(&self, said: &Conversation, messages: Vec<Json>, ending: Ending, marks: Marks) -> Value {
        let mut names: BTreeMap<&str, Value> =
            BTreeMap::from([("tools", Value::from(())), ("documents", Value::from(()))]);
        let given = self.names.iter().chain(&said.names);
        names.extend(given.map(|(name, value)| (name.as_str(), Value::from(Serde(value)))));
        names.insert("messages", Value::from(Serde(&messages)));
        names.insert("add_generation_prompt", Value::from(ending == Ending::Answer));
        if self.join == Join::Ids {
            names.insert("token", Value::from_function(move |name: &str| marks.token(name)));
            names.insert("alone", Value::from_function(move |text: &str| marks.literal(text)));
        }
        Value::from_pairs(names)
    }

    /// Refuses a prompt in which a list of parts stands as Python would print it.
    fn spoken(&self, said: &Conversation, text: &str) -> Result<(), Error> {
        let printed = said.messages.iter().zip(1..).find(|(message, _)| {
            let content = message.fields().get("content").filter(|content| {
                content.as_array().is_some_and(|parts| !parts.is_empty()) || content.is_object()
            });
            content.is_some_and(|content| text.contains(&Value::from(Serde(content)).to_string()))
        });
        match printed {
            Some((_, place)) => Err(self.takes_texts(place)),
            None => Ok(()),
        }
    }

    fn takes_texts(&self, place: usize) -> Error {
        let message =
            format!("message {place}: `content` is no text, and {} takes none but texts", self.name);
        Error::Conversation(message)
    }

    /// Why rendering failed: the template's own words, or a content that it can't take.
    fn failed(&self, said: &Conversation, error: &minijinja::Error) -> Error {
        let odd = said
            .messages
            .iter()
            .position(|message| message.fields().get("content").is_some_and(|content| !content.is_string()));
        let own = error.detail().is_some_and(|detail| detail.starts_with("the template refuses"));
        match odd {
            Some(place) if !own && error.kind() != minijinja::ErrorKind::OutOfFuel => {
                self.takes_texts(place + 1)
            }
            Some(_) | None => explain(&self.name, error),
        }
    }

    /// What stands before the mark; without white space at its end where the template takes that away.
    fn before(&self, text: &str, here: char) -> Result<String, Error> {
        let cut = text.rfind(here).map(|at| text.split_at(at));
        let Some((before, after)) = cut else {
            let message = format!("the last message can't go on: {} leaves it out", self.name);
            return Err(Error::Conversation(message));
        };
        let kept = after.chars().nth(1) == Some(' ');
        Ok(if kept { before } else { before.trim_end() }.to_owned())
    }
}

/// Marks the end of the last message: a mark and a blank, which a template that strips takes away.
fn open(messages: &mut [Json], here: char) -> Result<(), Error> {
    match messages.last_mut().and_then(|message| message.get_mut("content")) {
        Some(Json::String(content)) => {
            content.extend([here, ' ']);
            Ok(())
        }
        Some(_) | None => Err(Error::Conversation("the last message has no text that could go on".into())),
    }
}

/// All texts within values, keys too.
fn texts<'v>(values: impl IntoIterator<Item = &'v Json>) -> impl Iterator<Item = &'v str> {
    let mut found = Vec::new();
    let mut waiting: Vec<&Json> = values.into_iter().collect();
    while let Some(value) = waiting.pop() {
        match value {
            Json::String(text) => found.push(text.as_str()),
            Json::Array(list) => waiting.extend(list),
            Json::Object(table) => {
                found.extend(table.keys().map(String::as_str));
                waiting.extend(table.values());
            }
            Json::Null | Json::Bool(_) | Json::Number(_) => {}
        }
    }
    found.into_iter()
}

impl fmt::Debug for ChatTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChatTemplate").field("name", &self.name).field("names", &self.names).finish()
    }
}

/// The reason with its place in the user's file.
fn explain(name: &str, error: &minijinja::Error) -> Error {
    let mut message = match (error.kind(), error.detail()) {
        (minijinja::ErrorKind::OutOfFuel, _) => {
            format!("stopped after {} steps: a loop without end", environment::FUEL)
        }
        (kind @ (minijinja::ErrorKind::UnknownFilter | minijinja::ErrorKind::SyntaxError), Some(detail)) => {
            format!("{kind}: {detail}")
        }
        (_, Some(detail)) => detail.to_owned(),
        (kind, None) => kind.to_string(),
    };
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        message = format!("{message}: {inner}");
        source = inner.source();
    }
    Error::Template { name: name.to_owned(), line: error.line(), message }
}
