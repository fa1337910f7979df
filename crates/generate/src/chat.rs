//! Conversations: messages in, a prompt out, by a Jinja template.

mod environment;
mod parts;
mod python;

use std::fmt;

use minijinja::Environment;
use minijinja::value::{Serde, Value};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use camelid_tokenizers::{Specials, Tokenizer};

use crate::Error;

/// The name under which the template stands in its own environment.
const NAME: &str = "chat";

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// What stands above the conversation.
    System,
    /// Whoever asks.
    User,
    /// The model.
    Assistant,
}

/// One turn of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// What is said.
    pub content: String,
}

impl Message {
    /// A turn.
    pub fn new(role: Role, content: impl Into<String>) -> Message {
        Message { role, content: content.into() }
    }
}

/// A chat template: Jinja as transformers runs it, with `trim_blocks`, `lstrip_blocks`, loop controls, Python's methods of
/// strings, lists and tables, `raise_exception`, `strftime_now` and a `tojson` that escapes nothing. It sees the messages,
/// `add_generation_prompt` and the special tokens; it can open no file, and it is stopped after some ten million steps.
///
/// ```
/// use camelid_generate::{ChatTemplate, Message, Role};
///
/// let source = "{% for m in messages %}<|{{ m.role }}|>{{ m.content.strip() }}\n{% endfor %}<|assistant|>";
/// let template = ChatTemplate::new("chat_template.jinja", source)?;
/// let prompt = template.prompt(&[Message::new(Role::User, " Hello! ")])?;
/// assert_eq!(prompt, "<|user|>Hello!\n<|assistant|>");
/// # Ok::<(), camelid_generate::Error>(())
/// ```
#[derive(Clone)]
pub struct ChatTemplate {
    name: String,
    environment: Environment<'static>,
    /// `bos_token` and so on.
    names: Map<String, Json>,
    /// Whether it marks tokens and texts that are encoded by themselves.
    marks: bool,
}

impl ChatTemplate {
    /// Reads a template. `name` stands in messages: the file or the key that it comes from.
    ///
    /// A family's own template may say by `token(name)` that a token stands there, and by `alone(text)` that a text is encoded
    /// by itself, with no token looked for in it: upstream's code of such a family joins the ids of parts.
    ///
    /// # Errors
    /// [`Error::Template`] where it is not Jinja.
    pub fn new(name: &str, source: &str) -> Result<ChatTemplate, Error> {
        let mut environment = environment::environment();
        environment.add_function("token", parts::token);
        environment.add_function("alone", parts::alone);
        environment
            .add_template_owned(NAME, environment::without_generation_tags(source))
            .map_err(|error| explain(name, &error))?;
        Ok(ChatTemplate {
            name: name.to_owned(),
            environment,
            names: Map::new(),
            marks: parts::are_marked(source),
        })
    }

    /// The same with further names for the template to read: `bos_token`, `eos_token`.
    #[must_use]
    pub fn with_names(mut self, names: Map<String, Json>) -> ChatTemplate {
        self.names.extend(names);
        self
    }

    /// Where the template comes from.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The prompt at whose end the model is to answer.
    ///
    /// # Errors
    /// [`Error::Template`]: an unknown filter, what the template itself raises, too many steps, too much text.
    pub fn prompt(&self, messages: &[Message]) -> Result<String, Error> {
        self.render(messages, Ending::Answer)
    }

    /// The ids of a conversation: of its text, with the tokens that it spells; by the parts that a family's template marks.
    ///
    /// # Errors
    /// As [`ChatTemplate::prompt`]; a token that the vocabulary does not have.
    pub fn ids(
        &self,
        messages: &[Message],
        ending: Ending,
        tokenizer: &dyn Tokenizer,
    ) -> Result<Vec<u32>, Error> {
        let rendered = self.rendered(messages, ending)?;
        if !self.marks {
            return Ok(tokenizer.encode(&rendered, Specials::Parse)?);
        }
        let mut ids = Vec::new();
        for part in parts::parts(&rendered) {
            part.encode(tokenizer, &self.name, &mut ids)?;
        }
        Ok(ids)
    }

    /// The conversation as it stands, or with the beginning of an answer.
    ///
    /// # Errors
    /// As [`ChatTemplate::prompt`].
    pub fn render(&self, messages: &[Message], ending: Ending) -> Result<String, Error> {
        let rendered = self.rendered(messages, ending)?;
        match self.marks {
            true => Ok(parts::parts(&rendered).into_iter().map(parts::Part::into_text).collect()),
            false => Ok(rendered),
        }
    }

    fn rendered(&self, messages: &[Message], ending: Ending) -> Result<String, Error> {
        let mut context = self.names.clone();
        let asked = matches!(ending, Ending::Answer);
        context.insert("messages".into(), serde_json::to_value(messages).unwrap_or_default());
        context.insert("add_generation_prompt".into(), asked.into());
        context.insert("tools".into(), Json::Null);
        context.insert("documents".into(), Json::Null);
        let template = self.environment.get_template(NAME).map_err(|error| explain(&self.name, &error))?;
        let mut out = environment::Bounded::default();
        let context = Value::from(Serde(&context));
        template.render_captured_to(context, &mut out).map_err(|error| explain(&self.name, &error))?;
        String::from_utf8(out.into_bytes()).map_err(|_| Error::Template {
            name: self.name.clone(),
            line: None,
            message: "the prompt is no UTF-8".into(),
        })
    }
}

/// How a rendered conversation ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// With the last message.
    Message,
    /// With the words after which the model answers.
    Answer,
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
