//! RMSNorm and LayerNorm with their weights.

use ndarray::{Array1, Array2, ArrayView2, ArrayViewMut2, ArrayViewMut3, Axis};

use crate::Error;
use crate::row::{edit, mean, rescale};

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
    pub fn new(settings: Settings, weight: Array1<f32>, bias: Option<Array1<f32>>) -> Result<Self, Error> {
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
        Ok(Self { settings, weight: weight.to_vec(), bias: bias.map(|bias| bias.to_vec()) })
    }

    /// The settings given to [`new`](Self::new).
    pub fn settings(&self) -> Settings {
        self.settings
    }

    /// Normalises each row of `x`, `[tokens, features]`.
    ///
    /// # Panics
    /// If `x` has another number of features than the weight.
    #[track_caller]
    pub fn forward(&self, x: ArrayView2<'_, f32>) -> Array2<f32> {
        let mut y = Array2::zeros(x.raw_dim());
        self.check_features(x.dim());
        for (from, mut to) in x.outer_iter().zip(y.outer_iter_mut()) {
            to.assign(&from);
            edit(to, |row| self.normalise(row, 0));
        }
        y
    }

    /// Normalises each row of `x`, `[tokens, features]`, in place.
    ///
    /// # Panics
    /// If `x` has another number of features than the weight.
    #[track_caller]
    pub fn forward_in_place(&self, mut x: ArrayViewMut2<'_, f32>) {
        self.check_features(x.dim());
        for row in x.outer_iter_mut() {
            edit(row, |row| self.normalise(row, 0));
        }
    }

    /// Normalises each head of `x`, `[tokens, heads, head_dim]`, by itself and in place: the norm of queries
    /// and keys.
    ///
    /// A weight of `head_dim` elements is shared by all heads; one of `heads · head_dim` elements, head after
    /// head, gives each head its own. A norm over all heads at once is [`forward_in_place`](Self::forward_in_place)
    /// on `[tokens, heads · head_dim]`.
    ///
    /// # Panics
    /// If the weight has neither length.
    #[track_caller]
    pub fn forward_heads(&self, mut x: ArrayViewMut3<'_, f32>) {
        let (tokens, heads, head_dim) = x.dim();
        let shared = self.weight.len() == head_dim;
        assert!(
            shared || self.weight.len() == heads * head_dim,
            "norm weight has {} elements, x is [{tokens}, {heads}, {head_dim}]",
            self.weight.len()
        );
        for (head, mut rows) in x.axis_iter_mut(Axis(1)).enumerate() {
            let start = if shared { 0 } else { head * head_dim };
            for row in rows.outer_iter_mut() {
                edit(row, |row| self.normalise(row, start));
            }
        }
    }

    #[track_caller]
    fn check_features(&self, (tokens, features): (usize, usize)) {
        assert!(
            features == self.weight.len(),
            "norm weight has {} elements, x is [{tokens}, {features}]",
            self.weight.len()
        );
    }

    /// Normalises one row with the part of the weight that begins at `start`.
    fn normalise(&self, row: &mut [f32], start: usize) {
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
pub fn offset_weight(weight: Array1<f32>, offset: f32) -> Array1<f32> {
    weight + offset
}
