//! A sequence that goes on: what the cache holds, and prompts that continue it.

use camelid_families::{Cache, Model};
use camelid_tokenizers::Tokenizer;

use crate::Error;

/// A sequence of tokens and the model's memory of it. `Clone` forks it: both go on from here, sharing what they have in
/// common.
///
/// A prompt is always the whole sequence: of the cache, the part that the prompt begins with is kept, where that changes
/// nothing; so the continuation of a prompt does not depend on what the session held, but for rounding where a layer keeps a
/// state.
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
    /// [`camelid_families::Error::Input`] where that would cut a two-way prefix, or a state anywhere but at the end of the last
    /// prompt.
    pub fn truncate(&mut self, len: usize) -> Result<(), Error> {
        self.cache.truncate(len)?;
        self.ids.truncate(len);
        Ok(())
    }

    /// Keeps of the cache what the prompt begins with, and at most all but its last token, whose logits are needed.
    pub(crate) fn keep_common(&mut self, prompt: &[u32]) -> Result<(), Error> {
        let common = self.ids.iter().zip(prompt).take_while(|(held, asked)| held == asked).count();
        let kept = if self.model.architecture().chunks_freely() { common.min(prompt.len() - 1) } else { 0 };
        self.truncate(self.cache.reachable(kept))
    }
}
