//! The MLP of one layer: plain, experts, or both side by side.

use camelid_experts::{Choice, Experts};
use camelid_mlp::Mlp;
use camelid_norm::Norm;
use ndarray::{Array2, Axis, Slice};

use crate::composed::pass::Pass;
use crate::composed::rows;
use crate::composed::tap::{Observer, Stage, Tap};

/// What stands in the place of the MLP.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "one for each layer; a box would bring nothing")]
pub(crate) enum MlpPart {
    /// The plain MLP.
    Dense(Mlp),
    /// Experts in its place.
    Sparse(Sparse),
    /// The plain MLP with its own norm, and experts beside it.
    Both(Mlp, Option<Norm>, Sparse),
}

/// Experts with the norms of their own. A norm that is there reads the stream, else what the MLP reads is read.
#[derive(Debug)]
pub(crate) struct Sparse {
    pub(crate) router_norm: Option<Norm>,
    pub(crate) norm: Option<Norm>,
    pub(crate) experts: Experts,
    pub(crate) output_norm: Option<Norm>,
}

impl MlpPart {
    /// What the block gives for the stream x and the MLP's normed input, `[tokens, width]` each.
    pub(crate) fn forward<O: Observer>(
        &self,
        x: &Array2<f32>,
        normed: &Array2<f32>,
        layer: usize,
        pass: &Pass<'_>,
        observer: &mut O,
    ) -> Array2<f32> {
        let at = Tap { layer: Some(layer), stage: Stage::MlpOutput };
        match self {
            MlpPart::Dense(mlp) => observer.at(at, mlp.forward(normed.view(), pass.backend)),
            MlpPart::Sparse(sparse) => {
                let out = sparse.forward(x, normed, layer, pass, observer);
                observer.at(at, out)
            }
            MlpPart::Both(mlp, norm, sparse) => {
                let dense = observer.at(at, mlp.forward(normed.view(), pass.backend));
                let dense = applied(norm, dense, pass);
                dense + sparse.forward(x, normed, layer, pass, observer)
            }
        }
    }
}

impl Sparse {
    fn forward<O: Observer>(
        &self,
        x: &Array2<f32>,
        normed: &Array2<f32>,
        layer: usize,
        pass: &Pass<'_>,
        observer: &mut O,
    ) -> Array2<f32> {
        let own =
            |norm: &Option<Norm>| norm.as_ref().map(|norm| rows::normalised(Some(norm), x, pass.backend));
        let (routed, read) = (own(&self.router_norm), own(&self.norm));
        let read = read.as_ref().unwrap_or(normed);
        let choice = self.experts.router().route(routed.as_ref().unwrap_or(read).view(), pass.backend);
        let choice = self.shown(choice, layer, observer);
        applied(&self.output_norm, self.run(read, &choice, pass), pass)
    }

    /// What the experts give. One token at a time, all sequences share each expert's weights; of prompts each goes by itself,
    /// since how an expert's product is summed depends on how many tokens came to it.
    fn run(&self, read: &Array2<f32>, choice: &Choice, pass: &Pass<'_>) -> Array2<f32> {
        if pass.one_by_one {
            return self.experts.run(read.view(), choice, pass.backend);
        }
        pass.each(&mut vec![(); pass.sequences.len()], |(), sequence| {
            let own = Choice {
                experts: choice.experts.slice_axis(Axis(0), Slice::from(sequence.rows.clone())).to_owned(),
                weights: sequence.of(&choice.weights).to_owned(),
            };
            self.experts.run(sequence.of(read), &own, pass.backend)
        })
    }

    /// The choice, as the observer has it.
    fn shown<O: Observer>(&self, choice: Choice, layer: usize, observer: &mut O) -> Choice {
        let at = |stage| Tap { layer: Some(layer), stage };
        let last = self.experts.experts().len() - 1;
        let numbers = observer.at(at(Stage::Experts), choice.experts.mapv(|expert| expert as f32));
        let weights = observer.at(at(Stage::ExpertWeights), choice.weights);
        Choice { experts: numbers.mapv(|number| (number as usize).min(last)), weights }
    }
}

/// x itself where there is no norm.
pub(crate) fn applied(norm: &Option<Norm>, mut x: Array2<f32>, pass: &Pass<'_>) -> Array2<f32> {
    if let Some(norm) = norm {
        rows::normalise(norm, &mut x, pass.backend);
    }
    x
}
