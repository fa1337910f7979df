//! The loop: one forward pass, one token, its text.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::choice::logits;
use crate::text::continuation::{Continuation, Settings, Token};
use crate::text::pieces;
use crate::text::session::Session;
use crate::text::stop::Stop;
use crate::{Error, memory};

/// How long it took.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Timings {
    /// Tokens of the prompt that were computed: those that the cache did not hold.
    pub prefill_tokens: usize,
    /// From the beginning until the first token was known.
    pub prefill: Duration,
    /// Tokens after the first.
    pub decode_tokens: usize,
    /// For these.
    pub decode: Duration,
}

impl Timings {
    /// Tokens of the prompt per second.
    #[must_use]
    pub fn prefill_tok_s(&self) -> Option<f64> {
        rate(self.prefill_tokens, self.prefill)
    }

    /// Tokens per second after the first.
    #[must_use]
    pub fn decode_tok_s(&self) -> Option<f64> {
        rate(self.decode_tokens, self.decode)
    }
}

fn rate(tokens: usize, time: Duration) -> Option<f64> {
    (tokens > 0 && !time.is_zero()).then(|| tokens as f64 / time.as_secs_f64())
}

impl<'a> Session<'a> {
    /// Continues a prompt, token by token. Nothing is computed before the first is asked for.
    ///
    /// # Errors
    /// [`Error::EmptyPrompt`], [`Error::TooLong`], [`Error::Memory`], [`Error::Sampling`]; all before any arithmetic and
    /// before any memory is taken.
    pub fn generate<'s>(
        &'s mut self,
        prompt: &[u32],
        settings: &Settings,
    ) -> Result<Generation<'s, 'a>, Error> {
        let architecture = self.model.architecture();
        let continuation = Continuation::new(architecture, self.tokenizer, prompt, settings)?;
        let tokens = continuation.longest();
        let needed = memory::sequence_bytes(architecture, tokens);
        let free = memory::free().map_or(u64::MAX, |free| free.saturating_add(self.cache.bytes() as u64));
        if needed > free {
            return Err(Error::Memory { tokens, needed, free });
        }
        self.keep_common(prompt)?;
        let pending = prompt[self.ids.len()..].to_vec();
        Ok(Generation {
            timings: Timings { prefill_tokens: pending.len(), ..Timings::default() },
            session: self,
            continuation,
            piece: settings.piece,
            pending,
            failed: false,
            interrupt: None,
            watch: None,
        })
    }
}

/// An iterator over generated tokens. It ends after the token that ends the text, or after an error; [`Generation::stop`]
/// then says why. Dropped early, it leaves the session with the tokens that were computed.
pub struct Generation<'s, 'a> {
    session: &'s mut Session<'a>,
    continuation: Continuation<'a>,
    piece: usize,
    /// Tokens that the model has yet to see: of the prompt, later the last one.
    pending: Vec<u32>,
    failed: bool,
    interrupt: Option<Arc<AtomicBool>>,
    watch: Option<Watch<'s>>,
    timings: Timings,
}

/// Hears how many tokens of the prompt are read, of how many that are to be.
type Watch<'s> = &'s mut dyn FnMut(usize, usize);

impl<'s> Generation<'s, '_> {
    /// Ends the text as soon as `flag` is true: before the next token, or the next piece of the prompt.
    #[must_use]
    pub fn interrupted_by(mut self, flag: Arc<AtomicBool>) -> Self {
        self.interrupt = Some(flag);
        self
    }

    /// Tells how many tokens of the prompt are read, of how many, after each piece of it.
    #[must_use]
    pub fn watched_by(mut self, watch: &'s mut dyn FnMut(usize, usize)) -> Self {
        self.watch = Some(watch);
        self
    }

    /// Why the text ended; `None` while it goes on, and after an error.
    #[must_use]
    pub fn stop(&self) -> Option<Stop> {
        self.continuation.stop()
    }

    /// The ids so far, the one that ended the text among them.
    #[must_use]
    pub fn ids(&self) -> &[u32] {
        self.continuation.ids()
    }

    /// How long it took so far.
    #[must_use]
    pub fn timings(&self) -> Timings {
        self.timings
    }

    fn is_interrupted(&self) -> bool {
        self.interrupt.as_ref().is_some_and(|flag| flag.load(Ordering::Relaxed))
    }

    /// One token; `None` on an interrupt.
    fn step(&mut self) -> Result<Option<Token>, Error> {
        let begin = Instant::now();
        let Some(logits) = self.forward()? else {
            self.continuation.interrupt();
            return Ok(None);
        };
        let is_first = self.ids().is_empty();
        let token = self.continuation.choose(&logits)?;
        self.count(begin.elapsed(), is_first);
        self.pending = vec![token.id];
        Ok(Some(token))
    }

    /// The logits after the pending tokens; `None` on an interrupt.
    fn forward(&mut self) -> Result<Option<Vec<f32>>, Error> {
        let Session { model, cache, ids, .. } = &mut *self.session;
        let (mut last, whole) = (None, self.pending.len());
        let mut left = self.pending.as_slice();
        while !left.is_empty() {
            if self.interrupt.as_ref().is_some_and(|flag| flag.load(Ordering::Relaxed)) {
                return Ok(None);
            }
            let end = pieces::end(model.architecture(), ids.len(), ids.len() + left.len(), self.piece);
            let (piece, rest) = left.split_at(end - ids.len());
            last = Some(model.forward(piece, cache, &mut ())?);
            ids.extend_from_slice(piece);
            left = rest;
            if let (true, Some(watch)) = (self.continuation.ids().is_empty(), &mut self.watch) {
                watch(whole - left.len(), whole);
            }
        }
        if self.continuation.ids().is_empty() {
            cache.mark();
        }
        let hidden = last.ok_or(Error::EmptyPrompt)?;
        Ok(Some(logits::of_last_row(model, &hidden)))
    }

    fn count(&mut self, time: Duration, is_first: bool) {
        if is_first {
            self.timings.prefill = time;
        } else {
            self.timings.decode_tokens += 1;
            self.timings.decode += time;
        }
    }
}

impl Iterator for Generation<'_, '_> {
    type Item = Result<Token, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.stop().is_some() || self.failed {
            return None;
        }
        if self.is_interrupted() {
            self.continuation.interrupt();
            return None;
        }
        let step = self.step();
        self.failed = step.is_err();
        step.transpose()
    }
}

impl std::fmt::Debug for Generation<'_, '_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Generation").field("continuation", &self.continuation).finish()
    }
}
