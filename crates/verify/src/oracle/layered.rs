//! Embeddings that each layer has of its own, and the number that a layer is multiplied by.

use camelid_families::Role;
use ndarray::Array2;

use super::layers::{activation, name};
use super::network::Oracle;
use crate::error::Error;

impl Oracle<'_> {
    /// `[tokens, layers · width]` of the ids and of what enters layer 0.
    pub(super) fn own_embeddings(&self, ids: &[u32], x: &Array2<f64>) -> Result<Option<Array2<f64>>, Error> {
        let Some(words) = &self.architecture.per_layer else { return Ok(None) };
        let table = self.tensors.need(None, Role::LayerEmbedding)?;
        let projected = self.project(None, Role::LayerProjection, x)? * words.projection_scale;
        let (tokens, wide) = projected.dim();
        let layers = wide / words.width;
        let rows = Array2::from_shape_fn((tokens * layers, words.width), |(row, feature)| {
            projected[[row / layers, row % layers * words.width + feature]]
        });
        let normed = self.norm(None, Role::LayerProjectionNorm, &rows)?;
        Ok(Some(Array2::from_shape_fn((tokens, wide), |(token, at)| {
            let looked_up = table[[ids[token] as usize, at]] * words.scale;
            (normed[[token * layers + at / words.width, at % words.width]] + looked_up) * words.joint_scale
        })))
    }

    /// x + norm(output(act(gate x) ⊙ own)), times the layer's scale.
    pub(super) fn joined(
        &self,
        index: usize,
        x: Array2<f64>,
        own: Option<&Array2<f64>>,
    ) -> Result<Array2<f64>, Error> {
        let here = Some(index);
        let x = match (own, &self.architecture.per_layer) {
            (Some(own), Some(words)) => {
                let act = activation(&name(&self.architecture.layers[index].mlp.activation))?;
                let gate = self.project(here, Role::LayerGate, &x)?.mapv(act);
                let inner = Array2::from_shape_fn(gate.dim(), |(token, at)| {
                    gate[[token, at]] * own[[token, index * words.width + at]]
                });
                let given = self.project(here, Role::LayerOutput, &inner)?;
                x + self.norm(here, Role::LayerOutputNorm, &given)?
            }
            (None, _) | (_, None) => x,
        };
        Ok(match self.tensors.get(here, Role::LayerScale) {
            Some(scale) => x * scale[[0, 0]],
            None => x,
        })
    }
}
