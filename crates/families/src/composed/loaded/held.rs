//! What each role holds: a field for each, so that a role that nothing computes with does not compile.

use camelid_linear::{Linear, Weight};

use crate::composed::loaded::experts::ExpertTensor;
use crate::composed::loaded::stored::missing;
use crate::error::Error;
use crate::waist::roles::Role;

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
    pub(crate) delta: OfDelta,
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

/// The roles of a delta net.
#[derive(Debug, Default)]
pub(crate) struct OfDelta {
    pub(crate) query: Held,
    pub(crate) key: Held,
    pub(crate) value: Held,
    pub(crate) query_conv: Held,
    pub(crate) key_conv: Held,
    pub(crate) value_conv: Held,
    pub(crate) rate: Held,
    pub(crate) decay_down: Held,
    pub(crate) decay: Held,
    pub(crate) decay_bias: Held,
    pub(crate) decay_log: Held,
    pub(crate) norm: Held,
    pub(crate) gate_down: Held,
    pub(crate) gate: Held,
    pub(crate) output: Held,
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
    pub(super) matrix: Option<Weight>,
    pub(super) vector: Option<Vec<f32>>,
    pub(super) bias: Option<Vec<f32>>,
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

impl Outside {
    #[expect(clippy::too_many_lines, reason = "a line for each role")]
    pub(super) fn held(&mut self, role: Role) -> Option<&mut Held> {
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
            | Role::DeltaQuery
            | Role::DeltaKey
            | Role::DeltaValue
            | Role::DeltaQueryConv
            | Role::DeltaKeyConv
            | Role::DeltaValueConv
            | Role::DeltaRate
            | Role::DeltaDecayDown
            | Role::DeltaDecay
            | Role::DeltaDecayBias
            | Role::DeltaDecayLog
            | Role::DeltaNorm
            | Role::DeltaGateDown
            | Role::DeltaGate
            | Role::DeltaOutput
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
    #[expect(clippy::too_many_lines, reason = "a line for each role")]
    pub(super) fn held(&mut self, role: Role) -> Option<&mut Held> {
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
            Role::DeltaQuery => Some(&mut delta.query),
            Role::DeltaKey => Some(&mut delta.key),
            Role::DeltaValue => Some(&mut delta.value),
            Role::DeltaQueryConv => Some(&mut delta.query_conv),
            Role::DeltaKeyConv => Some(&mut delta.key_conv),
            Role::DeltaValueConv => Some(&mut delta.value_conv),
            Role::DeltaRate => Some(&mut delta.rate),
            Role::DeltaDecayDown => Some(&mut delta.decay_down),
            Role::DeltaDecay => Some(&mut delta.decay),
            Role::DeltaDecayBias => Some(&mut delta.decay_bias),
            Role::DeltaDecayLog => Some(&mut delta.decay_log),
            Role::DeltaNorm => Some(&mut delta.norm),
            Role::DeltaGateDown => Some(&mut delta.gate_down),
            Role::DeltaGate => Some(&mut delta.gate),
            Role::DeltaOutput => Some(&mut delta.output),
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
