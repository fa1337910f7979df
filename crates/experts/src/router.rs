//! Which experts a token goes to, and with what weight.

use camelid_kernels::Backend;
use camelid_linear::Linear;
use ndarray::{Array2, ArrayView2};

use crate::settings::{GroupBy, Over, Score, Settings};
use crate::{Error, Weigh};

/// A router: from a token's features to its experts and their weights.
#[derive(Clone, Debug)]
pub struct Router {
    settings: Settings,
    linear: Linear,
    correction: Option<Vec<f32>>,
    factors: Option<Vec<f32>>,
}

/// What a router chose for some tokens.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    /// `[tokens, k]`, ascending in each row.
    pub experts: Array2<usize>,
    /// Their weights, `[tokens, k]`.
    pub weights: Array2<f32>,
}

impl Router {
    /// A router of these settings; `linear` is `[experts, width]`.
    ///
    /// # Errors
    /// Where the settings don't fit together, or the layer or its bias has not one row for each expert.
    pub fn new(settings: Settings, linear: Linear) -> Result<Self, Error> {
        settings.check()?;
        check("the router", linear.weight.rows(), &settings)?;
        if let Some(bias) = &linear.bias {
            check("its bias", bias.len(), &settings)?;
        }
        Ok(Self { settings, linear, correction: None, factors: None })
    }

    /// With what is added to the scores `[experts]` for the choice alone.
    ///
    /// # Errors
    /// Where there is not one for each expert.
    pub fn with_correction(mut self, correction: Vec<f32>) -> Result<Self, Error> {
        check("the correction", correction.len(), &self.settings)?;
        self.correction = Some(correction);
        Ok(self)
    }

    /// With what each expert's weight is multiplied by, `[experts]`, after everything else.
    ///
    /// # Errors
    /// Where there is not one for each expert.
    pub fn with_factors(mut self, factors: Vec<f32>) -> Result<Self, Error> {
        check("the factors", factors.len(), &self.settings)?;
        self.factors = Some(factors);
        Ok(self)
    }

    /// The settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Features that it reads.
    pub fn width(&self) -> usize {
        self.linear.weight.cols()
    }

    /// The experts of each row of x `[tokens, width]`, with their weights. Of equal scores the lower number is chosen.
    ///
    /// # Panics
    /// Where x has not as many columns as the router.
    #[track_caller]
    pub fn route(&self, x: ArrayView2<'_, f32>, backend: &Backend) -> Choice {
        let results = self.linear.forward(x, backend);
        let shape = (results.nrows(), self.settings.chosen);
        let mut choice = Choice { experts: Array2::zeros(shape), weights: Array2::zeros(shape) };
        for (token, results) in results.outer_iter().enumerate() {
            let results: Vec<f64> = results.iter().map(|z| f64::from(*z)).collect();
            for (place, (expert, weight)) in self.choose(&results).into_iter().enumerate() {
                choice.experts[[token, place]] = expert;
                choice.weights[[token, place]] = weight as f32;
            }
        }
        choice
    }

    /// One token's experts, ascending, with their weights. In f64: k of E numbers cost nothing.
    fn choose(&self, results: &[f64]) -> Vec<(usize, f64)> {
        let Settings { chosen, score, over, normalise, scale, .. } = self.settings;
        let scores = match over {
            Over::All => scored(score, results),
            Over::Chosen => results.to_vec(),
        };
        let correction = |expert: usize| self.correction.as_ref().map_or(0.0, |c| f64::from(c[expert]));
        let judged: Vec<f64> =
            scores.iter().enumerate().map(|(expert, score)| score + correction(expert)).collect();
        let mut experts = best(self.candidates(&judged), &judged, chosen);
        experts.sort_unstable();
        let own: Vec<f64> = experts.iter().map(|expert| scores[*expert]).collect();
        let mut weights = match over {
            Over::All => own,
            Over::Chosen => scored(score, &own),
        };
        if normalise {
            let sum: f64 = weights.iter().sum();
            weights.iter_mut().for_each(|weight| *weight /= sum.max(LEAST));
        }
        let factor = |expert: usize| self.factors.as_ref().map_or(1.0, |f| f64::from(f[expert]));
        experts
            .iter()
            .zip(weights)
            .map(|(expert, weight)| (*expert, weight * scale * factor(*expert)))
            .collect()
    }

    /// The experts of the groups that may be chosen from.
    fn candidates(&self, judged: &[f64]) -> Vec<usize> {
        let Settings { experts, groups, groups_kept, group_by, .. } = self.settings;
        if groups_kept == groups {
            return (0..experts).collect();
        }
        let size = experts / groups;
        let worth: Vec<f64> = judged
            .chunks_exact(size)
            .map(|group| {
                let mut group = group.to_vec();
                group.sort_unstable_by(|a, b| b.total_cmp(a));
                match group_by {
                    GroupBy::Best => group[0],
                    GroupBy::BestTwo => group[0] + group[1],
                }
            })
            .collect();
        let kept = best((0..groups).collect(), &worth, groups_kept);
        kept.into_iter().flat_map(|group| group * size..(group + 1) * size).collect()
    }

    /// Whether weights multiply what experts read.
    pub(crate) fn weighs_input(&self) -> bool {
        self.settings.weigh == Weigh::Input
    }
}

/// The least sum that weights are divided by, so that weights that are all zero stay so.
const LEAST: f64 = 1e-20;

/// The `count` of `of` that are worth most; of equals, the lower numbers.
fn best(mut of: Vec<usize>, worth: &[f64], count: usize) -> Vec<usize> {
    of.sort_by(|a, b| worth[*b].total_cmp(&worth[*a]).then(a.cmp(b)));
    of.truncate(count);
    of
}

fn scored(score: Score, results: &[f64]) -> Vec<f64> {
    match score {
        Score::Softmax => {
            let most = results.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let powers: Vec<f64> = results.iter().map(|z| (z - most).exp()).collect();
            let sum: f64 = powers.iter().sum();
            powers.into_iter().map(|power| power / sum).collect()
        }
        Score::Sigmoid => results.iter().map(|z| 1.0 / (1.0 + (-z).exp())).collect(),
        // ln(1 + e^z) without overflow.
        Score::SqrtSoftplus => {
            results.iter().map(|z| (z.max(0.0) + (-z.abs()).exp().ln_1p()).sqrt()).collect()
        }
    }
}

fn check(what: &'static str, found: usize, settings: &Settings) -> Result<(), Error> {
    let experts = settings.experts;
    if found == experts { Ok(()) } else { Err(Error::Length { what, found, experts }) }
}
