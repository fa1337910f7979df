//! The ways to scale frequencies for contexts beyond the trained one, under upstream's names, and their checks.

use crate::{Error, Settings};

/// How the frequencies are changed for long contexts: upstream's `rope_scaling`, field by field.
///
/// With the feature `serde` it is read from a table with the key `rope_type`; a field that the type does not
/// have is an error. n is the trained length, T the present one, both in tokens.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(tag = "rope_type", rename_all = "lowercase", deny_unknown_fields)
)]
pub enum Scaling {
    /// None. (Braces, since serde lets a unit variant have any fields.)
    Default {},
    /// Position interpolation: fᵢ / factor. arXiv:2306.15595.
    Linear {
        /// At least 1.
        factor: f64,
    },
    /// Dynamic NTK: θ · (factor · T/n − (factor − 1))^(d/(d−2)) once T > n, with d = rotary_dim.
    Dynamic {
        /// At least 1.
        factor: f64,
        /// n; the settings' context where absent. The references read only the context, so the two must agree.
        #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Option::is_none"))]
        original_max_position_embeddings: Option<usize>,
    },
    /// Llama 3.1: fᵢ where a wavelength fits n more than `high_freq_factor` times, fᵢ / factor where fewer than
    /// `low_freq_factor` times, and a blend of the two in between. arXiv:2407.21783.
    Llama3 {
        /// At least 1.
        factor: f64,
        /// Not negative.
        low_freq_factor: f64,
        /// At least `low_freq_factor`; where they are equal, there is no band between.
        high_freq_factor: f64,
        /// n.
        original_max_position_embeddings: usize,
    },
    /// LongRoPE (Phi 3): fᵢ over a searched factor for each pair, one list up to n and another beyond it; turned
    /// pairs are multiplied by √(1 + ln(factor) / ln(n)). arXiv:2402.13753.
    LongRope {
        /// Up to n: one positive factor for each pair.
        short_factor: Vec<f64>,
        /// Beyond n: one positive factor for each pair.
        long_factor: Vec<f64>,
        /// At least 1; context / n where absent.
        #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Option::is_none"))]
        factor: Option<f64>,
        /// What turned pairs are multiplied by instead.
        #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Option::is_none"))]
        attention_factor: Option<f64>,
        /// n; the settings' context where absent.
        #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Option::is_none"))]
        original_max_position_embeddings: Option<usize>,
    },
    /// Dynamic NTK in steps: θ · a^(d/(d−2)) with a = 2^⌈log₂(T/n) + 1⌉ − 1, at least 1; n is the settings'
    /// context (Qwen 1's `seq_length`).
    Stepped {},
}

impl Default for Scaling {
    fn default() -> Self {
        Self::Default {}
    }
}

impl Scaling {
    /// n, the trained length, from the scaling or else from the settings; 1 for a scaling that has no use for it.
    pub(crate) fn trained(&self, settings: &Settings) -> Result<usize, Error> {
        let context = settings.context;
        let (rope_type, trained) = match *self {
            Self::Default {} | Self::Linear { .. } => return Ok(1),
            Self::Llama3 { original_max_position_embeddings: original, .. } => return Ok(original),
            Self::Dynamic { original_max_position_embeddings: Some(original), .. } => match context {
                Some(context) if context != original => return Err(Error::Disagree { original, context }),
                Some(_) | None => return Ok(original),
            },
            Self::Dynamic { original_max_position_embeddings: None, .. } => ("dynamic", context),
            Self::LongRope { original_max_position_embeddings: original, .. } => {
                ("longrope", original.or(context))
            }
            Self::Stepped {} => ("stepped", context),
        };
        trained.ok_or(Error::Missing {
            rope_type,
            needs: "a trained length (original_max_position_embeddings or the context)",
        })
    }

    /// Whether every number is in its range, where n is `trained`.
    pub(crate) fn check(&self, settings: &Settings, trained: usize) -> Result<(), Error> {
        match self {
            Self::Default {} | Self::Stepped {} => Ok(()),
            Self::Linear { factor } | Self::Dynamic { factor, .. } => {
                check_factor(*factor)?;
                check_trained(trained, 1, "at least 1 token")
            }
            Self::Llama3 { factor, low_freq_factor: low, high_freq_factor: high, .. } => {
                check_factor(*factor)?;
                check_trained(trained, 1, "at least 1 token")?;
                check_bands(*low, *high)
            }
            Self::LongRope { short_factor, long_factor, factor, attention_factor, .. } => {
                check_trained(trained, 2, "at least 2 tokens")?;
                check_list("short_factor", short_factor, settings.rotary_dim / 2)?;
                check_list("long_factor", long_factor, settings.rotary_dim / 2)?;
                if let Some(attention_factor) = attention_factor {
                    check_positive("attention_factor", *attention_factor)?;
                }
                match factor {
                    Some(factor) => check_factor(*factor),
                    None if attention_factor.is_none() && settings.context.is_none() => Err(Error::Missing {
                        rope_type: "longrope",
                        needs: "a factor, an attention_factor or the context",
                    }),
                    None => Ok(()),
                }
            }
        }
    }
}

fn check_factor(value: f64) -> Result<(), Error> {
    if value.is_finite() && value >= 1.0 {
        return Ok(());
    }
    Err(Error::Range { key: "factor", value, wanted: "a number of at least 1" })
}

fn check_trained(trained: usize, least: usize, wanted: &'static str) -> Result<(), Error> {
    if trained >= least {
        return Ok(());
    }
    Err(Error::Range { key: "original_max_position_embeddings", value: trained as f64, wanted })
}

fn check_positive(key: &'static str, value: f64) -> Result<(), Error> {
    if value.is_finite() && value > 0.0 {
        return Ok(());
    }
    Err(Error::Range { key, value, wanted: "a positive number" })
}

fn check_bands(low: f64, high: f64) -> Result<(), Error> {
    for (key, value) in [("low_freq_factor", low), ("high_freq_factor", high)] {
        if !(value.is_finite() && value >= 0.0) {
            return Err(Error::Range { key, value, wanted: "a number of at least 0" });
        }
    }
    if low <= high {
        return Ok(());
    }
    Err(Error::Order { low: "low_freq_factor", low_value: low, high: "high_freq_factor", high_value: high })
}

fn check_list(key: &'static str, factors: &[f64], wanted: usize) -> Result<(), Error> {
    if factors.len() != wanted {
        return Err(Error::Length { key, found: factors.len(), wanted });
    }
    factors.iter().try_for_each(|&factor| check_positive(key, factor))
}
