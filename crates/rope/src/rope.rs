//! Frequencies as a function of the length.

use std::f64::consts::TAU;

use crate::{Error, Frequencies, Scaling, Settings};

/// Rotary frequencies as a function of the length: settings and a scaling that passed their checks.
#[derive(Clone, Debug, PartialEq)]
pub struct Rope {
    settings: Settings,
    scaling: Scaling,
    /// n, the trained length; 1 where the scaling has no use for it.
    trained: usize,
}

impl Rope {
    /// Checks settings and scaling; allocates nothing.
    ///
    /// # Errors
    /// If a number is out of its range, a list has not `rotary_dim / 2` factors, or no trained length is given
    /// to a scaling that needs one.
    pub fn new(settings: Settings, scaling: Scaling) -> Result<Self, Error> {
        settings.check()?;
        let trained = scaling.trained(&settings)?;
        scaling.check(&settings, trained)?;
        Ok(Self { settings, scaling, trained })
    }

    /// The settings given to [`new`](Self::new).
    pub fn settings(&self) -> Settings {
        self.settings
    }

    /// The scaling given to [`new`](Self::new).
    pub fn scaling(&self) -> &Scaling {
        &self.scaling
    }

    /// Whether [`frequencies`](Self::frequencies) differ from length to length. A cache that holds turned keys
    /// then holds keys of several lengths.
    pub fn depends_on_length(&self) -> bool {
        match &self.scaling {
            Scaling::Dynamic { .. } | Scaling::Stepped {} => true,
            Scaling::LongRope { short_factor, long_factor, .. } => short_factor != long_factor,
            Scaling::Default {} | Scaling::Linear { .. } | Scaling::Llama3 { .. } => false,
        }
    }

    /// The frequencies where `length` tokens are in sight, the present ones among them.
    pub fn frequencies(&self, length: usize) -> Frequencies {
        Frequencies { inverse: self.inverse(length), factor: self.factor() }
    }

    fn inverse(&self, length: usize) -> Vec<f64> {
        let plain = self.settings.inverse();
        match &self.scaling {
            Scaling::Default {} => plain,
            Scaling::Linear { factor } => plain.into_iter().map(|f| f / factor).collect(),
            Scaling::Dynamic { factor, .. } => self.stretched(dynamic_stretch(*factor, length, self.trained)),
            Scaling::Stepped {} => self.stretched(stepped_stretch(length, self.trained)),
            Scaling::Llama3 { factor, low_freq_factor: low, high_freq_factor: high, .. } => {
                plain.into_iter().map(|f| banded(f, *factor, *low..*high, self.trained)).collect()
            }
            Scaling::LongRope { short_factor, long_factor, .. } => {
                let factors = if length > self.trained { long_factor } else { short_factor };
                plain.into_iter().zip(factors).map(|(f, factor)| f / factor).collect()
            }
        }
    }

    /// The frequencies of the base θ · a^(d/(d−2)): the fastest stays, the slowest is divided by a.
    fn stretched(&self, a: f64) -> Vec<f64> {
        let d = self.settings.rotary_dim as f64;
        self.settings.inverse_with(self.settings.theta * a.powf(d / (d - 2.0)))
    }

    fn factor(&self) -> f64 {
        let Scaling::LongRope { factor, attention_factor, .. } = &self.scaling else { return 1.0 };
        if let Some(given) = attention_factor {
            return *given;
        }
        let trained = self.trained as f64;
        let context = self.settings.context.map_or(trained, |context| context as f64);
        let factor = factor.unwrap_or(context / trained).max(1.0);
        (1.0 + factor.ln() / trained.ln()).sqrt()
    }
}

/// factor · T/n − (factor − 1), with T at least n.
fn dynamic_stretch(factor: f64, length: usize, trained: usize) -> f64 {
    let ratio = length.max(trained) as f64 / trained as f64;
    factor * ratio - (factor - 1.0)
}

/// 2^⌈log₂(T/n) + 1⌉ − 1, at least 1. The logarithm is taken of a whole number, so that no rounding moves a step.
fn stepped_stretch(length: usize, trained: usize) -> f64 {
    let ratio = length.div_ceil(trained).max(1);
    let doublings = usize::BITS - (ratio - 1).leading_zeros(); // ⌈log₂ ratio⌉
    f64::from(doublings + 1).exp2() - 1.0
}

/// f in the fast band, f / factor in the slow one, in between a blend that is linear in f. `bands` are turns
/// within the trained length.
fn banded(f: f64, factor: f64, bands: std::ops::Range<f64>, trained: usize) -> f64 {
    let turns = trained as f64 * f / TAU;
    let blend = if bands.is_empty() {
        f64::from(turns >= bands.start)
    } else {
        ((turns - bands.start) / (bands.end - bands.start)).clamp(0.0, 1.0)
    };
    (1.0 - blend) * f / factor + blend * f
}
