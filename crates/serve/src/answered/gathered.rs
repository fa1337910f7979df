//! An answer while it comes: events in, pieces of JSON out, and the whole at the end.

use camelid_generate::Stop;
use serde_json::Value as Json;

use crate::answered::shape::{Kind, Shape, Usage};
use crate::answered::spelling::Spelling;
use crate::engine::job::{Event, Failure};
use crate::engine::scores::Scored;
use crate::error::Error;

/// What of the prompt stands at the beginning of a text.
#[derive(Debug, Clone, Default)]
pub(crate) struct Echo {
    pub(crate) text: String,
    /// Its first token, which no other stands before.
    pub(crate) first: Option<u32>,
}

/// An answer while it comes.
#[derive(Debug)]
pub(crate) struct Gathered {
    shape: Shape,
    spelling: Spelling,
    logprobs: Option<usize>,
    timeout: u64,
    choices: Vec<Choice>,
    /// Texts of one prompt.
    n: usize,
    /// Texts that have not ended.
    open: usize,
    pub(crate) usage: Usage,
    /// Whether a token has come.
    pub(crate) begun: bool,
    pub(crate) stops: Vec<Stop>,
}

/// A text while it comes.
#[derive(Debug, Default)]
struct Choice {
    echo: Option<Echo>,
    text: String,
    scores: Vec<Scored>,
    stop: Option<Stop>,
    /// Letters of its tokens so far.
    offset: usize,
}

/// What an answer is to be.
#[derive(Debug)]
pub(crate) struct Wanted {
    pub(crate) shape: Shape,
    pub(crate) logprobs: Option<usize>,
    /// Texts of one prompt.
    pub(crate) n: usize,
    /// What stands at the beginning of each prompt's texts.
    pub(crate) echoes: Vec<Option<Echo>>,
    pub(crate) prompt_tokens: usize,
    /// Seconds that it may take.
    pub(crate) timeout: u64,
}

impl Gathered {
    pub(crate) fn new(wanted: Wanted, spelling: Spelling) -> Gathered {
        let Wanted { shape, logprobs, n, echoes, prompt_tokens, timeout } = wanted;
        let choice = |echo: &Option<Echo>| Choice { echo: echo.clone(), ..Choice::default() };
        let choices: Vec<_> = echoes.iter().flat_map(|echo| (0..n).map(|_| choice(echo))).collect();
        let usage = Usage { prompt: prompt_tokens, ..Usage::default() };
        let (open, stops) = (choices.len(), Vec::new());
        Gathered { shape, spelling, logprobs, timeout, choices, n, open, usage, begun: false, stops }
    }

    pub(crate) fn shape(&self) -> &Shape {
        &self.shape
    }

    /// Whether all texts have ended.
    pub(crate) fn is_whole(&self) -> bool {
        self.open == 0
    }

    /// Takes an event in, and gives the choices of a stream's next piece; none where there is nothing to show yet.
    pub(crate) fn take(&mut self, event: Event) -> Result<Vec<Json>, Error> {
        match event {
            Event::Failed(Failure::Of(error)) => Err(error.into()),
            Event::Failed(Failure::Late) => Err(Error::timed_out(self.timeout)),
            Event::Read { index, cached, scores } => {
                self.usage.cached += cached;
                Ok((index..index + self.n).filter_map(|index| self.open(index, &scores)).collect())
            }
            Event::Token { index, text, scored } => {
                self.begun = true;
                Ok(self.more(index, &text, scored).into_iter().collect())
            }
            Event::End { index, stop, tokens } => {
                self.usage.generated += tokens;
                self.open -= 1;
                self.stops.push(stop);
                self.choices[index].stop = Some(stop);
                Ok(vec![self.shape.end(index, stop)])
            }
        }
    }

    /// A text begins: in a conversation with its role, else with what is repeated of the prompt.
    fn open(&mut self, index: usize, scores: &[Scored]) -> Option<Json> {
        let choice = &mut self.choices[index];
        let Some(echo) = &choice.echo else { return self.shape.opening(index) };
        choice.text.push_str(&echo.text);
        choice.scores.extend_from_slice(scores);
        let logprobs = match self.logprobs {
            Some(top) => self.spelling.of_completion(echo.first, scores, top, &mut choice.offset),
            None => Json::Null,
        };
        Some(self.shape.more(index, &echo.text, logprobs))
    }

    fn more(&mut self, index: usize, text: &str, scored: Option<Scored>) -> Option<Json> {
        let choice = &mut self.choices[index];
        choice.text.push_str(text);
        if text.is_empty() && scored.is_none() {
            return None;
        }
        let scored = scored.as_slice();
        choice.scores.extend_from_slice(scored);
        let logprobs = match (self.logprobs, self.shape.kind) {
            (None, _) => Json::Null,
            (Some(_), Kind::Chat) => self.spelling.of_chat(scored),
            (Some(top), Kind::Completion) => {
                self.spelling.of_completion(None, scored, top, &mut choice.offset)
            }
        };
        Some(self.shape.more(index, text, logprobs))
    }

    /// The whole answer.
    pub(crate) fn whole(&self) -> Json {
        let choices = self.choices.iter().enumerate().map(|(index, choice)| {
            let logprobs = match (self.logprobs, self.shape.kind) {
                (None, _) => Json::Null,
                (Some(_), Kind::Chat) => self.spelling.of_chat(&choice.scores),
                (Some(top), Kind::Completion) => {
                    let first = choice.echo.as_ref().and_then(|echo| echo.first);
                    self.spelling.of_completion(first, &choice.scores, top, &mut 0)
                }
            };
            self.shape.choice(index, &choice.text, logprobs, choice.stop.unwrap_or(Stop::Interrupt))
        });
        self.shape.whole(choices.collect(), self.usage)
    }
}
