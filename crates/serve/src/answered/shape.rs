//! The shapes of answers.

use serde_json::{Value as Json, json};

use camelid_generate::Stop;

/// Which of the two kinds of answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Completion,
    Chat,
}

/// What stands in every piece of an answer.
#[derive(Debug, Clone)]
pub(crate) struct Shape {
    pub(crate) kind: Kind,
    pub(crate) id: String,
    pub(crate) created: u64,
    pub(crate) model: String,
}

/// What an answer took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    pub(crate) prompt: usize,
    pub(crate) cached: usize,
    pub(crate) generated: usize,
}

impl Kind {
    /// What an id begins with.
    pub(crate) fn prefix(self) -> &'static str {
        match self {
            Kind::Completion => "cmpl",
            Kind::Chat => "chatcmpl",
        }
    }
}

impl Usage {
    fn json(self) -> Json {
        json!({
            "prompt_tokens": self.prompt,
            "completion_tokens": self.generated,
            "total_tokens": self.prompt + self.generated,
            "prompt_tokens_details": { "cached_tokens": self.cached },
        })
    }
}

impl Shape {
    /// A whole answer.
    pub(crate) fn whole(&self, choices: Vec<Json>, usage: Usage) -> Json {
        let object = match self.kind {
            Kind::Completion => "text_completion",
            Kind::Chat => "chat.completion",
        };
        let mut answer = self.envelope(object, choices);
        answer["usage"] = usage.json();
        answer
    }

    /// A choice of a whole answer.
    pub(crate) fn choice(&self, index: usize, text: &str, logprobs: Json, stop: Stop) -> Json {
        match self.kind {
            Kind::Completion => json!({
                "index": index, "text": text, "logprobs": logprobs, "finish_reason": reason(stop),
            }),
            Kind::Chat => json!({
                "index": index,
                "message": { "role": "assistant", "content": text, "refusal": null },
                "logprobs": logprobs,
                "finish_reason": reason(stop),
            }),
        }
    }

    /// A piece of a stream: a choice, or what all took at last. Where that will come, the others say null.
    pub(crate) fn piece(&self, choices: Vec<Json>, usage: Option<Option<Usage>>) -> Json {
        let object = match self.kind {
            Kind::Completion => "text_completion",
            Kind::Chat => "chat.completion.chunk",
        };
        let mut piece = self.envelope(object, choices);
        if let Some(usage) = usage {
            piece["usage"] = usage.map_or(Json::Null, Usage::json);
        }
        piece
    }

    /// A choice of a piece: more text.
    pub(crate) fn more(&self, index: usize, text: &str, logprobs: Json) -> Json {
        match self.kind {
            Kind::Completion => json!({
                "index": index, "text": text, "logprobs": logprobs, "finish_reason": null,
            }),
            Kind::Chat => json!({
                "index": index, "delta": { "content": text }, "logprobs": logprobs, "finish_reason": null,
            }),
        }
    }

    /// A choice of a piece: the first of an answer in a conversation.
    pub(crate) fn opening(&self, index: usize) -> Option<Json> {
        match self.kind {
            Kind::Completion => None,
            Kind::Chat => Some(json!({
                "index": index, "delta": { "role": "assistant", "content": "" }, "logprobs": null, "finish_reason": null,
            })),
        }
    }

    /// A choice of a piece: the end.
    pub(crate) fn end(&self, index: usize, stop: Stop) -> Json {
        match self.kind {
            Kind::Completion => json!({
                "index": index, "text": "", "logprobs": null, "finish_reason": reason(stop),
            }),
            Kind::Chat => json!({
                "index": index, "delta": {}, "logprobs": null, "finish_reason": reason(stop),
            }),
        }
    }

    fn envelope(&self, object: &str, choices: Vec<Json>) -> Json {
        json!({
            "id": self.id,
            "object": object,
            "created": self.created,
            "model": self.model,
            "system_fingerprint": concat!("camelid-", env!("CARGO_PKG_VERSION")),
            "choices": choices,
        })
    }
}

/// OpenAI's word for why a text ended.
pub(crate) fn reason(stop: Stop) -> &'static str {
    match stop {
        Stop::Eos | Stop::Text | Stop::Interrupt => "stop",
        Stop::Length | Stop::Context => "length",
    }
}
