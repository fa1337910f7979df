//! Turn by turn: who is gone leaves, who waits joins, a bounded piece of prompts is read, every text goes on by a token.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::time::Duration;

use camelid_families::{Model, Next};
use camelid_tokenizers::Tokenizer;
use ndarray::{Array2, ArrayView2, Axis, Slice, concatenate};

use crate::engine::job::{Failure, Job};
use crate::engine::prefixes::Prefixes;
use crate::engine::sequence::{Reading, Running, is_over};
use crate::metrics::Metrics;

/// Tokens of prompts in one pass: more would make texts that go on wait for long, fewer would waste the multipliers.
pub(crate) const PIECE: usize = 128;

/// How long an idle thread sleeps before it looks whether anybody still waits.
const NAP: Duration = Duration::from_millis(500);

/// What bounds the work.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// Texts that go on at once.
    pub(crate) parallel: usize,
    /// Bytes of caches of all of them.
    pub(crate) memory: u64,
    /// Bytes of read prompts that are remembered.
    pub(crate) prefixes: usize,
}

/// The thread's own state.
pub(crate) struct Scheduler<'m> {
    model: &'m Model,
    tokenizer: &'m dyn Tokenizer,
    bounds: Bounds,
    jobs: Receiver<Job>,
    waiting: VecDeque<Job>,
    reading: Vec<Reading>,
    running: Vec<Running<'m>>,
    prefixes: Prefixes,
    metrics: Arc<Metrics>,
}

impl<'m> Scheduler<'m> {
    pub(crate) fn new(
        (model, tokenizer): (&'m Model, &'m dyn Tokenizer),
        bounds: Bounds,
        jobs: Receiver<Job>,
        metrics: Arc<Metrics>,
    ) -> Scheduler<'m> {
        let prefixes = Prefixes::new(bounds.prefixes);
        let (waiting, reading, running) = (VecDeque::new(), Vec::new(), Vec::new());
        Scheduler { model, tokenizer, bounds, jobs, waiting, reading, running, prefixes, metrics }
    }

    /// Works until nobody can hand in a job any more and all are done.
    pub(crate) fn run(mut self) {
        while self.receive() {
            self.leave();
            self.join();
            self.read();
            self.go_on();
            self.tell();
        }
    }

    /// Takes what was handed in; waits where there is nothing to do. False where nothing will ever come.
    fn receive(&mut self) -> bool {
        let idle = self.waiting.is_empty() && self.reading.is_empty() && self.running.is_empty();
        if idle {
            self.tell();
            match self.jobs.recv_timeout(NAP) {
                Ok(job) => self.waiting.push_back(job),
                Err(RecvTimeoutError::Timeout) => return true,
                Err(RecvTimeoutError::Disconnected) => return false,
            }
        }
        loop {
            match self.jobs.try_recv() {
                Ok(job) => self.waiting.push_back(job),
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => return true,
            }
        }
    }

    /// Frees the places of those for whom nobody waits, and of those whose time is over.
    fn leave(&mut self) {
        self.waiting.retain(|job| !is_over(&job.events, job.deadline));
        self.reading.retain(|reading| !reading.is_over());
        self.running.retain(|running| !running.is_over());
    }

    /// Lets those in who waited longest, as long as there is room for the next of them.
    fn join(&mut self) {
        while let Some(job) = self.waiting.front() {
            let taken = self.running.len() + self.reading.iter().map(|reading| reading.job.n).sum::<usize>();
            let reserved = self.running.iter().map(|running| running.reserved).sum::<u64>()
                + self.reading.iter().map(|reading| reading.job.needed).sum::<u64>();
            let fits = reserved.saturating_add(job.needed) <= self.bounds.memory;
            if (taken > 0 && !fits) || taken + job.n > self.bounds.parallel {
                return;
            }
            let Some(job) = self.waiting.pop_front() else { return };
            self.begin(job);
        }
    }

    fn begin(&mut self, job: Job) {
        // Who wants to know of each token of the prompt wants all of them read.
        let held = match job.scores_prompt {
            true => None,
            false => self.prefixes.find(self.model.architecture(), &job.prompt, PIECE),
        };
        let held = held.unwrap_or_else(|| self.model.cache());
        self.reading.push(Reading::new(job, held));
    }

    /// Reads a piece of the prompt that came first, and of others what stands beside it.
    fn read(&mut self) {
        let mut ends = Vec::new();
        let mut tokens = 0;
        for reading in &self.reading {
            let end = reading.piece_end(self.model, PIECE);
            if tokens > 0 && tokens + end - reading.read > PIECE {
                break;
            }
            tokens += end - reading.read;
            ends.push(end);
        }
        if ends.is_empty() {
            return;
        }
        for (reading, end) in self.reading.iter_mut().zip(&ends) {
            // Where the bits depend on the cuts, what stands before the last piece can be gone on from.
            if *end == reading.job.prompt.len() && !self.model.architecture().cuts_exactly() {
                self.prefixes.keep(&reading.job.prompt[..reading.read], &reading.cache);
            }
        }
        let pieces = self.reading.iter_mut().zip(&ends);
        let nexts = pieces.map(|(reading, end)| Next {
            tokens: &reading.job.prompt[reading.read..*end],
            cache: &mut reading.cache,
        });
        let made = forward(self.model, nexts.collect());
        self.metrics.read(tokens);
        let mut unread = self.reading.split_off(ends.len());
        let mut done = Vec::new();
        for ((mut reading, end), made) in std::mem::take(&mut self.reading).into_iter().zip(ends).zip(made) {
            match made {
                Err(error) => reading.fail(Failure::Of(error.into())),
                Ok(hidden) => {
                    reading.advance(self.model, &hidden, end);
                    if reading.is_read() {
                        done.push((reading, hidden));
                    } else {
                        self.reading.push(reading);
                    }
                }
            }
        }
        self.reading.append(&mut unread);
        self.first_tokens(done);
    }

    /// The prompts that have been read go on.
    fn first_tokens(&mut self, done: Vec<(Reading, Array2<f32>)>) {
        if done.is_empty() {
            return;
        }
        let rows: Vec<_> = done.iter().map(|(_, hidden)| last(hidden)).collect();
        let logits = of_each(self.model, &rows);
        for ((reading, _), logits) in done.into_iter().zip(logits.outer_iter()) {
            if self.model.architecture().cuts_exactly() {
                self.prefixes.keep(&reading.job.prompt, &reading.cache);
            }
            let logits = logits.as_slice().expect("a row of a new array");
            self.metrics.generated(reading.job.n * usize::from(reading.job.settings.max_new_tokens > 0));
            self.running.extend(reading.go_on(self.model, self.tokenizer, logits));
        }
    }

    /// Every text goes on by a token.
    fn go_on(&mut self) {
        if self.running.is_empty() {
            return;
        }
        let lasts: Vec<[u32; 1]> = self.running.iter().map(|running| [running.last]).collect();
        let nexts = self.running.iter_mut().zip(&lasts);
        let nexts = nexts.map(|(running, last)| Next { tokens: last, cache: &mut running.cache });
        let made = forward(self.model, nexts.collect());
        let mut going = Vec::new();
        for (running, made) in std::mem::take(&mut self.running).into_iter().zip(made) {
            match made {
                Ok(hidden) => going.push((running, hidden)),
                Err(error) => running.fail(Failure::Of(error.into())),
            }
        }
        let rows: Vec<_> = going.iter().map(|(_, hidden)| hidden.view()).collect();
        if rows.is_empty() {
            return;
        }
        self.metrics.generated(rows.len());
        let logits = of_each(self.model, &rows);
        for ((running, _), logits) in going.into_iter().zip(logits.outer_iter()) {
            self.running.extend(running.choose(logits.as_slice().expect("a row of a new array")));
        }
    }

    fn tell(&self) {
        self.metrics.state(
            self.running.len() + self.reading.len(),
            self.waiting.len(),
            self.prefixes.bytes(),
        );
    }
}

/// One pass for all; where one of them is refused, each by itself, so that the others go on.
fn forward(model: &Model, mut all: Vec<Next<'_>>) -> Vec<Result<Array2<f32>, camelid_families::Error>> {
    match model.forward_all(&mut all, &mut ()) {
        Ok(made) => made.into_iter().map(Ok).collect(),
        Err(_) => all.into_iter().map(|next| model.forward(next.tokens, next.cache, &mut ())).collect(),
    }
}

fn last(hidden: &Array2<f32>) -> ArrayView2<'_, f32> {
    hidden.slice_axis(Axis(0), Slice::from(hidden.nrows().saturating_sub(1)..))
}

/// The logits of single rows.
fn of_each(model: &Model, rows: &[ArrayView2<'_, f32>]) -> Array2<f32> {
    let rows = concatenate(Axis(0), rows).expect("rows of one width");
    model.logits_of_each(rows.view())
}
