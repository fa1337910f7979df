//! What a sequence leaves behind for its next tokens: keys and values, latents or a state of every layer, and where its prefix ended.

use camelid_attention::Reach;

use crate::error::Error;
use crate::waist::architecture::Prefix;
use crate::waist::memory::SLACK;

/// The state of one sequence. `Clone` forks it: both go on from here, sharing what they have in common.
#[derive(Debug, Clone)]
pub struct Cache {
    pub(crate) layers: Vec<Kept>,
    /// Tokens after the first call, which some rotary frequencies follow for good.
    pub(crate) first: usize,
    pub(crate) prefix: Option<Prefixed>,
    /// Where a state can go back to.
    pub(crate) mark: Option<Mark>,
}

/// All layers at some place of the text.
#[derive(Debug, Clone)]
pub(crate) struct Mark {
    len: usize,
    layers: Vec<Kept>,
}

/// What one layer keeps.
#[derive(Debug, Clone)]
pub(crate) enum Kept {
    /// Keys and values of its heads, and what they are read by.
    Heads(camelid_attention::Cache, Reach),
    /// The latent that they are made of.
    Latent(camelid_latent::Cache),
    /// A state that takes their place.
    State(Box<Stepped>),
    /// Nothing: it reads another layer's.
    Nothing,
}

/// A state, of one size for any text: it can't be cut.
#[derive(Debug, Clone)]
pub(crate) struct Stepped {
    /// Tokens that it has seen.
    pub(crate) tokens: usize,
    /// Of queries, keys and values.
    pub(crate) convs: [camelid_short_conv::State; 3],
    pub(crate) heads: camelid_delta_net::State,
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
        self.layers.iter().map(Kept::len).max().unwrap_or(0)
    }

    /// Whether nothing is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes held by keys and values, by latents and by states, that of [`Cache::mark`] among them.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let marked = self.mark.iter().flat_map(|mark| &mark.layers).filter(|kept| kept.is_state());
        self.layers.iter().chain(marked).map(Kept::bytes).sum()
    }

    /// Whether it can be cut to `len` tokens: not so where a layer keeps a state, which holds all tokens in one, or where a
    /// window has forgotten what the next query would see.
    fn cuts(&self, len: usize) -> bool {
        len >= self.len() || len == 0 || self.layers.iter().all(|kept| kept.cuts(len))
    }

    /// Makes this place one that [`Cache::truncate`] can come back to, in place of the last such; for nothing where no layer
    /// keeps a state.
    pub fn mark(&mut self) {
        if self.layers.iter().any(Kept::is_state) {
            self.mark = Some(Mark { len: self.len(), layers: self.layers.clone() });
        }
    }

    /// The longest start of at most `len` tokens that [`Cache::truncate`] can go back to.
    #[must_use]
    pub fn reachable(&self, len: usize) -> usize {
        if self.cuts(len) {
            return len.min(self.len());
        }
        self.mark.as_ref().map(|mark| mark.len).filter(|marked| *marked <= len).unwrap_or(0)
    }

    /// Forgets all tokens from `len` on.
    ///
    /// # Errors
    /// [`Error::Input`] if that would cut a two-way prefix, whose tokens have seen one another; or, anywhere but at its start and
    /// at its [`Cache::mark`], a state, or keys that a window has forgotten.
    pub fn truncate(&mut self, len: usize) -> Result<(), Error> {
        if let Some(prefix) = self.prefix.filter(|prefix| len > 0 && len < prefix.end) {
            let message = format!("{len} tokens would cut the two-way prefix of {} tokens", prefix.end);
            return Err(Error::Input(message));
        }
        let held = self.len();
        if !self.cuts(len) {
            let Some(mark) = self.mark.as_ref().filter(|mark| mark.len == len) else {
                let places = match &self.mark {
                    Some(mark) => format!("0 or {}", mark.len),
                    None => "0".into(),
                };
                let message = format!(
                    "what is held of {held} tokens can't be cut to {len}: a state holds all in one, and a window forgets; it can go back to {places}"
                );
                return Err(Error::Input(message));
            };
            self.layers = mark.layers.clone();
            return Ok(());
        }
        if len == 0 {
            self.first = 0;
            self.prefix = None;
            self.mark = None;
        }
        for layer in &mut self.layers {
            layer.truncate(len);
        }
        Ok(())
    }

    /// Forgets what no query sees any more, but for some tokens by which the text may be cut.
    pub(crate) fn forget(&mut self) {
        for kept in &mut self.layers {
            if let Kept::Heads(cache, reach) = kept {
                cache.forget_before(reach.run(cache.len()).start.saturating_sub(SLACK));
            }
        }
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
            Kept::Heads(cache, _) => cache.len(),
            Kept::Latent(cache) => cache.len(),
            Kept::State(state) => state.tokens,
            Kept::Nothing => 0,
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Kept::Heads(cache, _) => cache.bytes(),
            Kept::Latent(cache) => cache.bytes(),
            Kept::State(state) => {
                state.convs.iter().map(camelid_short_conv::State::bytes).sum::<usize>() + state.heads.bytes()
            }
            Kept::Nothing => 0,
        }
    }

    fn truncate(&mut self, len: usize) {
        match self {
            Kept::Heads(cache, _) => cache.truncate(len),
            Kept::Latent(cache) => cache.truncate(len),
            Kept::State(state) if len == 0 => {
                state.tokens = 0;
                state.convs.iter_mut().for_each(camelid_short_conv::State::clear);
                state.heads.clear();
            }
            // What is not shorter than the text, as the cache has seen.
            Kept::State(_) | Kept::Nothing => {}
        }
    }

    /// Whether it holds what the token at `len` sees, so that the text can be cut there.
    fn cuts(&self, len: usize) -> bool {
        match self {
            Kept::Heads(cache, reach) => reach.run(len).start >= cache.first(),
            Kept::State(_) => false,
            Kept::Latent(_) | Kept::Nothing => true,
        }
    }

    fn is_state(&self) -> bool {
        match self {
            Kept::State(_) => true,
            Kept::Heads(..) | Kept::Latent(_) | Kept::Nothing => false,
        }
    }
}
