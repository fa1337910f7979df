//! A sequence that goes on: what the cache holds, and prompts that continue it.

use camelid_families::{Cache, Model};
use camelid_tokenizers::Tokenizer;

use crate::generation::Generation;
use crate::sampler::Sampler;
use crate::{Error, Sampling, memory};

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
        }
    }
}

/// A sequence of tokens and the model's memory of it. `Clone` forks it: both go on from here, sharing what they have in
/// common.
///
/// A prompt is always the whole sequence: of the cache, the part that the prompt begins with is kept, where that changes
/// nothing; so the continuation of a prompt does not depend on what the session held.
#[derive(Debug, Clone)]
pub struct Session<'a> {
    pub(crate) model: &'a Model,
    pub(crate) tokenizer: &'a dyn Tokenizer,
    pub(crate) cache: Cache,
    /// The tokens that the cache holds.
    pub(crate) ids: Vec<u32>,
}

impl<'a> Session<'a> {
    /// A session that holds nothing.
    #[must_use]
    pub fn new(model: &'a Model, tokenizer: &'a dyn Tokenizer) -> Session<'a> {
        Session { model, tokenizer, cache: model.cache(), ids: Vec::new() }
    }

    /// The tokens that the cache holds.
    #[must_use]
    pub fn ids(&self) -> &[u32] {
        &self.ids
    }

    /// Bytes that the cache holds.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.cache.bytes()
    }

    /// Forgets all tokens from `len` on.
    ///
    /// # Errors
    /// [`camelid_families::Error::Input`] where that would cut a two-way prefix.
    pub fn truncate(&mut self, len: usize) -> Result<(), Error> {
        self.cache.truncate(len)?;
        self.ids.truncate(len);
        Ok(())
    }

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
        let needed = memory::cache_bytes(self.model.architecture(), tokens);
        let free = memory::free().map_or(u64::MAX, |free| free.saturating_add(self.cache.bytes() as u64));
        if needed > free {
            return Err(Error::Memory { tokens, needed, free });
        }
        self.keep_common(prompt)?;
        sampler.see(prompt);
        Ok(Generation::new(self, prompt, settings.clone(), context, sampler))
    }

    /// Keeps of the cache what the prompt begins with, and at most all but its last token, whose logits are needed.
    fn keep_common(&mut self, prompt: &[u32]) -> Result<(), Error> {
        let common = self.ids.iter().zip(prompt).take_while(|(held, asked)| held == asked).count();
        let kept = if self.model.architecture().chunks_freely() { common.min(prompt.len() - 1) } else { 0 };
        self.truncate(kept)
    }
}
