//! A sequence on its way: while its prompt is read, and while it goes on.

use std::time::Instant;

use camelid_families::{Cache, Model};
use camelid_generate::{Continuation, Token, pieces};
use camelid_tokenizers::Tokenizer;

use crate::engine::job::{Event, Failure, Job};
use crate::engine::place::Place;
use crate::engine::scores::{Scored, of_prompt};

/// A prompt that is being read.
#[derive(Debug)]
pub(crate) struct Reading {
    pub(crate) job: Job,
    pub(crate) cache: Cache,
    /// Tokens that the cache holds.
    pub(crate) read: usize,
    /// Those that it held from the start.
    cached: usize,
    scores: Vec<Scored>,
}

/// A text that goes on.
#[derive(Debug)]
pub(crate) struct Running<'m> {
    pub(crate) cache: Cache,
    /// The last token, which the model has yet to see.
    pub(crate) last: u32,
    continuation: Continuation<'m>,
    index: usize,
    events: tokio::sync::mpsc::UnboundedSender<Event>,
    deadline: Instant,
    /// Bytes that are kept free for it.
    pub(crate) reserved: u64,
    _place: Place,
}

impl Reading {
    /// Begins with what is held of the prompt.
    pub(crate) fn new(job: Job, held: Cache) -> Reading {
        let cached = held.len();
        Reading { job, cache: held, read: cached, cached, scores: Vec::new() }
    }

    /// Where its next piece ends.
    pub(crate) fn piece_end(&self, model: &Model, size: usize) -> usize {
        pieces::end(model.architecture(), self.read, self.job.prompt.len(), size)
    }

    /// Whether all of it has been read.
    pub(crate) fn is_read(&self) -> bool {
        self.read == self.job.prompt.len()
    }

    /// Takes note of a piece that was read up to `end`.
    pub(crate) fn advance(&mut self, model: &Model, hidden: &ndarray::Array2<f32>, end: usize) {
        if self.job.scores_prompt {
            let next = &self.job.prompt[self.read + 1..(end + 1).min(self.job.prompt.len())];
            let top = self.job.settings.logprobs.unwrap_or(0);
            self.scores.extend(of_prompt(model, hidden.view(), next, top));
        }
        self.read = end;
    }

    /// Nobody waits for it any more, or nobody should.
    pub(crate) fn is_over(&self) -> bool {
        is_over(&self.job.events, self.job.deadline)
    }

    pub(crate) fn fail(self, failure: Failure) {
        let _ = self.job.events.send(Event::Failed(failure));
    }

    /// The texts that follow, each with its first token, of the logits after the prompt.
    pub(crate) fn go_on<'m>(
        mut self,
        model: &Model,
        tokenizer: &'m dyn Tokenizer,
        logits: &[f32],
    ) -> Vec<Running<'m>> {
        let scores = std::mem::take(&mut self.scores);
        let read = Event::Read { index: self.job.index, cached: self.cached, scores };
        let _ = self.job.events.send(read);
        let mut running = Vec::new();
        for nth in 0..self.job.n {
            let mut settings = self.job.settings.clone();
            settings.sampling.seed = settings.sampling.seed.wrapping_add(nth as u64);
            let prompt = &self.job.prompt;
            let continuation = Continuation::new(model.architecture(), tokenizer, prompt, &settings);
            let continuation = match continuation {
                Ok(continuation) => continuation,
                Err(error) => {
                    self.fail(Failure::Of(error));
                    return Vec::new();
                }
            };
            let text = Running {
                cache: self.cache.clone(),
                last: 0,
                continuation,
                index: self.job.index + nth,
                events: self.job.events.clone(),
                deadline: self.job.deadline,
                reserved: self.job.needed / self.job.n as u64,
                _place: self.job.place.split(1),
            };
            running.extend(text.choose(logits));
        }
        running
    }
}

impl<'m> Running<'m> {
    /// Takes the next token of the logits after the last one; nothing is left where the text ends with it.
    pub(crate) fn choose(mut self, logits: &[f32]) -> Option<Running<'m>> {
        if self.continuation.stop().is_none() {
            match self.continuation.choose(logits) {
                Ok(token) => {
                    let Token { id, text, logprobs } = token;
                    self.last = id;
                    let scored = logprobs.map(|logprobs| Scored { id, logprobs });
                    let told = Event::Token { index: self.index, text, scored };
                    self.events.send(told).ok()?;
                }
                Err(error) => {
                    let _ = self.events.send(Event::Failed(Failure::Of(error)));
                    return None;
                }
            }
        }
        let Some(stop) = self.continuation.stop() else { return Some(self) };
        let tokens = self.continuation.ids().len();
        let _ = self.events.send(Event::End { index: self.index, stop, tokens });
        None
    }

    pub(crate) fn is_over(&self) -> bool {
        is_over(&self.events, self.deadline)
    }

    pub(crate) fn fail(self, failure: Failure) {
        let _ = self.events.send(Event::Failed(failure));
    }
}

/// Whether nobody listens, or the time is over, which is told.
pub(crate) fn is_over(events: &tokio::sync::mpsc::UnboundedSender<Event>, deadline: Instant) -> bool {
    if Instant::now() >= deadline {
        let _ = events.send(Event::Failed(Failure::Late));
        return true;
    }
    events.is_closed()
}
