//! One layer: how its branches meet the residual stream.

use camelid_norm::Norm;
use ndarray::Array2;

use crate::composed::attending::mixer::Branch;
use crate::composed::layered::LayeredPart;
use crate::composed::pass::{AllKept, Pass};
use crate::composed::rows;
use crate::composed::sparse::{MlpPart, applied};
use crate::composed::tap::{Observer, Stage, Tap};
use crate::waist::architecture::{Residual, Wiring};

/// A layer, ready to run. A norm that is not there is the identity.
#[derive(Debug)]
pub(crate) struct LayerParts {
    pub(crate) index: usize,
    pub(crate) wiring: Wiring,
    pub(crate) residual: Residual,
    pub(crate) residual_scale: f32,
    pub(crate) branch_scale: f32,
    pub(crate) attention_norm: Option<Norm>,
    pub(crate) attention: Branch,
    pub(crate) attention_output_norm: Option<Norm>,
    pub(crate) mlp_norm: Option<Norm>,
    pub(crate) mlp: MlpPart,
    pub(crate) mlp_output_norm: Option<Norm>,
    pub(crate) layered: Option<LayeredPart>,
    /// What the stream is multiplied by at last.
    pub(crate) scale: Option<f32>,
}

impl LayerParts {
    /// The stream x `[tokens, width]`, one layer further.
    pub(crate) fn forward<O: Observer>(
        &self,
        x: Array2<f32>,
        pass: &Pass<'_>,
        kept: &mut AllKept<'_>,
        observer: &mut O,
    ) -> Array2<f32> {
        let x = match self.wiring {
            Wiring::Sequential => {
                let normed = self.tap(Stage::AttentionInput, apply(&self.attention_norm, &x, pass), observer);
                let branch = self.attention(&normed, pass, kept, observer);
                let x = self.join(x, normed, &branch, pass);
                let normed = self.tap(Stage::MlpInput, apply(&self.mlp_norm, &x, pass), observer);
                let branch = self.mlp(&x, &normed, pass, observer);
                self.join(x, normed, &branch, pass)
            }
            Wiring::Parallel => {
                let normed = self.tap(Stage::AttentionInput, apply(&self.attention_norm, &x, pass), observer);
                let mlp_input =
                    if self.mlp_norm.is_some() { apply(&self.mlp_norm, &x, pass) } else { normed.clone() };
                let mlp_input = self.tap(Stage::MlpInput, mlp_input, observer);
                let branches =
                    self.attention(&normed, pass, kept, observer) + self.mlp(&x, &mlp_input, pass, observer);
                self.join(x, normed, &branches, pass)
            }
        };
        let mut x = match &self.layered {
            Some(layered) => layered.join(x, self.index, pass),
            None => x,
        };
        if let Some(scale) = self.scale {
            x *= scale;
        }
        self.tap(Stage::Layer, x, observer)
    }

    fn attention<O: Observer>(
        &self,
        normed: &Array2<f32>,
        pass: &Pass<'_>,
        kept: &mut AllKept<'_>,
        observer: &mut O,
    ) -> Array2<f32> {
        let out = self.attention.forward(normed, self.index, pass, kept, observer);
        applied(&self.attention_output_norm, out, pass)
    }

    fn mlp<O: Observer>(
        &self,
        x: &Array2<f32>,
        normed: &Array2<f32>,
        pass: &Pass<'_>,
        observer: &mut O,
    ) -> Array2<f32> {
        applied(&self.mlp_output_norm, self.mlp.forward(x, normed, self.index, pass, observer), pass)
    }

    /// alpha · r(x) + b · branch
    fn join(
        &self,
        x: Array2<f32>,
        normed: Array2<f32>,
        branch: &Array2<f32>,
        pass: &Pass<'_>,
    ) -> Array2<f32> {
        let mut residual = match self.residual {
            Residual::Stream => x,
            Residual::Norm => normed,
        };
        rows::combine(&mut residual, self.residual_scale, self.branch_scale, branch, pass.backend);
        residual
    }

    fn tap<O: Observer>(&self, stage: Stage, value: Array2<f32>, observer: &mut O) -> Array2<f32> {
        observer.at(Tap { layer: Some(self.index), stage }, value)
    }
}

fn apply(norm: &Option<Norm>, x: &Array2<f32>, pass: &Pass<'_>) -> Array2<f32> {
    rows::normalised(norm.as_ref(), x, pass.backend)
}
