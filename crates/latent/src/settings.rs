//! The sizes of one layer of latent attention, and the checks that they must pass once.

/// The numbers of one layer.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
pub struct Settings {
    /// Heads, of queries as of expanded keys and values.
    pub heads: usize,
    /// Numbers of the latent c.
    pub rank: usize,
    /// Leading features of a head's query and key, which tell no place; they come from the latent.
    pub unturned: usize,
    /// Trailing features of a head's query and key, which turn; the key's are shared by all heads. May be 0.
    pub turned: usize,
    /// Features of a head's value.
    pub value_dim: usize,
    /// What q·k is multiplied by, usually (unturned + turned)^−½.
    pub scale: f64,
}

impl Settings {
    /// Features of a head's query and key.
    pub fn key_dim(&self) -> usize {
        self.unturned + self.turned
    }

    /// Numbers cached for each position.
    pub fn cached(&self) -> usize {
        self.rank + self.turned
    }

    /// Whether the numbers are in range.
    ///
    /// # Errors
    /// If a size is 0 (but for `turned`), or the scale is not finite.
    pub fn check(&self) -> Result<(), Error> {
        let sizes = [
            ("heads", self.heads),
            ("rank", self.rank),
            ("unturned", self.unturned),
            ("value_dim", self.value_dim),
        ];
        if let Some((name, _)) = sizes.into_iter().find(|(_, size)| *size == 0) {
            return Err(Error::Zero { name });
        }
        if !(self.scale as f32).is_finite() {
            return Err(Error::Scale { scale: self.scale });
        }
        Ok(())
    }
}

/// (0.1 · m · ln f + 1)²: what YaRN of factor f with `mscale_all_dim` m multiplies the scale by. 1 where f is at most 1.
pub fn yarn_growth(factor: f64, mscale_all_dim: f64) -> f64 {
    if factor <= 1.0 { 1.0 } else { (0.1 * mscale_all_dim * factor.ln() + 1.0).powi(2) }
}

/// Settings or weights that describe no latent attention.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Error {
    /// A size that must be at least one is zero.
    #[error("{name} is 0, but must be at least 1")]
    Zero {
        /// The field of [`Settings`].
        name: &'static str,
    },
    /// The scale is not a finite f32.
    #[error("the scale {scale} is not a finite 32-bit number")]
    Scale {
        /// The scale given.
        scale: f64,
    },
    /// A weight of another shape than the settings ask for.
    #[error("{what} is {found:?}, not {wanted:?}")]
    Shape {
        /// What it is for.
        what: &'static str,
        /// `[out, in]` found.
        found: [usize; 2],
        /// `[out, in]` asked for.
        wanted: [usize; 2],
    },
    /// The weight that expands the latent has a bias, which neither form takes.
    #[error("the projection from the latent has a bias")]
    Bias,
}
