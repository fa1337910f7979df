//! Checkpoint tensors → what each role holds: packed layouts taken apart, rows left in the mapped file.

use std::ops::Range;

use camelid_checkpoint::{Checkpoint, Tensor};
use camelid_linear::{Linear, Weight};

use crate::composed::loaded::experts::ExpertTensor;
use crate::composed::loaded::stored::{matrix, missing};
use crate::error::{Error, Problem};
use crate::waist::architecture::Architecture;
use crate::waist::named::By;
use crate::waist::plan::{Part, Planned};
use crate::waist::roles::{Kind, Role};

/// What a model's tensors come to, role by role.
///
/// Each role has a field. Whoever composes takes these structs apart, so that a role that nothing computes with does not
/// compile.
#[derive(Debug, Default)]
pub(crate) struct Weights {
    pub(crate) outside: Outside,
    pub(crate) layers: Vec<Inside>,
}

/// The roles outside the layers.
#[derive(Debug, Default)]
pub(crate) struct Outside {
    pub(crate) embedding: Held,
    pub(crate) embedding_norm: Held,
    pub(crate) layer_embedding: Held,
    pub(crate) layer_projection: Held,
    pub(crate) layer_projection_norm: Held,
    pub(crate) final_norm: Held,
    pub(crate) output: Held,
}

/// The roles of one layer.
#[derive(Debug, Default)]
pub(crate) struct Inside {
    pub(crate) attention_norm: Held,
    pub(crate) attention: OfAttention,
    pub(crate) attention_output_norm: Held,
    pub(crate) mlp_norm: Held,
    pub(crate) mlp: OfMlp,
    pub(crate) mlp_output_norm: Held,
    pub(crate) layer_gate: Held,
    pub(crate) layer_output: Held,
    pub(crate) layer_output_norm: Held,
    pub(crate) layer_scale: Held,
}

/// The roles of a layer's attention, of either kind.
#[derive(Debug, Default)]
pub(crate) struct OfAttention {
    pub(crate) query_down: Held,
    pub(crate) query_down_norm: Held,
    pub(crate) query: Held,
    pub(crate) key: Held,
    pub(crate) value: Held,
    pub(crate) query_norm: Held,
    pub(crate) key_norm: Held,
    pub(crate) value_norm: Held,
    pub(crate) latent_down: Held,
    pub(crate) latent_norm: Held,
    pub(crate) latent_up: Held,
    pub(crate) sink: Held,
    pub(crate) attention_gate: Held,
    pub(crate) attention_output: Held,
}

/// The roles of a layer's MLP and of its experts.
#[derive(Debug, Default)]
pub(crate) struct OfMlp {
    pub(crate) gate: Held,
    pub(crate) up: Held,
    pub(crate) down: Held,
    pub(crate) dense_output_norm: Held,
    pub(crate) router_norm: Held,
    pub(crate) router: Held,
    pub(crate) router_correction: Held,
    pub(crate) router_factor: Held,
    pub(crate) experts_norm: Held,
    pub(crate) shared_gate: Held,
    pub(crate) shared_up: Held,
    pub(crate) shared_down: Held,
    pub(crate) shared_score: Held,
    pub(crate) experts_output_norm: Held,
    /// Those of which each expert has one, as they are stored.
    pub(crate) experts: Vec<ExpertTensor>,
}

/// What one role holds: a matrix or a vector, as its kind says; nothing where no tensor is named.
#[derive(Debug, Default)]
pub(crate) struct Held {
    matrix: Option<Weight>,
    vector: Option<Vec<f32>>,
    bias: Option<Vec<f32>>,
}

impl Held {
    /// The matrix, where one is named.
    pub(crate) fn matrix(&self) -> Option<&Weight> {
        self.matrix.as_ref()
    }

    /// The projection that the role is.
    pub(crate) fn linear(self, role: Role) -> Result<Linear, Error> {
        let weight = self.matrix.ok_or_else(|| missing(role))?;
        Ok(Linear { weight, bias: self.bias })
    }

    /// The projection, where one is named.
    pub(crate) fn optional(self) -> Option<Linear> {
        Some(Linear { weight: self.matrix?, bias: self.bias })
    }

    /// The vector with its bias, where one is named.
    pub(crate) fn vector(self) -> Option<(Vec<f32>, Option<Vec<f32>>)> {
        Some((self.vector?, self.bias))
    }

    /// The bias alone, of a projection whose matrix is another's.
    pub(crate) fn bias(self) -> Option<Vec<f32>> {
        self.bias
    }
}

impl Weights {
    /// Reads every planned tensor; `progress` hears how many of how many are read.
    pub(crate) fn read(
        architecture: &Architecture,
        planned: &[Planned],
        checkpoint: &Checkpoint,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Weights, Error> {
        let mut weights = Weights::default();
        weights.layers.resize_with(architecture.layers.len(), Inside::default);
        for (index, planned) in planned.iter().enumerate() {
            let tensor = checkpoint.tensor(&planned.name).ok_or_else(|| {
                let problem =
                    Problem::MissingTensor { name: planned.name.clone(), shape: Some(planned.shape.clone()) };
                Error::Input(problem.to_string())
            })?;
            weights.take(architecture, planned, tensor)?;
            progress(index + 1, architecture.layers.len());
        }
        Ok(weights)
    }

    fn take(&mut self, architecture: &Architecture, planned: &Planned, tensor: &Tensor) -> Result<(), Error> {
        if planned.roles[0].is_of_experts() {
            let layer = planned.layer.and_then(|layer| self.layers.get_mut(layer));
            let layer = layer.ok_or_else(|| missing(planned.roles[0]))?;
            layer.mlp.experts.push(ExpertTensor::read(planned, tensor)?);
            return Ok(());
        }
        let runs = runs(architecture, planned);
        let is_matrix =
            planned.part == Part::Weight && planned.roles.iter().all(|r| r.kind() == Kind::Matrix);
        if is_matrix {
            let whole = matrix(tensor, &planned.shape)?;
            for (role, runs) in runs {
                let part = match runs.as_slice() {
                    [run] if *run == (0..whole.rows()) => whole.clone(),
                    [run] => whole.slice_rows(run.clone()),
                    many => whole.gather_rows(many),
                };
                self.held(planned.layer, role)?.matrix = Some(part);
            }
            return Ok(());
        }
        let values = tensor.to_f32()?;
        let row = values.len() / planned.shape[0];
        for (role, runs) in runs {
            let part = runs.iter().flat_map(|run| &values[run.start * row..run.end * row]).copied();
            let held = self.held(planned.layer, role)?;
            match planned.part {
                // Tensors of one head each arrive in the order of the heads.
                Part::Weight => held.vector.get_or_insert_default().extend(part),
                Part::Bias => held.bias.get_or_insert_default().extend(part),
            }
        }
        Ok(())
    }

    fn held(&mut self, layer: Option<usize>, role: Role) -> Result<&mut Held, Error> {
        let Weights { outside, layers } = self;
        let Some(layer) = layer else { return outside.held(role).ok_or_else(|| missing(role)) };
        let inside = layers.get_mut(layer).and_then(|inside| inside.held(role));
        inside.ok_or_else(|| missing(role))
    }
}

impl Outside {
    fn held(&mut self, role: Role) -> Option<&mut Held> {
        match role {
            Role::Embedding => Some(&mut self.embedding),
            Role::EmbeddingNorm => Some(&mut self.embedding_norm),
            Role::LayerEmbedding => Some(&mut self.layer_embedding),
            Role::LayerProjection => Some(&mut self.layer_projection),
            Role::LayerProjectionNorm => Some(&mut self.layer_projection_norm),
            Role::FinalNorm => Some(&mut self.final_norm),
            Role::Output => Some(&mut self.output),
            Role::AttentionNorm
            | Role::QueryDown
            | Role::QueryDownNorm
            | Role::Query
            | Role::Key
            | Role::Value
            | Role::QueryNorm
            | Role::KeyNorm
            | Role::ValueNorm
            | Role::LatentDown
            | Role::LatentNorm
            | Role::LatentUp
            | Role::Sink
            | Role::AttentionGate
            | Role::AttentionOutput
            | Role::AttentionOutputNorm
            | Role::MlpNorm
            | Role::Gate
            | Role::Up
            | Role::Down
            | Role::DenseOutputNorm
            | Role::RouterNorm
            | Role::Router
            | Role::RouterCorrection
            | Role::RouterFactor
            | Role::ExpertsNorm
            | Role::SharedGate
            | Role::SharedUp
            | Role::SharedDown
            | Role::SharedScore
            | Role::ExpertsOutputNorm
            | Role::MlpOutputNorm
            | Role::ExpertGate
            | Role::ExpertUp
            | Role::ExpertDown
            | Role::LayerGate
            | Role::LayerOutput
            | Role::LayerOutputNorm
            | Role::LayerScale => None,
        }
    }
}

impl Inside {
    fn held(&mut self, role: Role) -> Option<&mut Held> {
        let Inside {
            attention_norm,
            attention,
            attention_output_norm,
            mlp_norm,
            mlp,
            mlp_output_norm,
            layer_gate,
            layer_output,
            layer_output_norm,
            layer_scale,
        } = self;
        match role {
            Role::AttentionNorm => Some(attention_norm),
            Role::AttentionOutputNorm => Some(attention_output_norm),
            Role::MlpNorm => Some(mlp_norm),
            Role::MlpOutputNorm => Some(mlp_output_norm),
            Role::LayerGate => Some(layer_gate),
            Role::LayerOutput => Some(layer_output),
            Role::LayerOutputNorm => Some(layer_output_norm),
            Role::LayerScale => Some(layer_scale),
            Role::QueryDown => Some(&mut attention.query_down),
            Role::QueryDownNorm => Some(&mut attention.query_down_norm),
            Role::Query => Some(&mut attention.query),
            Role::Key => Some(&mut attention.key),
            Role::Value => Some(&mut attention.value),
            Role::QueryNorm => Some(&mut attention.query_norm),
            Role::KeyNorm => Some(&mut attention.key_norm),
            Role::ValueNorm => Some(&mut attention.value_norm),
            Role::LatentDown => Some(&mut attention.latent_down),
            Role::LatentNorm => Some(&mut attention.latent_norm),
            Role::LatentUp => Some(&mut attention.latent_up),
            Role::Sink => Some(&mut attention.sink),
            Role::AttentionGate => Some(&mut attention.attention_gate),
            Role::AttentionOutput => Some(&mut attention.attention_output),
            Role::Gate => Some(&mut mlp.gate),
            Role::Up => Some(&mut mlp.up),
            Role::Down => Some(&mut mlp.down),
            Role::DenseOutputNorm => Some(&mut mlp.dense_output_norm),
            Role::RouterNorm => Some(&mut mlp.router_norm),
            Role::Router => Some(&mut mlp.router),
            Role::RouterCorrection => Some(&mut mlp.router_correction),
            Role::RouterFactor => Some(&mut mlp.router_factor),
            Role::ExpertsNorm => Some(&mut mlp.experts_norm),
            Role::SharedGate => Some(&mut mlp.shared_gate),
            Role::SharedUp => Some(&mut mlp.shared_up),
            Role::SharedDown => Some(&mut mlp.shared_down),
            Role::SharedScore => Some(&mut mlp.shared_score),
            Role::ExpertsOutputNorm => Some(&mut mlp.experts_output_norm),
            // Of these there are many: `experts`.
            Role::ExpertGate | Role::ExpertUp | Role::ExpertDown => None,
            Role::Embedding
            | Role::EmbeddingNorm
            | Role::LayerEmbedding
            | Role::LayerProjection
            | Role::LayerProjectionNorm
            | Role::FinalNorm
            | Role::Output => None,
        }
    }
}

/// Which rows of a tensor belong to each of its roles.
pub(crate) fn runs(architecture: &Architecture, planned: &Planned) -> Vec<(Role, Vec<Range<usize>>)> {
    // What experts pack or stack is taken apart by `experts`; elsewhere such a tensor is passed on whole.
    if planned.roles[0].is_of_experts() {
        return vec![(planned.roles[0], vec![0..planned.shape[0]])];
    }
    let rows = |role: Role| match planned.roles.as_slice() {
        [_] => planned.shape[0],
        _ => architecture.shape(planned.layer, role, Default::default())[0],
    };
    let groups = match (planned.by, planned.layer.and_then(|layer| architecture.layers.get(layer))) {
        (By::Group, Some(layer)) => layer.attention.kv_heads,
        (By::Head, Some(layer)) => layer.attention.heads,
        (By::Group | By::Head, None) | (By::Rows | By::Turns, _) => 1,
    };
    let mut out: Vec<(Role, Vec<Range<usize>>)> =
        planned.roles.iter().map(|role| (*role, Vec::new())).collect();
    let mut start = 0;
    for _ in 0..groups {
        for (role, runs) in &mut out {
            let end = start + rows(*role) / groups;
            runs.push(start..end);
            start = end;
        }
    }
    out
}
