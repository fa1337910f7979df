//! Architecture + checkpoint → [`Model`]: what loading can settle, it settles, so that `forward` tests no flag.

use std::num::NonZeroUsize;

use camelid_attention::Attention;
use camelid_checkpoint::Checkpoint;
use camelid_dual_chunk::DualChunk;
use camelid_kernels::Backend;
use camelid_linear::{Linear, Weight};
use camelid_mlp::{Layers, Mlp};
use camelid_norm::{Norm, Settings, offset_weight};
use ndarray::Array1;

use crate::composed::branch::{AttentionBranch, HeadNorm};
use crate::composed::fit::fit;
use crate::composed::head::has_its_own;
use crate::composed::layer::LayerParts;
use crate::composed::model::{Head, Model};
use crate::composed::rotary::Rotary;
use crate::composed::weights::Weights;
use crate::error::{Error, Problem};
use crate::waist::architecture::{Architecture, Layer, MlpKind, Position, Rope};
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
        Loader { architecture: &architecture, weights, rotaries: Vec::new() }.compose(backend)
    }
}

struct Loader<'a> {
    architecture: &'a Architecture,
    weights: Weights,
    rotaries: Vec<Rotary>,
}

impl Loader<'_> {
    fn compose(mut self, backend: Backend) -> Result<Model, Error> {
        let embedding = self.weights.matrix(None, Role::Embedding)?;
        let final_norm = self.norm(None, Role::FinalNorm)?;
        let head = self.head(&embedding)?;
        let architecture = self.architecture;
        let layers = architecture.layers.iter().enumerate().map(|(index, layer)| self.layer(index, layer));
        let layers = layers.collect::<Result<Vec<_>, _>>()?;
        let rotaries = self.rotaries;
        Ok(Model {
            architecture: architecture.clone(),
            backend,
            embedding,
            layers,
            rotaries,
            final_norm,
            head,
        })
    }

    fn head(&mut self, embedding: &Weight) -> Result<Head, Error> {
        let output = &self.architecture.output;
        let weight = if output.tie { embedding.clone() } else { self.weights.matrix(None, Role::Output)? };
        let bias = self.weights.bias(None, Role::Output);
        let scale = output.scale as f32;
        let factors = if output.unit_rows {
            Some(unit_factors(&weight).into_iter().map(|factor| factor * scale).collect())
        } else {
            (scale != 1.0).then(|| vec![scale; weight.rows()])
        };
        Ok(Head { linear: Linear { weight, bias }, factors, softcap: output.softcap.map(|cap| cap as f32) })
    }

    fn layer(&mut self, index: usize, layer: &Layer) -> Result<LayerParts, Error> {
        Ok(LayerParts {
            index,
            block: layer.block.clone(),
            attention_norm: self.norm(Some(index), Role::AttentionNorm)?,
            attention: self.attention(index, layer)?,
            attention_output_norm: self.norm(Some(index), Role::AttentionOutputNorm)?,
            mlp_norm: self.norm(Some(index), Role::MlpNorm)?,
            mlp: self.mlp(index, layer)?,
            mlp_output_norm: self.norm(Some(index), Role::MlpOutputNorm)?,
        })
    }

    fn attention(&mut self, index: usize, layer: &Layer) -> Result<AttentionBranch, Error> {
        let attention = &layer.attention;
        let slopes = (attention.position == Position::Alibi).then(|| camelid_alibi::slopes(attention.heads));
        let settings = camelid_attention::Settings {
            heads: attention.heads,
            kv_heads: attention.kv_heads,
            head_dim: attention.head_dim,
            scale: attention.scale,
            softcap: attention.softcap,
            slopes,
        };
        let turn = layer.rope.as_ref().map(|rope| self.turn(index, rope, layer)).transpose()?;
        Ok(AttentionBranch {
            query: self.linear(index, Role::Query)?,
            key: self.linear(index, Role::Key)?,
            value: self.linear(index, Role::Value)?,
            output: self.linear(index, Role::AttentionOutput)?,
            query_norm: self.head_norm(index, Role::QueryNorm)?,
            key_norm: self.head_norm(index, Role::KeyNorm)?,
            turn,
            logn: attention.logn,
            window: attention.window.and_then(NonZeroUsize::new),
            core: Attention::new(settings).map_err(|error| component(index, &error))?,
        })
    }

    /// Layers that turn alike share one table.
    fn turn(&mut self, index: usize, rope: &Rope, layer: &Layer) -> Result<usize, Error> {
        let dual_chunk = layer.attention.dual_chunk.map(DualChunk::new).transpose();
        let dual_chunk = dual_chunk.map_err(|error| component(index, &error))?;
        let rotary = Rotary { rope: rope.clone(), head_dim: layer.attention.head_dim, dual_chunk };
        Ok(self.rotaries.iter().position(|known| *known == rotary).unwrap_or_else(|| {
            self.rotaries.push(rotary);
            self.rotaries.len() - 1
        }))
    }

    fn mlp(&mut self, index: usize, layer: &Layer) -> Result<Mlp, Error> {
        let (up, down) = (self.linear(index, Role::Up)?, self.linear(index, Role::Down)?);
        let layers = match layer.mlp.kind {
            MlpKind::Gated => Layers::Gated { gate: self.linear(index, Role::Gate)?, up, down },
            MlpKind::Plain => Layers::Plain { up, down },
        };
        Mlp::new(layers, layer.mlp.activation).map_err(|error| component(index, &error))
    }

    fn linear(&mut self, index: usize, role: Role) -> Result<Linear, Error> {
        let layer = Some(index);
        Ok(Linear { weight: self.weights.matrix(layer, role)?, bias: self.weights.bias(layer, role) })
    }

    /// A norm, where its tensor is named: offset + w becomes the weight.
    fn norm(&mut self, layer: Option<usize>, role: Role) -> Result<Option<Norm>, Error> {
        let Some(weight) = self.weights.vector(layer, role) else { return Ok(None) };
        let norm = &self.architecture.norm;
        let weight = offset_weight(Array1::from(weight), norm.offset as f32);
        let bias = self.weights.bias(layer, role).map(Array1::from);
        let settings = Settings { kind: norm.kind, eps: norm.eps };
        Norm::new(settings, weight, bias)
            .map(Some)
            .map_err(|error| component(layer.unwrap_or_default(), &error))
    }

    fn head_norm(&mut self, index: usize, role: Role) -> Result<Option<HeadNorm>, Error> {
        let named = self.architecture.tensor(Some(index), role);
        let Some((per, at)) = named.map(|named| (named.per, named.at)) else { return Ok(None) };
        Ok(self.norm(Some(index), role)?.map(|norm| HeadNorm { norm, per, at }))
    }
}

fn component(layer: usize, error: &dyn std::error::Error) -> Error {
    Error::Component { layer, message: error.to_string() }
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
