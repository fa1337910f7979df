//! An answer that is an error, in the shape that OpenAI's clients read.

use serde_json::{Value as Json, json};

/// An error as a client sees it: `{"error": {"message", "type", "param", "code"}}`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// The status of the answer.
    pub status: u16,
    /// What is wrong, and what to do.
    pub message: String,
    /// OpenAI's word for the kind.
    pub kind: &'static str,
    /// The field that is wrong.
    pub param: Option<String>,
    /// OpenAI's word for the case, where it has one.
    pub code: Option<&'static str>,
    /// Seconds after which it is worth asking again.
    pub retry_after: Option<u64>,
}

impl Error {
    /// An error of some status and kind.
    #[must_use]
    pub fn new(status: u16, kind: &'static str, message: impl Into<String>) -> Error {
        Error { status, message: message.into(), kind, param: None, code: None, retry_after: None }
    }

    /// A request that can't be answered as it is.
    #[must_use]
    pub fn invalid(message: impl Into<String>) -> Error {
        Error::new(400, "invalid_request_error", message)
    }

    /// A field of the request that is wrong.
    #[must_use]
    pub fn field(param: impl Into<String>, message: impl Into<String>) -> Error {
        Error { param: Some(param.into()), ..Error::invalid(message) }
    }

    /// The same with OpenAI's word for the case.
    #[must_use]
    pub fn coded(self, code: &'static str) -> Error {
        Error { code: Some(code), ..self }
    }

    /// No place is free: neither among those that run nor in the queue.
    #[must_use]
    pub fn busy(seconds: u64) -> Error {
        let message = format!("the queue is full; ask again in {seconds} s");
        let error = Error::new(429, "rate_limit_error", message).coded("rate_limit_exceeded");
        Error { retry_after: Some(seconds), ..error }
    }

    /// The server ends.
    #[must_use]
    pub fn stopping() -> Error {
        let message = "the server is shutting down: it ends what runs, and takes nothing new";
        Error { retry_after: Some(10), ..Error::new(503, "server_error", message) }
    }

    /// What the server could not do, though the request is sound.
    #[must_use]
    pub fn internal(message: impl Into<String>) -> Error {
        Error::new(500, "server_error", message)
    }

    /// The time that an answer may take is over.
    #[must_use]
    pub fn timed_out(seconds: u64) -> Error {
        let message =
            format!("the answer took longer than the {seconds} s that this server allows (--timeout)");
        Error::new(504, "server_error", message).coded("timeout")
    }

    /// The body of the answer.
    #[must_use]
    pub fn body(&self) -> Json {
        json!({ "error": {
            "message": self.message, "type": self.kind, "param": self.param, "code": self.code,
        }})
    }
}

impl From<camelid_generate::Error> for Error {
    fn from(error: camelid_generate::Error) -> Error {
        use camelid_generate::Error as Of;
        let message = error.to_string();
        match error {
            Of::TooLong { tokens, context } => {
                let message = format!(
                    "the prompt has {tokens} tokens, and this server's context is {context}; shorten it"
                );
                Error::field("prompt", message).coded("context_length_exceeded")
            }
            Of::EmptyPrompt => {
                Error::field("prompt", "the prompt is empty, and this model puts nothing before it")
            }
            Of::Conversation(_) | Of::Template { .. } | Of::NoToken(_) | Of::NoTemplate { .. } => {
                Error::field("messages", message)
            }
            Of::Sampling { word, .. } => Error::field(word, message),
            Of::Tokenizer(_) | Of::Families(_) => Error::invalid(message),
            Of::Memory { .. }
            | Of::NotFinite { .. }
            | Of::NoModel { .. }
            | Of::NoText { .. }
            | Of::File { .. }
            | Of::Checkpoint(_) => Error::internal(message),
        }
    }
}
