//! What a sequence leaves behind for its next tokens: keys and values of every layer, and where its prefix ended.

use crate::error::Error;
use crate::waist::architecture::Prefix;

/// The state of one sequence. `Clone` forks it: both go on from here, sharing what they have in common.
#[derive(Debug, Clone)]
pub struct Cache {
    pub(crate) layers: Vec<Kept>,
    /// Tokens after the first call, which some rotary frequencies follow for good.
    pub(crate) first: usize,
    pub(crate) prefix: Option<Prefixed>,
}

/// What one layer keeps.
#[derive(Debug, Clone)]
pub(crate) enum Kept {
    /// Keys and values of its heads.
    Heads(camelid_attention::Cache),
    /// The latent that they are made of.
    Latent(camelid_latent::Cache),
    /// Nothing: it reads another layer's.
    Nothing,
}

/// Where a two-way prefix ended, and where place one stands still.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Prefixed {
    pub(crate) end: usize,
    pub(crate) hold: usize,
}

impl Cache {
    /// Tokens held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.layers.first().map_or(0, Kept::len)
    }

    /// Whether nothing is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes held by keys and values, or by latents.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.layers.iter().map(Kept::bytes).sum()
    }

    /// Forgets all tokens from `len` on.
    ///
    /// # Errors
    /// [`Error::Input`] if that would cut a two-way prefix, whose tokens have seen one another.
    pub fn truncate(&mut self, len: usize) -> Result<(), Error> {
        if let Some(prefix) = self.prefix.filter(|prefix| len > 0 && len < prefix.end) {
            let message = format!("{len} tokens would cut the two-way prefix of {} tokens", prefix.end);
            return Err(Error::Input(message));
        }
        if len == 0 {
            self.first = 0;
            self.prefix = None;
        }
        for layer in &mut self.layers {
            layer.truncate(len);
        }
        Ok(())
    }

    /// Finds the prefix in the first call; a later call has it already.
    pub(crate) fn find_prefix(
        &self,
        rule: Option<&Prefix>,
        tokens: &[u32],
    ) -> Result<Option<Prefixed>, Error> {
        let Some(Prefix { until, hold }) = rule else { return Ok(None) };
        if !self.is_empty() {
            return Ok(self.prefix);
        }
        let end = tokens.iter().position(|token| token == until).ok_or_else(|| {
            let message = "the first call must hold the whole prompt, up to and with the token";
            Error::Input(format!("{message} {until} that ends its two-way prefix"))
        })?;
        if hold.is_empty() {
            return Ok(Some(Prefixed { end, hold: end }));
        }
        let held = hold.iter().find_map(|hold| tokens.iter().position(|token| token == hold));
        let hold = held.ok_or_else(|| {
            let message = "the prompt holds none of the tokens";
            Error::Input(format!("{message} {hold:?} at which its places stand still"))
        })?;
        Ok(Some(Prefixed { end, hold }))
    }
}

impl Kept {
    fn len(&self) -> usize {
        match self {
            Kept::Heads(cache) => cache.len(),
            Kept::Latent(cache) => cache.len(),
            Kept::Nothing => 0,
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Kept::Heads(cache) => cache.bytes(),
            Kept::Latent(cache) => cache.bytes(),
            Kept::Nothing => 0,
        }
    }

    fn truncate(&mut self, len: usize) {
        match self {
            Kept::Heads(cache) => cache.truncate(len),
            Kept::Latent(cache) => cache.truncate(len),
            Kept::Nothing => {}
        }
    }
}
