//! A stream of events as server-sent events have it: `data: JSON`, and `data: [DONE]` at the end.

use serde_json::Value as Json;
use std::time::Duration;

use crate::answered::gathered::Gathered;
use crate::engine::job::Event;
use crate::error::Error;

/// After so long without an event a comment is sent, so that nobody on the way takes the connection for dead.
pub(crate) const QUIET: Duration = Duration::from_secs(15);

/// What is sent while nothing comes.
pub(crate) const COMMENT: &str = ": waiting\n\n";

/// An event of the stream.
fn data(json: &Json) -> String {
    format!("data: {json}\n\n")
}

/// What an event adds to the stream, and whether that was the end.
pub(crate) fn told(
    gathered: &mut Gathered,
    include_usage: bool,
    event: Option<Event>,
) -> (String, Option<Result<(), Error>>) {
    let lost = || Error::internal("the engine has stopped");
    let choices = match event.ok_or_else(lost).and_then(|event| gathered.take(event)) {
        Ok(choices) => choices,
        Err(error) => return (data(&error.body()), Some(Err(error))),
    };
    let usage = include_usage.then_some(None);
    let mut text: String =
        choices.into_iter().map(|choice| data(&gathered.shape().piece(vec![choice], usage))).collect();
    if !gathered.is_whole() {
        return (text, None);
    }
    if include_usage {
        text.push_str(&data(&gathered.shape().piece(Vec::new(), Some(Some(gathered.usage)))));
    }
    text.push_str("data: [DONE]\n\n");
    (text, Some(Ok(())))
}
