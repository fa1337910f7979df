//! One layer: how its branches meet the residual stream.

use camelid_attention::Cache;
use camelid_mlp::Mlp;
use camelid_norm::Norm;
use ndarray::Array2;

use crate::composed::branch::{AttentionBranch, Pass};
use crate::composed::rows::{self, Factors};
use crate::composed::tap::{Observer, Stage, Tap};
use crate::waist::architecture::{Residual, Wiring};

/// A layer, ready to run. A norm that is not there is the identity.
#[derive(Debug)]
pub(crate) struct LayerParts {
    pub(crate) index: usize,
    pub(crate) wiring: Wiring,
    pub(crate) residual: Residual,
    /// Where the first of two branches joins the stream.
    pub(crate) within: Factors,
    /// Where the stream leaves the layer.
    pub(crate) last: Factors,
    pub(crate) attention_norm: Option<Norm>,
    pub(crate) attention: AttentionBranch,
    pub(crate) attention_output_norm: Option<Norm>,
    pub(crate) mlp_norm: Option<Norm>,
    pub(crate) mlp: Mlp,
    pub(crate) mlp_output_norm: Option<Norm>,
}

impl LayerParts {
    /// The stream x `[tokens, width]`, one layer further.
    pub(crate) fn forward<O: Observer>(
        &self,
        x: Array2<f32>,
        pass: &Pass<'_>,
        cache: &mut Cache,
        observer: &mut O,
    ) -> Array2<f32> {
        let x = match self.wiring {
            Wiring::Sequential => {
                let normed = self.tap(Stage::AttentionInput, apply(&self.attention_norm, &x, pass), observer);
                let branch = self.attention(&normed, pass, cache, observer);
                let x = self.join(x, normed, &branch, self.within, pass);
                let normed = self.tap(Stage::MlpInput, apply(&self.mlp_norm, &x, pass), observer);
                let branch = self.mlp(&normed, pass, observer);
                self.join(x, normed, &branch, self.last, pass)
            }
            Wiring::Parallel => {
                let normed = self.tap(Stage::AttentionInput, apply(&self.attention_norm, &x, pass), observer);
                let mlp_input =
                    if self.mlp_norm.is_some() { apply(&self.mlp_norm, &x, pass) } else { normed.clone() };
                let mlp_input = self.tap(Stage::MlpInput, mlp_input, observer);
                let branches =
                    self.attention(&normed, pass, cache, observer) + self.mlp(&mlp_input, pass, observer);
                self.join(x, normed, &branches, self.last, pass)
            }
        };
        self.tap(Stage::Layer, x, observer)
    }

    fn attention<O: Observer>(
        &self,
        normed: &Array2<f32>,
        pass: &Pass<'_>,
        cache: &mut Cache,
        observer: &mut O,
    ) -> Array2<f32> {
        let out = self.attention.forward(normed, self.index, pass, cache, observer);
        applied(&self.attention_output_norm, out, pass)
    }

    fn mlp<O: Observer>(&self, normed: &Array2<f32>, pass: &Pass<'_>, observer: &mut O) -> Array2<f32> {
        let out = self.tap(Stage::MlpOutput, self.mlp.forward(normed.view(), pass.backend), observer);
        applied(&self.mlp_output_norm, out, pass)
    }

    /// scale · (alpha · r(x) + b · branch)
    fn join(
        &self,
        x: Array2<f32>,
        normed: Array2<f32>,
        branch: &Array2<f32>,
        factors: Factors,
        pass: &Pass<'_>,
    ) -> Array2<f32> {
        let mut residual = match self.residual {
            Residual::Stream => x,
            Residual::Norm => normed,
        };
        rows::combine(&mut residual, branch, factors, pass.backend);
        residual
    }

    fn tap<O: Observer>(&self, stage: Stage, value: Array2<f32>, observer: &mut O) -> Array2<f32> {
        observer.at(Tap { layer: Some(self.index), stage }, value)
    }
}

fn apply(norm: &Option<Norm>, x: &Array2<f32>, pass: &Pass<'_>) -> Array2<f32> {
    rows::normalised(norm.as_ref(), x, pass.backend)
}

fn applied(norm: &Option<Norm>, mut x: Array2<f32>, pass: &Pass<'_>) -> Array2<f32> {
    if let Some(norm) = norm {
        rows::normalise(norm, &mut x, pass.backend);
    }
    x
}
