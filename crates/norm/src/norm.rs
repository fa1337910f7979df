//! RMSNorm and LayerNorm with their weights.

use crate::Error;
use crate::row::{mean, rescale};

/// What is divided out of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "lowercase"))]
pub enum Kind {
    /// The root of the mean square.
    Rms,
    /// The standard deviation, after the mean is taken away.
    Layer,
}

/// How a row is normalised.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
pub struct Settings {
    /// RMSNorm or LayerNorm.
    pub kind: Kind,
    /// ε, added to the mean square or to the variance: finite, and not negative. With 0, a row of zeros
    /// (for LayerNorm: of equal values) has no direction and becomes NaN, as in the references.
    pub eps: f64,
}

/// A norm with its weights, ready to be applied to any number of rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Norm {
    settings: Settings,
    weight: Vec<f32>,
    bias: Option<Vec<f32>>,
}

impl Norm {
    /// Joins settings and weights.
    ///
    /// `weight` is `[features]`; for [`forward_heads`](Self::forward_heads) it may also be `[heads · head_dim]`.
    /// `bias`, where there is one, is as long.
    ///
    /// # Errors
    /// If ε is negative or not finite, the weight is empty, or the bias has another length.
    pub fn new<W: IntoIterator<Item = f32>>(
        settings: Settings,
        weight: W,
        bias: Option<W>,
    ) -> Result<Self, Error> {
        let weight: Vec<f32> = weight.into_iter().collect();
        let bias: Option<Vec<f32>> = bias.map(|bias| bias.into_iter().collect());
        if !(settings.eps.is_finite() && settings.eps >= 0.0) {
            return Err(Error::Eps(settings.eps));
        }
        if weight.is_empty() {
            return Err(Error::Empty);
        }
        if let Some(bias) = &bias
            && bias.len() != weight.len()
        {
            return Err(Error::BiasLength { weight: weight.len(), bias: bias.len() });
        }
        Ok(Self { settings, weight, bias })
    }

    /// The settings given to [`new`](Self::new).
    pub fn settings(&self) -> Settings {
        self.settings
    }

    /// Normalises one row of as many features as the weight has, in place.
    ///
    /// # Panics
    /// If it has another number.
    #[track_caller]
    pub fn row(&self, row: &mut [f32]) {
        let (weight, features) = (self.weight.len(), row.len());
        assert!(features == weight, "norm weight has {weight} elements, the row has {features}");
        self.normalise(row, 0);
    }

    /// How many elements the weight has.
    pub(crate) fn features(&self) -> usize {
        self.weight.len()
    }

    /// Normalises one row with the part of the weight that begins at `start`.
    pub(crate) fn normalise(&self, row: &mut [f32], start: usize) {
        let part = start..start + row.len();
        let bias = self.bias.as_ref().map(|bias| &bias[part.clone()]);
        let weight = &self.weight[part];
        let factor = |variance: f64| (variance + self.settings.eps).sqrt().recip();
        match self.settings.kind {
            Kind::Rms => {
                let mean_square = mean(row, |x| x * x);
                rescale(row, |x| x, factor(mean_square), weight, bias);
            }
            Kind::Layer => {
                let middle = mean(row, |x| x);
                let variance = mean(row, |x| (x - middle) * (x - middle));
                rescale(row, |x| x - middle, factor(variance), weight, bias);
            }
        }
    }
}

/// offset + wᵢ: the weight of a norm that is stored as its distance from `offset` (Gemma: 1).
///
/// Added in f32, as the reference does, so that a folded norm is the norm by definition, bit for bit.
pub fn offset_weight(weight: impl IntoIterator<Item = f32>, offset: f32) -> Vec<f32> {
    weight.into_iter().map(|weight| weight + offset).collect()
}
