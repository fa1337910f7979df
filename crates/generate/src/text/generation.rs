//! The loop: one forward pass, one token, its text.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use camelid_tokenizers::{Stream, Tokenizer};

use crate::choice::logits;
use crate::choice::logprobs::Logprobs;
use crate::choice::sampler::Sampler;
use crate::choice::sampling::Sampling;
use crate::text::session::Session;
use crate::text::stop::{Stop, StopTexts};
use crate::{Error, memory};

/// A generated token.
#[derive(Debug, Clone, PartialEq)]
pub struct Token {
    /// Its id.
    pub id: u32,
    /// The text that it makes certain: often a word, sometimes nothing, since half a character is held back, and so is
    /// what may yet become a stop text. A special token has none. The texts of all tokens joined are the text.
    pub text: String,
    /// How likely it was, where [`Settings::logprobs`] asks for it.
    pub logprobs: Option<Logprobs>,
}

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

/// A stop text that spells a special token is that token: it never shows as text.
fn by_id(settings: &mut Settings, tokenizer: &dyn Tokenizer) {
    let Settings { stop_ids, stop_texts, .. } = settings;
    stop_texts.retain(|text| {
        let special = tokenizer.specials().iter().find(|special| special.name == *text);
        stop_ids.extend(special.map(|special| special.id));
        special.is_none()
    });
}

/// How a text is generated.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// How the next token is chosen.
    pub sampling: Sampling,
    /// At most so many tokens are generated.
    pub max_new_tokens: usize,
    /// Ids that end the text.
    pub stop_ids: Vec<u32>,
    /// Texts that end the text; they are not part of it. The name of a special token means the token.
    pub stop_texts: Vec<String>,
    /// The longest sequence, in tokens, in place of the length that the checkpoint was made for.
    pub context: Option<usize>,
    /// The text goes on where the prompt's ends: both joined are the text of all ids. An answer of a conversation is a text
    /// of its own instead, without the space that a vocabulary puts before a text.
    pub continues: bool,
    /// A prompt is read in pieces of so many tokens, where that is a law of the architecture: it bounds memory, and lets an
    /// interrupt in.
    pub piece: usize,
    /// Tells of each token how likely it was, and so many of the likeliest.
    pub logprobs: Option<usize>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            sampling: Sampling::default(),
            max_new_tokens: 256,
            stop_ids: Vec::new(),
            stop_texts: Vec::new(),
            context: None,
            continues: true,
            piece: 512,
            logprobs: None,
        }
    }
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
        let mut sampler = Sampler::new(settings.sampling)?;
        let context = settings.context.or(self.model.architecture().stack.context).unwrap_or(usize::MAX);
        if prompt.is_empty() {
            return Err(Error::EmptyPrompt);
        }
        if prompt.len() > context {
            return Err(Error::TooLong { tokens: prompt.len(), context });
        }
        let tokens = prompt.len().saturating_add(settings.max_new_tokens).min(context);
        let needed = memory::sequence_bytes(self.model.architecture(), tokens);
        let free = memory::free().map_or(u64::MAX, |free| free.saturating_add(self.cache.bytes() as u64));
        if needed > free {
            return Err(Error::Memory { tokens, needed, free });
        }
        self.keep_common(prompt)?;
        sampler.see(prompt);
        Ok(Generation::new(self, prompt, settings.clone(), context, sampler))
    }
}

/// An iterator over generated tokens. It ends after the token that ends the text, or after an error; [`Generation::stop`]
/// then says why. Dropped early, it leaves the session with the tokens that were computed.
pub struct Generation<'s, 'a> {
    session: &'s mut Session<'a>,
    settings: Settings,
    context: usize,
    sampler: Sampler,
    stream: Stream<'a>,
    /// Tokens that stand for no text of their own.
    specials: HashSet<u32>,
    stop_texts: StopTexts,
    /// Tokens that the model has yet to see: of the prompt, later the last one.
    pending: Vec<u32>,
    generated: Vec<u32>,
    stop: Option<Stop>,
    failed: bool,
    interrupt: Option<Arc<AtomicBool>>,
    watch: Option<Watch<'s>>,
    timings: Timings,
}

/// Hears how many tokens of the prompt are read, of how many that are to be.
type Watch<'s> = &'s mut dyn FnMut(usize, usize);

impl<'s, 'a> Generation<'s, 'a> {
    pub(crate) fn new(
        session: &'s mut Session<'a>,
        prompt: &[u32],
        mut settings: Settings,
        context: usize,
        sampler: Sampler,
    ) -> Generation<'s, 'a> {
        by_id(&mut settings, session.tokenizer);
        let pending = prompt[session.ids.len()..].to_vec();
        let stop = (settings.max_new_tokens == 0).then_some(Stop::Length);
        Generation {
            stream: match settings.continues {
                true => Stream::after(session.tokenizer, prompt),
                false => Stream::over(session.tokenizer),
            },
            specials: session.tokenizer.specials().iter().map(|special| special.id).collect(),
            stop_texts: StopTexts::new(&settings.stop_texts),
            timings: Timings { prefill_tokens: pending.len(), ..Timings::default() },
            generated: Vec::new(),
            failed: false,
            interrupt: None,
            watch: None,
            session,
            settings,
            context,
            sampler,
            pending,
            stop,
        }
    }

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
        self.stop
    }

    /// The ids so far, the one that ended the text among them.
    #[must_use]
    pub fn ids(&self) -> &[u32] {
        &self.generated
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
            self.stop = Some(Stop::Interrupt);
            return Ok(None);
        };
        self.check(&logits)?;
        let id = self.sampler.choose(&logits);
        let logprobs = self.settings.logprobs.map(|count| Logprobs::of(&logits, id, count));
        self.count(begin.elapsed());
        self.generated.push(id);
        self.pending = vec![id];
        Ok(Some(Token { id, text: self.text(id), logprobs }))
    }

    /// The logits after the pending tokens; `None` on an interrupt.
    fn forward(&mut self) -> Result<Option<Vec<f32>>, Error> {
        let Session { model, cache, ids, .. } = &mut *self.session;
        let whole = !model.architecture().chunks_freely();
        let piece = if whole { self.pending.len() } else { self.settings.piece.max(1) };
        let (mut last, end) = (None, ids.len() + self.pending.len());
        for piece in self.pending.chunks(piece) {
            if self.interrupt.as_ref().is_some_and(|flag| flag.load(Ordering::Relaxed)) {
                return Ok(None);
            }
            last = Some(model.forward(piece, cache, &mut ())?);
            ids.extend_from_slice(piece);
            if let (true, Some(watch)) = (self.generated.is_empty(), &mut self.watch) {
                watch(self.pending.len() + ids.len() - end, self.pending.len());
            }
        }
        if self.generated.is_empty() {
            cache.mark();
        }
        let hidden = last.ok_or(Error::EmptyPrompt)?;
        Ok(Some(logits::of_last_row(model, &hidden)))
    }

    fn check(&self, logits: &[f32]) -> Result<(), Error> {
        let Some(of) = logits.iter().position(|logit| !logit.is_finite()) else { return Ok(()) };
        let place = self.session.ids.len() - 1;
        Err(Error::NotFinite { place, id: self.session.ids[place], of, value: logits[of] })
    }

    fn count(&mut self, time: Duration) {
        if self.generated.is_empty() {
            self.timings.prefill = time;
        } else {
            self.timings.decode_tokens += 1;
            self.timings.decode += time;
        }
    }

    /// The token's text, and whether it is the last.
    fn text(&mut self, id: u32) -> String {
        if self.settings.stop_ids.contains(&id) {
            self.stop = Some(Stop::Eos);
            return self.rest();
        }
        // A row beyond the vocabulary fills the embedding up; it has no text.
        let certain = match self.specials.contains(&id) {
            true => String::new(),
            false => self.stream.push(id).unwrap_or_default(),
        };
        let (mut text, ended) = self.stop_texts.push(&certain);
        if ended {
            self.stop = Some(Stop::Text);
        } else if self.generated.len() >= self.settings.max_new_tokens {
            self.stop = Some(Stop::Length);
        } else if self.session.ids.len() >= self.context {
            self.stop = Some(Stop::Context);
        }
        if self.stop.is_some() && !ended {
            let rest = self.rest();
            text.push_str(&rest);
        }
        text
    }

    /// What was held back, up to a stop text.
    fn rest(&mut self) -> String {
        let tail = self.stream.finish();
        let (mut text, ended) = self.stop_texts.push(&tail);
        if !ended {
            text.push_str(&self.stop_texts.finish());
        }
        text
    }
}

impl Iterator for Generation<'_, '_> {
    type Item = Result<Token, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.stop.is_some() || self.failed {
            return None;
        }
        if self.is_interrupted() {
            self.stop = Some(Stop::Interrupt);
            return None;
        }
        let step = self.step();
        self.failed = step.is_err();
        step.transpose()
    }
}

impl std::fmt::Debug for Generation<'_, '_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Generation").field("generated", &self.generated).field("stop", &self.stop).finish()
    }
}
