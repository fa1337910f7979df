//! The settings under upstream's names, and the frequencies they give.

use camelid_rope::{Error, Frequencies, Settings};

use crate::ramp::Ramp;

/// Upstream's `rope_scaling` table of the type `yarn`, without the key `rope_type` that says so.
///
/// With the feature `serde` absent fields have the values of [`Yarn::new`], and unknown ones are errors.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
pub struct Yarn {
    /// How many times the trained length is extended: at least 1.
    pub factor: f64,
    /// n, the trained length in tokens; the settings' context where absent.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Option::is_none"))]
    pub original_max_position_embeddings: Option<usize>,
    /// Pairs that turn more often than this within n keep their frequency: 32.
    #[cfg_attr(feature = "serde", serde(default = "beta_fast"))]
    pub beta_fast: f64,
    /// Pairs that turn less often than this within n are interpolated: 1.
    #[cfg_attr(feature = "serde", serde(default = "beta_slow"))]
    pub beta_slow: f64,
    /// What cosines and sines are multiplied by, in place of the formula.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Option::is_none"))]
    pub attention_factor: Option<f64>,
    /// With `mscale_all_dim`: the factor is (0.1 · mscale · ln(factor) + 1) / (0.1 · mscale_all_dim · ln(factor) + 1).
    /// Zero is as good as absent.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Option::is_none"))]
    pub mscale: Option<f64>,
    /// See `mscale`.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Option::is_none"))]
    pub mscale_all_dim: Option<f64>,
    /// Whether the band between fast and slow is widened to whole pairs: true.
    #[cfg_attr(feature = "serde", serde(default = "truncate"))]
    pub truncate: bool,
}

fn beta_fast() -> f64 {
    32.0
}

fn beta_slow() -> f64 {
    1.0
}

fn truncate() -> bool {
    true
}

impl Yarn {
    /// An extension by `factor` with the paper's constants.
    pub fn new(factor: f64) -> Self {
        Self {
            factor,
            original_max_position_embeddings: None,
            beta_fast: beta_fast(),
            beta_slow: beta_slow(),
            attention_factor: None,
            mscale: None,
            mscale_all_dim: None,
            truncate: truncate(),
        }
    }

    /// The frequencies, which are the same for every length.
    ///
    /// # Errors
    /// Those of [`check`](Self::check).
    pub fn frequencies(&self, settings: &Settings) -> Result<Frequencies, Error> {
        self.check(settings)?;
        let ramp = Ramp::new(settings, self.trained(settings)?, [self.beta_fast, self.beta_slow]);
        let ramp = if self.truncate { ramp.truncated() } else { ramp }.within(settings.rotary_dim);
        let scale = |(pair, f): (usize, f64)| ramp.at(pair) * f / self.factor + (1.0 - ramp.at(pair)) * f;
        Ok(Frequencies {
            inverse: settings.inverse().into_iter().enumerate().map(scale).collect(),
            factor: self.attention(),
        })
    }

    /// Whether the numbers are in range. Allocates nothing.
    ///
    /// # Errors
    /// Those of [`Settings::check`]; if θ is not above 1, the factor below 1, no trained length is given, or
    /// another number is not positive, or `beta_slow` exceeds `beta_fast`.
    pub fn check(&self, settings: &Settings) -> Result<(), Error> {
        settings.check()?;
        in_range("theta", settings.theta, "a number above 1", settings.theta > 1.0)?;
        in_range("factor", self.factor, "a number of at least 1", self.factor >= 1.0)?;
        let trained = self.trained(settings)?;
        in_range("original_max_position_embeddings", trained as f64, "at least 1 token", trained >= 1)?;
        for (key, value) in [("beta_fast", self.beta_fast), ("beta_slow", self.beta_slow)] {
            in_range(key, value, "a positive number", value > 0.0)?;
        }
        if self.beta_slow > self.beta_fast {
            return Err(Error::Order {
                low: "beta_slow",
                low_value: self.beta_slow,
                high: "beta_fast",
                high_value: self.beta_fast,
            });
        }
        if let Some(value) = self.attention_factor {
            in_range("attention_factor", value, "a positive number", value > 0.0)?;
        }
        for (key, value) in [("mscale", self.mscale), ("mscale_all_dim", self.mscale_all_dim)] {
            let value = value.unwrap_or(0.0);
            in_range(key, value, "a number of at least 0", value >= 0.0)?;
        }
        Ok(())
    }

    fn trained(&self, settings: &Settings) -> Result<usize, Error> {
        self.original_max_position_embeddings.or(settings.context).ok_or(Error::Missing {
            rope_type: "yarn",
            needs: "a trained length (original_max_position_embeddings or the context)",
        })
    }

    /// What cosines and sines are multiplied by.
    fn attention(&self) -> f64 {
        let grown = |mscale: f64| 0.1 * mscale * self.factor.ln() + 1.0;
        match (self.attention_factor, self.mscale, self.mscale_all_dim) {
            (Some(given), _, _) => given,
            (None, Some(mscale), Some(all)) if mscale != 0.0 && all != 0.0 => grown(mscale) / grown(all),
            (None, _, _) => grown(1.0),
        }
    }
}

fn in_range(key: &'static str, value: f64, wanted: &'static str, holds: bool) -> Result<(), Error> {
    if holds && value.is_finite() { Ok(()) } else { Err(Error::Range { key, value, wanted }) }
}
