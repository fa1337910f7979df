//! Architecture + checkpoint → [`Model`]: what loading can settle, it settles, so that `forward` tests no flag.

use std::num::NonZeroUsize;

use camelid_attention::Attention as Core;
use camelid_checkpoint::Checkpoint;
use camelid_dual_chunk::DualChunk;
use camelid_kernels::Backend;
use camelid_linear::{Linear, Weight};
use camelid_mlp::{Layers, Mlp};
use camelid_norm::{Norm, Settings, offset_weight};
use ndarray::Array1;

use crate::composed::branch::{AttentionBranch, HeadNorm};
use crate::composed::fit::fit;
use crate::composed::layer::LayerParts;
use crate::composed::model::{Head, Model};
use crate::composed::rotary::Rotary;
use crate::composed::rows::Factors;
use crate::composed::weights::{Held, Inside, Outside, Weights, missing};
use crate::error::{Error, Problem};
use crate::waist::architecture::{
    self as waist, Architecture, Attention, Block, Embedding, Layer, MlpKind, Named, Output, Position, Rope,
    Stack,
};
use crate::waist::plan::Plan;
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
            problems.extend(untied(&architecture, &plan, checkpoint)?);
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

/// A tied model may bring a head all the same: only one that equals the embedding, bit by bit.
fn untied(
    architecture: &Architecture,
    plan: &Plan,
    checkpoint: &Checkpoint,
) -> Result<Option<Problem>, Error> {
    let Some(head) = plan.tied.as_ref().and_then(|planned| checkpoint.tensor(&planned.name)) else {
        return Ok(None);
    };
    let embedding = plan.tensors.iter().find(|planned| planned.roles == [Role::Embedding]);
    let Some(embedding) = embedding.and_then(|planned| checkpoint.tensor(&planned.name)) else {
        return Ok(None);
    };
    debug_assert!(architecture.output.tie);
    let equal = head.dtype() == embedding.dtype() && head.bytes()? == embedding.bytes()?;
    Ok((!equal).then(|| Problem::Untied { name: head.name().to_owned() }))
}

struct Loader<'a> {
    architecture: &'a Architecture,
    norms: Norms,
    rotaries: Vec<Rotary>,
}

/// What all norms of a model share.
struct Norms {
    settings: Settings,
    /// Folded into every weight.
    offset: f32,
}

// Every struct of the waist is taken apart here, word by word: one that is declared and not computed does not compile.
// What is left as `_` is no arithmetic, or the plan's.
impl Loader<'_> {
    fn compose(&mut self, weights: Weights, backend: Backend) -> Result<Model, Error> {
        let Architecture { embedding, stack, norm: _, layers, output, prefix, tensors: _, inert: _ } =
            self.architecture;
        let Embedding { vocab: _, width: _, scale } = embedding;
        let Stack { layers: _, context: _ } = stack;
        let Weights { outside, layers: inside } = weights;
        let Outside { embedding: table, final_norm, output: head } = outside;
        let table = table.matrix().cloned().ok_or_else(|| missing(Role::Embedding))?;
        let layers = layers.iter().zip(inside).enumerate();
        let layers: Result<Vec<_>, _> =
            layers.map(|(index, (layer, inside))| self.layer(index, layer, inside)).collect();
        Ok(Model {
            architecture: self.architecture.clone(),
            backend,
            embedding_scale: *scale as f32,
            prefix: prefix.clone(),
            layers: layers?,
            rotaries: std::mem::take(&mut self.rotaries),
            final_norm: self.norms.norm(0, final_norm)?,
            head: compose_head(output, &table, head)?,
            embedding: table,
        })
    }

    fn layer(&mut self, index: usize, layer: &Layer, inside: Inside) -> Result<LayerParts, Error> {
        let Layer { block, attention, rope, mlp, tensors } = layer;
        let &Block { wiring, branch_scale, residual, residual_scale } = block;
        let Inside {
            attention_norm,
            query,
            key,
            value,
            query_norm,
            key_norm,
            attention_output,
            attention_output_norm,
            mlp_norm,
            gate,
            up,
            down,
            mlp_output_norm,
            layer_scale,
        } = inside;
        let turn = rope.as_ref().map(|rope| self.turn(index, rope, attention)).transpose()?;
        let norms = &self.norms;
        let within = Factors { alpha: residual_scale as f32, b: branch_scale as f32, scale: 1.0 };
        Ok(LayerParts {
            index,
            wiring,
            residual,
            within,
            last: Factors { scale: layer_scale.number().unwrap_or(1.0), ..within },
            attention_norm: norms.norm(index, attention_norm)?,
            attention: AttentionBranch {
                query: query.linear(Role::Query)?,
                key: key.linear(Role::Key)?,
                value: value.linear(Role::Value)?,
                output: attention_output.linear(Role::AttentionOutput)?,
                query_norm: norms.of_heads(index, tensors, Role::QueryNorm, query_norm)?,
                key_norm: norms.of_heads(index, tensors, Role::KeyNorm, key_norm)?,
                turn,
                logn: attention.logn,
                window: attention.window.and_then(NonZeroUsize::new),
                core: compose_core(index, attention)?,
            },
            attention_output_norm: norms.norm(index, attention_output_norm)?,
            mlp_norm: norms.norm(index, mlp_norm)?,
            mlp: compose_mlp(index, mlp, [gate, up, down])?,
            mlp_output_norm: norms.norm(index, mlp_output_norm)?,
        })
    }

    /// Layers that turn alike share one table.
    fn turn(&mut self, index: usize, rope: &Rope, attention: &Attention) -> Result<usize, Error> {
        let dual_chunk = attention.dual_chunk.map(DualChunk::new).transpose();
        let dual_chunk = dual_chunk.map_err(|error| component(index, &error))?;
        let rotary = Rotary { rope: rope.clone(), head_dim: attention.head_dim, dual_chunk };
        Ok(self.rotaries.iter().position(|known| *known == rotary).unwrap_or_else(|| {
            self.rotaries.push(rotary);
            self.rotaries.len() - 1
        }))
    }
}

/// The sums over keys of one layer. What is `_` here acts on queries and keys before them: turns, factors, and which keys
/// are seen.
fn compose_core(index: usize, attention: &Attention) -> Result<Core, Error> {
    let &Attention { heads, kv_heads, head_dim, scale, softcap, window: _, logn: _, dual_chunk: _, position } =
        attention;
    let slopes = match position {
        Position::Alibi => Some(camelid_alibi::slopes(heads)),
        Position::Rope | Position::None => None,
    };
    let settings = camelid_attention::Settings { heads, kv_heads, head_dim, scale, softcap, slopes };
    Core::new(settings).map_err(|error| component(index, &error))
}

fn compose_mlp(index: usize, mlp: &waist::Mlp, [gate, up, down]: [Held; 3]) -> Result<Mlp, Error> {
    let &waist::Mlp { kind, width: _, activation } = mlp;
    let (up, down) = (up.linear(Role::Up)?, down.linear(Role::Down)?);
    let layers = match kind {
        MlpKind::Gated => Layers::Gated { gate: gate.linear(Role::Gate)?, up, down },
        MlpKind::Plain => Layers::Plain { up, down },
    };
    Mlp::new(layers, activation).map_err(|error| component(index, &error))
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

impl Norms {
    fn of(norm: &waist::Norm) -> Norms {
        let &waist::Norm { kind, eps, offset } = norm;
        Norms { settings: Settings { kind, eps }, offset: offset as f32 }
    }

    /// A norm, where its tensor is named: offset + w becomes the weight.
    fn norm(&self, layer: usize, held: Held) -> Result<Option<Norm>, Error> {
        let Some((weight, bias)) = held.vector() else { return Ok(None) };
        let weight = offset_weight(Array1::from(weight), self.offset);
        let norm = Norm::new(self.settings, weight, bias.map(Array1::from));
        norm.map(Some).map_err(|error| component(layer, &error))
    }

    fn of_heads(
        &self,
        layer: usize,
        tensors: &[Named],
        role: Role,
        held: Held,
    ) -> Result<Option<HeadNorm>, Error> {
        let Some(named) = tensors.iter().find(|named| named.roles.contains(&role)) else { return Ok(None) };
        let &Named { roles: _, name: _, suffix: _, bias: _, by: _, per, at } = named;
        Ok(self.norm(layer, held)?.map(|norm| HeadNorm { norm, per, at }))
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
