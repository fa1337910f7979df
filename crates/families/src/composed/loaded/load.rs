//! Architecture + checkpoint → [`Model`]: what loading can settle, it settles, so that `forward` tests no flag.

use camelid_checkpoint::Checkpoint;
use camelid_dual_chunk::DualChunk;
use camelid_kernels::Backend;
use camelid_linear::{Linear, Weight};

use crate::composed::layer::LayerParts;
use crate::composed::layered::Layered;
use crate::composed::loaded::fit::fit;
use crate::composed::loaded::head::has_its_own;
use crate::composed::loaded::held::{Held, Inside, Outside};
use crate::composed::loaded::mixers::Place;
use crate::composed::loaded::norms::{Norms, component};
use crate::composed::loaded::stored::missing;
use crate::composed::loaded::weights::Weights;
use crate::composed::model::{Head, Model};
use crate::composed::rotary::Rotary;
use crate::error::{Error, Problem};
use crate::waist::architecture::{Architecture, Block, Embedding, Layer, Output, Rope, Stack};
use crate::waist::roles::Role;

impl Model {
    /// Composes the model of an architecture from a checkpoint's tensors, which stay where they are.
    ///
    /// `allowed` are surplus tensors that the user waves through; `progress` hears how many tensors of how many are read.
    ///
    /// # Errors
    /// [`Error::Input`] with every tensor that is missing, surplus or misshapen, one to a line; or what a component says.
    pub fn load(
        architecture: Architecture,
        checkpoint: &Checkpoint,
        backend: Backend,
        allowed: &[String],
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Model, Error> {
        let plan = architecture.plan();
        let mut problems = fit(&architecture, &plan, checkpoint, allowed);
        if problems.is_empty() {
            let tied = plan.tied.as_ref().filter(|planned| !allowed.contains(&planned.name));
            if let (Some(head), true) = (tied, has_its_own(&plan, checkpoint)?) {
                problems.push(Problem::Untied { name: head.name.clone() });
            }
        }
        if !problems.is_empty() {
            let place = checkpoint.path().display().to_string();
            return Err(Error::Misfit { place, family: String::new(), problems });
        }
        let weights = Weights::read(&architecture, &plan.tensors, checkpoint, progress)?;
        let norms = Norms::of(&architecture.norm);
        Loader { architecture: &architecture, norms, rotaries: Vec::new() }.compose(weights, backend)
    }
}

struct Loader<'a> {
    architecture: &'a Architecture,
    norms: Norms,
    rotaries: Vec<Rotary>,
}

// Every struct of the waist is taken apart here and in `mixers`, word by word: one that is declared and not computed does
// not compile. What is left as `_` is no arithmetic, or the plan's.
impl Loader<'_> {
    fn compose(&mut self, weights: Weights, backend: Backend) -> Result<Model, Error> {
        let Architecture {
            embedding,
            stack,
            norm: _,
            layers,
            output,
            per_layer,
            prefix,
            tensors: _,
            inert: _,
        } = self.architecture;
        let Embedding { vocab: _, width: _, scale } = embedding;
        let Stack { layers: _, context: _ } = stack;
        let Weights { outside, layers: inside } = weights;
        let Outside {
            embedding: table,
            embedding_norm,
            layer_embedding,
            layer_projection,
            layer_projection_norm,
            final_norm,
            output: head,
        } = outside;
        let table = table.matrix().cloned().ok_or_else(|| missing(Role::Embedding))?;
        let layers = layers.iter().zip(inside).enumerate();
        let layers: Result<Vec<_>, _> =
            layers.map(|(index, (layer, inside))| self.layer(index, layer, inside)).collect();
        let norm = |role, held| self.norms.norm(self.architecture, None, role, held);
        let layered = match per_layer {
            None => None,
            Some(words) => {
                let lost = || missing(Role::LayerProjectionNorm);
                Some(Layered {
                    words: words.clone(),
                    table: layer_embedding.matrix().cloned().ok_or_else(|| missing(Role::LayerEmbedding))?,
                    projection: layer_projection.linear(Role::LayerProjection)?,
                    norm: norm(Role::LayerProjectionNorm, layer_projection_norm)?.ok_or_else(lost)?,
                })
            }
        };
        Ok(Model {
            architecture: self.architecture.clone(),
            backend,
            embedding_scale: *scale as f32,
            embedding_norm: norm(Role::EmbeddingNorm, embedding_norm)?,
            layered,
            prefix: prefix.clone(),
            layers: layers?,
            final_norm: norm(Role::FinalNorm, final_norm)?,
            head: compose_head(output, &table, head)?,
            embedding: table,
            rotaries: std::mem::take(&mut self.rotaries),
        })
    }

    fn layer(&mut self, index: usize, layer: &Layer, inside: Inside) -> Result<LayerParts, Error> {
        let Layer { block, attention: _, latent: _, delta: _, rope, mlp: _, experts: _, tensors: _ } = layer;
        let &Block { wiring, branch_scale, residual, residual_scale } = block;
        let Inside {
            attention_norm,
            attention,
            delta,
            attention_output_norm,
            mlp_norm,
            mlp,
            mlp_output_norm,
            layer_gate,
            layer_output,
            layer_output_norm,
            layer_scale,
        } = inside;
        let turn = rope.as_ref().map(|rope| self.turn(index, rope, layer)).transpose()?;
        let place = Place { architecture: self.architecture, norms: &self.norms, index, layer };
        Ok(LayerParts {
            index,
            wiring,
            residual,
            residual_scale: residual_scale as f32,
            branch_scale: branch_scale as f32,
            attention_norm: place.norm(Role::AttentionNorm, attention_norm)?,
            attention: place.mixer(attention, delta, turn)?,
            attention_output_norm: place.norm(Role::AttentionOutputNorm, attention_output_norm)?,
            mlp_norm: place.norm(Role::MlpNorm, mlp_norm)?,
            mlp: place.mlp(mlp)?,
            mlp_output_norm: place.norm(Role::MlpOutputNorm, mlp_output_norm)?,
            layered: place.layered([layer_gate, layer_output, layer_output_norm])?,
            scale: layer_scale.vector().and_then(|(scale, _)| scale.first().copied()),
        })
    }

    /// Layers that turn alike share one table.
    fn turn(&mut self, index: usize, rope: &Rope, layer: &Layer) -> Result<usize, Error> {
        let dual_chunk = layer.attention.dual_chunk.map(DualChunk::new).transpose();
        let dual_chunk = dual_chunk.map_err(|error| component(index, &error))?;
        let rotary = Rotary { rope: rope.clone(), head_dim: layer.turning_dim(), dual_chunk };
        Ok(self.rotaries.iter().position(|known| *known == rotary).unwrap_or_else(|| {
            self.rotaries.push(rotary);
            self.rotaries.len() - 1
        }))
    }
}

fn compose_head(output: &Output, embedding: &Weight, held: Held) -> Result<Head, Error> {
    let &Output { tie, unit_rows, scale, softcap } = output;
    let own = held.matrix().cloned();
    let weight = if tie { Some(embedding.clone()) } else { own };
    let weight = weight.ok_or_else(|| missing(Role::Output))?;
    let scale = scale as f32;
    let factors = if unit_rows {
        Some(unit_factors(&weight).into_iter().map(|factor| factor * scale).collect())
    } else {
        (scale != 1.0).then(|| vec![scale; weight.rows()])
    };
    let linear = Linear { weight, bias: held.bias() };
    Ok(Head { linear, factors, softcap: softcap.map(|cap| cap as f32) })
}

/// What each row of the head is multiplied by to have length one.
fn unit_factors(weight: &Weight) -> Vec<f32> {
    let mut row = vec![0.0; weight.cols()];
    (0..weight.rows())
        .map(|index| {
            weight.row(index, &mut row);
            camelid_norm::unit_factor(&row)
        })
        .collect()
}
