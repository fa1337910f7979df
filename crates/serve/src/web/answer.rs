//! From a request to its answer, whole or streamed.

use std::sync::Arc;
use std::time::Instant;

use axum::body::{Body, Bytes};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use futures_util::stream::unfold;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::answered::gathered::{Gathered, Wanted};
use crate::answered::shape::Shape;
use crate::answered::stream::{COMMENT, QUIET, told};
use crate::engine::job::{Event, Job};
use crate::error::Error;
use crate::web::app::{App, now};
use crate::web::prompts::Work;
use crate::web::reply::Reply;

/// Seconds after which it is worth asking again.
const RETRY: u64 = 5;

/// An answer on its way.
struct Answer {
    app: Arc<App>,
    events: UnboundedReceiver<Event>,
    gathered: Gathered,
    include_usage: bool,
    begin: Instant,
    path: &'static str,
}

/// Hands the work in, and answers as it is done.
pub(crate) async fn answer(
    app: Arc<App>,
    work: Work,
    begin: Instant,
    path: &'static str,
) -> Result<Response, Error> {
    let (stream, include_usage) = (work.options.stream, work.options.include_usage);
    let (gathered, events) = hand_in(&app, work)?;
    let answer = Answer { app, events, gathered, include_usage, begin, path };
    if stream { Ok(answer.streamed()) } else { answer.whole().await }
}

fn hand_in(app: &App, work: Work) -> Result<(Gathered, UnboundedReceiver<Event>), Error> {
    let n = work.options.n;
    let mut place = app.places.take(work.prompts.len() * n).ok_or_else(|| Error::busy(RETRY))?;
    let (sender, events) = unbounded_channel();
    let scores_prompt = work.scores_prompt();
    let deadline = Instant::now() + app.limits.timeout;
    let prompt_tokens = work.prompts.iter().map(Vec::len).sum();
    for (index, prompt) in work.prompts.iter().enumerate() {
        let job = Job {
            prompt: prompt.clone(),
            settings: work.settings.clone(),
            n,
            index: index * n,
            scores_prompt,
            events: sender.clone(),
            needed: work.needed(app, prompt),
            deadline,
            place: place.split(n),
        };
        app.jobs.send(job).map_err(|_| Error::internal("the engine has stopped"))?;
    }
    let shape =
        Shape { kind: work.kind, id: app.answer_id(work.kind), created: now(), model: app.name.clone() };
    let (logprobs, echoes) = (work.settings.logprobs, work.echoes);
    let timeout = app.limits.timeout.as_secs();
    let wanted = Wanted { shape, logprobs, n, echoes, prompt_tokens, timeout };
    Ok((Gathered::new(wanted, app.spelling.clone()), events))
}

impl Answer {
    async fn whole(mut self) -> Result<Response, Error> {
        while !self.gathered.is_whole() {
            let event = self.events.recv().await.ok_or_else(|| Error::internal("the engine has stopped"))?;
            let begun = self.gathered.begun;
            self.gathered.take(event)?;
            self.note_first(begun);
        }
        self.log(200);
        Ok(Reply::json(200, &self.gathered.whole()).into_response())
    }

    fn streamed(self) -> Response {
        let pieces = unfold(Some(self), |answer| async move {
            let (text, answer) = answer?.piece().await;
            Some((Ok::<_, std::convert::Infallible>(Bytes::from(text)), answer))
        });
        let headers = [(CONTENT_TYPE, "text/event-stream"), (CACHE_CONTROL, "no-cache")];
        (headers, Body::from_stream(pieces)).into_response()
    }

    /// The next piece of the stream, and the rest, if there is one.
    async fn piece(mut self) -> (String, Option<Answer>) {
        loop {
            let Ok(event) = tokio::time::timeout(QUIET, self.events.recv()).await else {
                return (COMMENT.to_owned(), Some(self));
            };
            let begun = self.gathered.begun;
            let (mut text, mut end) = told(&mut self.gathered, self.include_usage, event);
            // What has come meanwhile goes along.
            while end.is_none()
                && let Ok(event) = self.events.try_recv()
            {
                let (more, ended) = told(&mut self.gathered, self.include_usage, Some(event));
                text.push_str(&more);
                end = ended;
            }
            self.note_first(begun);
            match end {
                Some(end) => {
                    self.log(end.map_or_else(|error| error.status, |()| 200));
                    return (text, None);
                }
                None if text.is_empty() => {}
                None => return (text, Some(self)),
            }
        }
    }

    fn note_first(&self, begun: bool) {
        if !begun && self.gathered.begun {
            self.app.metrics.first_token(self.begin.elapsed());
            self.app.metrics.cached(self.gathered.usage.cached);
        }
    }

    /// What it took; nothing of what was said.
    fn log(&self, status: u16) {
        let took = self.begin.elapsed();
        let usage = self.gathered.usage;
        let stops: Vec<String> = self.gathered.stops.iter().map(ToString::to_string).collect();
        tracing::info!(
            id = self.gathered.shape().id,
            path = self.path,
            status,
            prompt = usage.prompt,
            cached = usage.cached,
            generated = usage.generated,
            stop = stops.join(","),
            seconds = took.as_secs_f64(),
            "answered"
        );
        self.app.metrics.answered(self.path, status, took);
    }
}
