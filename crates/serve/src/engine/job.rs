//! What the thread is handed, and what it tells.

use std::time::Instant;

use camelid_generate::{Settings, Stop};
use tokio::sync::mpsc::UnboundedSender;

use crate::engine::place::Place;
use crate::engine::scores::Scored;

/// A prompt to go on with, once or several times.
#[derive(Debug)]
pub(crate) struct Job {
    /// Its ids.
    pub(crate) prompt: Vec<u32>,
    /// How it goes on; of several texts, each with the next seed.
    pub(crate) settings: Settings,
    /// How many texts.
    pub(crate) n: usize,
    /// The number of the first of them within the request.
    pub(crate) index: usize,
    /// Whether those of the prompt's own tokens are told.
    pub(crate) scores_prompt: bool,
    /// Where the answer goes; nobody listens any more where it is closed.
    pub(crate) events: UnboundedSender<Event>,
    /// Bytes that its caches take at most.
    pub(crate) needed: u64,
    /// When it is given up.
    pub(crate) deadline: Instant,
    /// Its places: one for each text.
    pub(crate) place: Place,
}

/// What is told of a job. At most one for each token of prompt and texts.
#[derive(Debug)]
pub(crate) enum Event {
    /// The prompt has been read.
    Read {
        /// The number of the first text.
        index: usize,
        /// Tokens of the prompt that were not computed again.
        cached: usize,
        /// Of each token of the prompt but the first, where they were asked for.
        scores: Vec<Scored>,
    },
    /// A token.
    Token {
        /// Of which text.
        index: usize,
        /// The text that it makes certain.
        text: String,
        /// Its id and log-probability, where those were asked for.
        scored: Option<Scored>,
    },
    /// A text's end.
    End {
        /// Of which text.
        index: usize,
        /// Why.
        stop: Stop,
        /// How many tokens were generated.
        tokens: usize,
    },
    /// The job can't go on.
    Failed(Failure),
}

/// Why a job can't go on.
#[derive(Debug)]
pub(crate) enum Failure {
    /// What the model or the sampler says.
    Of(camelid_generate::Error),
    /// It took too long.
    Late,
}
