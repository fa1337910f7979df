//! What follows a prompt: of each row of logits the next token, its text, and whether the text ends.

use std::collections::HashSet;

use camelid_families::Architecture;
use camelid_tokenizers::{Stream, Tokenizer};

use crate::Error;
use crate::choice::logprobs::Logprobs;
use crate::choice::sampler::Sampler;
use crate::choice::sampling::Sampling;
use crate::text::stop::{Stop, StopTexts};

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

/// What follows a prompt, token by token. It computes nothing: whoever runs the model hands it the logits after the last
/// token, which [`crate::Session`] does for one text, and a server for many at once.
pub struct Continuation<'a> {
    settings: Settings,
    context: usize,
    /// Tokens of the prompt, and the last of them.
    prompt: (usize, u32),
    sampler: Sampler,
    stream: Stream<'a>,
    /// Tokens that stand for no text of their own.
    specials: HashSet<u32>,
    stop_texts: StopTexts,
    generated: Vec<u32>,
    stop: Option<Stop>,
}

impl<'a> Continuation<'a> {
    /// What follows `prompt`.
    ///
    /// # Errors
    /// [`Error::EmptyPrompt`], [`Error::TooLong`], [`Error::Sampling`].
    pub fn new(
        architecture: &Architecture,
        tokenizer: &'a dyn Tokenizer,
        prompt: &[u32],
        settings: &Settings,
    ) -> Result<Continuation<'a>, Error> {
        let mut sampler = Sampler::new(settings.sampling)?;
        let context = settings.context.or(architecture.stack.context).unwrap_or(usize::MAX);
        let last = *prompt.last().ok_or(Error::EmptyPrompt)?;
        if prompt.len() > context {
            return Err(Error::TooLong { tokens: prompt.len(), context });
        }
        sampler.see(prompt);
        let mut settings = settings.clone();
        by_id(&mut settings, tokenizer);
        Ok(Continuation {
            context,
            prompt: (prompt.len(), last),
            sampler,
            stream: match settings.continues {
                true => Stream::after(tokenizer, prompt),
                false => Stream::over(tokenizer),
            },
            specials: tokenizer.specials().iter().map(|special| special.id).collect(),
            stop_texts: StopTexts::new(&settings.stop_texts),
            generated: Vec::new(),
            stop: (settings.max_new_tokens == 0).then_some(Stop::Length),
            settings,
        })
    }

    /// The longest that the sequence can become, prompt and all, in tokens.
    #[must_use]
    pub fn longest(&self) -> usize {
        self.prompt.0.saturating_add(self.settings.max_new_tokens).min(self.context)
    }

    /// Why the text ended; `None` while it goes on.
    #[must_use]
    pub fn stop(&self) -> Option<Stop> {
        self.stop
    }

    /// Ends the text.
    pub fn interrupt(&mut self) {
        self.stop = Some(Stop::Interrupt);
    }

    /// The ids so far, the one that ended the text among them.
    #[must_use]
    pub fn ids(&self) -> &[u32] {
        &self.generated
    }

    /// The next token, of the logits after the last one.
    ///
    /// # Errors
    /// [`Error::NotFinite`].
    pub fn choose(&mut self, logits: &[f32]) -> Result<Token, Error> {
        if let Some(of) = logits.iter().position(|logit| !logit.is_finite()) {
            let place = self.prompt.0 + self.generated.len() - 1;
            let id = self.generated.last().copied().unwrap_or(self.prompt.1);
            return Err(Error::NotFinite { place, id, of, value: logits[of] });
        }
        let id = self.sampler.choose(logits);
        let logprobs = self.settings.logprobs.map(|count| Logprobs::of(logits, id, count));
        self.generated.push(id);
        Ok(Token { id, text: self.text(id), logprobs })
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
        } else if self.prompt.0 + self.generated.len() > self.context {
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

impl std::fmt::Debug for Continuation<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Continuation").field("generated", &self.generated).field("stop", &self.stop).finish()
    }
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
