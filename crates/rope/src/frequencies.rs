//! Where all scalings start, and where they end.

use crate::Error;

/// What every kind of frequencies is made from.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
pub struct Settings {
    /// θ, the base of the geometric series of frequencies: positive.
    pub theta: f64,
    /// Features of a head.
    pub head_dim: usize,
    /// How many of them, from the first, turn: even, from 2 to `head_dim`.
    pub rotary_dim: usize,
    /// The checkpoint's `max_position_embeddings`, in tokens: stands in for
    /// `original_max_position_embeddings` where a scaling does not say it.
    pub context: Option<usize>,
}

impl Settings {
    /// Whether the numbers are in range. Allocates nothing.
    ///
    /// # Errors
    /// If θ is not positive and finite, `rotary_dim` is odd, 0 or above `head_dim`, or the context is 0.
    pub fn check(&self) -> Result<(), Error> {
        let Self { theta, head_dim, rotary_dim, context } = *self;
        if !(theta.is_finite() && theta > 0.0) {
            return Err(Error::Range { key: "theta", value: theta, wanted: "a positive number" });
        }
        if rotary_dim < 2 || !rotary_dim.is_multiple_of(2) || rotary_dim > head_dim {
            return Err(Error::RotaryDim { rotary_dim, head_dim });
        }
        if context == Some(0) {
            return Err(Error::Range { key: "context", value: 0.0, wanted: "at least 1 token" });
        }
        Ok(())
    }

    /// θ^(−2i / rotary_dim) for each pair i: the frequencies without any scaling, in radians a token.
    pub fn inverse(&self) -> Vec<f64> {
        self.inverse_with(self.theta)
    }

    /// The same with another base.
    pub(crate) fn inverse_with(&self, theta: f64) -> Vec<f64> {
        let rotary_dim = self.rotary_dim as f64;
        (0..self.rotary_dim / 2).map(|pair| theta.powf(-2.0 * pair as f64 / rotary_dim)).collect()
    }
}

/// How fast each pair of features turns, and what the turned pairs are multiplied by.
#[derive(Clone, Debug, PartialEq)]
pub struct Frequencies {
    /// Radians a token, one for each pair; upstream's `inv_freq`.
    pub inverse: Vec<f64>,
    /// What cosines and sines are multiplied by, upstream's `attention_factor`: queries and keys both carry it,
    /// so that scores carry its square.
    pub factor: f64,
}

impl Frequencies {
    /// Each frequency rounded to f32 and then to f16, ties to even: what a checkpoint holds that was converted
    /// as a whole (ChatGLM 1).
    #[must_use]
    pub fn rounded_to_f16(self) -> Self {
        Self { inverse: self.inverse.into_iter().map(round_to_f16).collect(), ..self }
    }
}

/// The f16 nearest to `value` (after f32), as f64.
fn round_to_f16(value: f64) -> f64 {
    const MANTISSA: i32 = 10;
    const LEAST_EXPONENT: i32 = -14;
    const MAX: f64 = 65504.0;

    let value = f64::from(value as f32);
    let biased = (value.to_bits() >> 52) & 0x7ff; // no f32 is subnormal as f64
    let exponent = (biased as i32 - 1023).max(LEAST_EXPONENT);
    let unit = 2.0_f64.powi(exponent - MANTISSA);
    let rounded = (value / unit).round_ties_even() * unit; // exact: unit is a power of two
    if rounded.abs() > MAX { f64::INFINITY.copysign(value) } else { rounded }
}

#[cfg(test)]
mod tests {
    use super::round_to_f16;

    #[test]
    fn rounding_to_f16_is_that_of_the_half_crate() {
        // Every 4093rd f32 meets all exponents, both signs, subnormals and ties' neighbours.
        for bits in (0..u32::MAX).step_by(4093).chain([
            0x7f80_0000,
            0xff80_0000,
            0x3f80_1000,
            0x3f80_3000,
            0x477f_f000,
            0x477f_efff,
        ]) {
            let value = f32::from_bits(bits);
            let wanted = half::f16::from_f32(value).to_f64();
            let found = round_to_f16(f64::from(value));
            assert!(
                found == wanted || (found.is_nan() && wanted.is_nan()),
                "{value:e}: {found:e}, not {wanted:e}"
            );
        }
    }
}
