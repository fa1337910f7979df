//! How single tokens are spelled, and log-probabilities as OpenAI's two forms have them.

use std::collections::HashMap;
use std::sync::Arc;

use camelid_tokenizers::{Specials, Stream, Tokenizer};
use serde_json::{Map, Value as Json, json};

use crate::engine::scores::Scored;

/// The spelling of single tokens.
#[derive(Debug, Clone)]
pub(crate) struct Spelling {
    tokenizer: Arc<dyn Tokenizer>,
    /// A token to stand before another, since the first of a text may lose its space.
    before: Vec<u32>,
    specials: Arc<HashMap<u32, String>>,
}

impl Spelling {
    pub(crate) fn new(tokenizer: Arc<dyn Tokenizer>) -> Spelling {
        let specials = tokenizer.specials().iter().map(|special| (special.id, special.name.clone()));
        let specials = Arc::new(specials.collect());
        let before = tokenizer.encode("a", Specials::Literal).unwrap_or_default();
        Spelling { tokenizer, before, specials }
    }

    /// A token's text; U+FFFD stands for part of a character. A special token's name.
    pub(crate) fn of(&self, id: u32) -> String {
        if let Some(name) = self.specials.get(&id) {
            return name.clone();
        }
        let mut stream = Stream::after(&*self.tokenizer, &self.before);
        let mut text = stream.push(id).unwrap_or_default();
        text.push_str(&stream.finish());
        text
    }

    /// `logprobs` of a completion. `first` is the token at the beginning of the text, which has none; `offset` the letters
    /// that stand before, which is counted on.
    pub(crate) fn of_completion(
        &self,
        first: Option<u32>,
        scores: &[Scored],
        top: usize,
        offset: &mut usize,
    ) -> Json {
        let mut tokens = Vec::new();
        let (mut logprobs, mut alternatives, mut offsets) = (Vec::new(), Vec::new(), Vec::new());
        let mut push = |id: u32, logprob: Json, top: Json| {
            let token = self.of(id);
            offsets.push(*offset);
            *offset += token.chars().count();
            tokens.push(token);
            logprobs.push(logprob);
            alternatives.push(top);
        };
        first.into_iter().for_each(|id| push(id, Json::Null, Json::Null));
        for Scored { id, logprobs } in scores {
            let mut table = Map::new();
            for (id, logprob) in logprobs.likeliest.iter().chain([&(*id, logprobs.own)]) {
                // Of two tokens that are spelled alike, the likelier is told.
                table.entry(self.of(*id)).or_insert_with(|| finite(*logprob));
            }
            push(*id, finite(logprobs.own), table.into());
        }
        let top_logprobs = if top == 0 { Json::Null } else { alternatives.into() };
        json!({
            "tokens": tokens, "token_logprobs": logprobs, "top_logprobs": top_logprobs, "text_offset": offsets,
        })
    }

    /// `logprobs` of an answer in a conversation.
    pub(crate) fn of_chat(&self, scores: &[Scored]) -> Json {
        let one = |id: u32, logprob: f32| {
            let token = self.of(id);
            let whole = !token.contains(char::REPLACEMENT_CHARACTER);
            let bytes = whole.then(|| token.as_bytes().to_vec());
            json!({ "token": token, "logprob": finite(logprob), "bytes": bytes })
        };
        let content = scores.iter().map(|Scored { id, logprobs }| {
            let mut token = one(*id, logprobs.own);
            token["top_logprobs"] =
                logprobs.likeliest.iter().map(|(id, logprob)| one(*id, *logprob)).collect();
            token
        });
        json!({ "content": content.collect::<Vec<_>>(), "refusal": null })
    }
}

/// JSON has no infinity; OpenAI's API says −9999 for what can't come.
fn finite(logprob: f32) -> Json {
    logprob.max(-9999.0).into()
}
