//! Embeddings that each layer has of its own: made once for a call, joined to the stream behind every MLP.

use camelid_linear::{Linear, Weight};
use camelid_mlp::Activation;
use camelid_norm::Norm;
use ndarray::{Array2, Array3, Axis};

use crate::composed::pass::Pass;
use crate::composed::rows;
use crate::waist::tables::per_layer::PerLayer;

/// What makes them.
#[derive(Debug)]
pub(crate) struct Layered {
    pub(crate) words: PerLayer,
    pub(crate) table: Weight,
    pub(crate) projection: Linear,
    pub(crate) norm: Norm,
}

impl Layered {
    /// `[tokens, layers, width]` of the tokens and of what enters layer 0, `[tokens, stream]`.
    pub(crate) fn of(
        &self,
        tokens: &[u32],
        x: &Array2<f32>,
        backend: &camelid_kernels::Backend,
    ) -> Array3<f32> {
        let &PerLayer { width, vocab: _, scale, projection_scale, joint_scale } = &self.words;
        let mut made = self.projection.forward(x.view(), backend) * projection_scale as f32;
        let layers = made.ncols() / width;
        let mut looked_up = vec![0.0; made.ncols()];
        let shape = (tokens.len(), layers, width);
        let mut parts =
            made.view_mut().into_shape_with_order(shape).expect("contiguous, a part for each layer");
        rows::each_heads(parts.view_mut(), backend, |heads| self.norm.forward_heads(heads));
        for (mut row, token) in made.outer_iter_mut().zip(tokens) {
            self.table.row(*token as usize, &mut looked_up);
            let both = row.iter_mut().zip(&looked_up);
            both.for_each(|(x, own)| *x = (*x + own * scale as f32) * joint_scale as f32);
        }
        made.into_shape_with_order(shape).expect("contiguous, a part for each layer")
    }
}

/// How a layer takes its own in.
#[derive(Debug)]
pub(crate) struct LayeredPart {
    pub(crate) gate: Linear,
    pub(crate) output: Linear,
    pub(crate) norm: Norm,
    pub(crate) activation: Activation,
}

impl LayeredPart {
    /// x + norm(output(act(gate x) ⊙ e)), e the layer's own embeddings.
    pub(crate) fn join(&self, mut x: Array2<f32>, layer: usize, pass: &Pass<'_>) -> Array2<f32> {
        let Some(all) = pass.layered else { return x };
        let mut inner = self.gate.forward(x.view(), pass.backend);
        self.activation.apply(inner.as_slice_mut().expect("a result of linear is contiguous"), pass.backend);
        inner *= &all.index_axis(Axis(1), layer);
        let mut y = self.output.forward(inner.view(), pass.backend);
        rows::normalise(&self.norm, &mut y, pass.backend);
        x += &y;
        x
    }
}
