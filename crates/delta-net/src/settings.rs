//! Sizes, and what does not fit.

/// What fades together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Decay {
    /// All features of a head: one number for each value head (gated delta net).
    #[default]
    Head,
    /// Each feature of a key by itself (Kimi delta attention).
    Feature,
}

/// Which key head a value head reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Share {
    /// Value heads that lie together read one key head: ⌊h · key_heads / value_heads⌋.
    #[default]
    Groups,
    /// By turns: h mod key_heads, the order in which llama.cpp lays value heads out.
    Turns,
}

/// The sizes of one layer.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Heads of queries and keys.
    pub key_heads: usize,
    /// Heads of values, of the state and of the result: a multiple of `key_heads`.
    pub value_heads: usize,
    /// Which key head a value head reads.
    pub share: Share,
    /// Features of a query or a key.
    pub key_dim: usize,
    /// Features of a value.
    pub value_dim: usize,
    /// What fades together.
    pub decay: Decay,
    /// ε, what keeps the length of a query or a key from zero.
    pub eps: f64,
}

/// What does not fit.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Error {
    /// A size of 0.
    #[error("{name} is 0; there must be at least one")]
    Zero {
        /// The setting.
        name: &'static str,
    },
    /// Value heads that key heads don't divide.
    #[error("{key_heads} key heads don't divide {value_heads} value heads")]
    Heads {
        /// `key_heads`
        key_heads: usize,
        /// `value_heads`
        value_heads: usize,
    },
    /// A size beyond what a machine can hold.
    #[error("a state of {value_heads} heads of {value_dim} by {key_dim} numbers is too large")]
    Large {
        /// `value_heads`
        value_heads: usize,
        /// `value_dim`
        value_dim: usize,
        /// `key_dim`
        key_dim: usize,
    },
    /// A number that is no number, or has the wrong sign.
    #[error("{name} is {value}; it must be {wanted}")]
    Range {
        /// The setting.
        name: &'static str,
        /// What it is.
        value: f64,
        /// What it may be.
        wanted: &'static str,
    },
    /// Parameters of the decay that don't fit one another.
    #[error("{rates} numbers of A for {biases} biases; each A belongs to as many biases, one at least")]
    Forget {
        /// Numbers of A.
        rates: usize,
        /// Biases.
        biases: usize,
    },
}

/// More numbers than any layer's state has: what asks for more is refused before it is laid out.
const MOST: usize = 1 << 30;

impl Settings {
    /// Whether they fit one another.
    ///
    /// # Errors
    /// What does not.
    pub fn check(&self) -> Result<(), Error> {
        let &Settings { key_heads, value_heads, share: _, key_dim, value_dim, decay: _, eps } = self;
        let sizes = [
            ("key_heads", key_heads),
            ("value_heads", value_heads),
            ("key_dim", key_dim),
            ("value_dim", value_dim),
        ];
        if let Some((name, _)) = sizes.into_iter().find(|(_, size)| *size == 0) {
            return Err(Error::Zero { name });
        }
        if !value_heads.is_multiple_of(key_heads) {
            return Err(Error::Heads { key_heads, value_heads });
        }
        let numbers = value_heads.checked_mul(key_dim).and_then(|n| n.checked_mul(value_dim));
        if numbers.is_none_or(|n| n > MOST) {
            return Err(Error::Large { value_heads, value_dim, key_dim });
        }
        if !(eps.is_finite() && eps >= 0.0) {
            return Err(Error::Range { name: "eps", value: eps, wanted: "finite and not negative" });
        }
        Ok(())
    }

    /// The key head that a value head reads.
    #[must_use]
    pub fn key_head(&self, value_head: usize) -> usize {
        match self.share {
            Share::Groups => value_head * self.key_heads / self.value_heads,
            Share::Turns => value_head % self.key_heads,
        }
    }

    /// Numbers of the state.
    #[must_use]
    pub fn numbers(&self) -> usize {
        self.value_heads.saturating_mul(self.key_dim).saturating_mul(self.value_dim)
    }

    /// Numbers of g for each token.
    #[must_use]
    pub fn decays(&self) -> usize {
        match self.decay {
            Decay::Head => self.value_heads,
            Decay::Feature => self.value_heads.saturating_mul(self.key_dim),
        }
    }
}
