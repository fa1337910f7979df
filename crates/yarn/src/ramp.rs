//! Which pairs keep their frequency, and which are interpolated.

use std::f64::consts::TAU;

use camelid_rope::Settings;

/// The share of interpolation: 0 up to the pair `low`, 1 from the pair `high` on, a straight line between.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Ramp {
    low: f64,
    high: f64,
}

impl Ramp {
    /// From the pair that turns `beta_fast` times within `trained` tokens to the one that turns `beta_slow` times.
    pub(crate) fn new(settings: &Settings, trained: usize, [beta_fast, beta_slow]: [f64; 2]) -> Self {
        let pair = |turns| pair_with_turns(settings, trained, turns);
        Self { low: pair(beta_fast), high: pair(beta_slow) }
    }

    /// Both ends moved outwards to whole pairs.
    pub(crate) fn truncated(self) -> Self {
        Self { low: self.low.floor(), high: self.high.ceil() }
    }

    /// Both ends within 0 and `rotary_dim − 1` (not half of it: so the references have it), and apart.
    pub(crate) fn within(self, rotary_dim: usize) -> Self {
        const APART: f64 = 0.001;
        let low = self.low.max(0.0);
        let high = self.high.min(rotary_dim as f64 - 1.0);
        Self { low, high: if low == high { high + APART } else { high } }
    }

    /// The share of interpolation of one pair.
    pub(crate) fn at(self, pair: usize) -> f64 {
        ((pair as f64 - self.low) / (self.high - self.low)).clamp(0.0, 1.0)
    }
}

/// The pair, fractional, whose wavelength fits `turns` times into `trained` tokens:
/// rotary_dim · ln(trained / (2π · turns)) / (2 · ln θ).
fn pair_with_turns(settings: &Settings, trained: usize, turns: f64) -> f64 {
    settings.rotary_dim as f64 * (trained as f64 / (TAU * turns)).ln() / (2.0 * settings.theta.ln())
}
