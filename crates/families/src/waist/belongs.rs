//! Which roles a layer has: a declaration names the tensors of every kind of layer, and each takes its own.

use crate::waist::architecture::{Layer, Values};
use crate::waist::roles::Role;

impl Layer {
    /// Whether a tensor of this role belongs to the layer, if one is named: a dense layer has no router, a layer that reads
    /// another's keys and values has none of its own.
    #[must_use]
    pub fn has_room_for(&self, role: Role) -> bool {
        let (latent, experts) = (self.latent.as_ref(), self.experts.as_ref());
        let delta = self.delta.as_ref();
        let own_keys = delta.is_none() && latent.is_none() && self.attention.source.is_none();
        match role {
            Role::Key | Role::KeyNorm | Role::ValueNorm => own_keys,
            Role::Value => own_keys && self.attention.values == Values::Projected,
            Role::QueryDown | Role::QueryDownNorm => latent.is_some_and(|latent| latent.query_rank.is_some()),
            Role::LatentDown | Role::LatentNorm | Role::LatentUp => latent.is_some(),
            Role::Query | Role::QueryNorm | Role::Sink | Role::AttentionGate | Role::AttentionOutput => {
                delta.is_none()
            }
            Role::DeltaQuery
            | Role::DeltaKey
            | Role::DeltaValue
            | Role::DeltaQueryConv
            | Role::DeltaKeyConv
            | Role::DeltaValueConv
            | Role::DeltaRate
            | Role::DeltaDecay
            | Role::DeltaDecayBias
            | Role::DeltaDecayLog
            | Role::DeltaNorm
            | Role::DeltaGate
            | Role::DeltaOutput => delta.is_some(),
            Role::DeltaDecayDown => delta.is_some_and(|delta| delta.decay_rank.is_some()),
            Role::DeltaGateDown => delta.is_some_and(|delta| delta.gate_rank.is_some()),
            Role::Gate | Role::Up | Role::Down => experts.is_none_or(|experts| experts.beside),
            Role::DenseOutputNorm => experts.is_some_and(|experts| experts.beside),
            Role::RouterNorm
            | Role::Router
            | Role::RouterCorrection
            | Role::RouterFactor
            | Role::ExpertsNorm
            | Role::ExpertGate
            | Role::ExpertUp
            | Role::ExpertDown
            | Role::ExpertsOutputNorm => experts.is_some(),
            Role::SharedGate | Role::SharedUp | Role::SharedDown | Role::SharedScore => {
                experts.is_some_and(|experts| experts.shared.is_some())
            }
            Role::Embedding
            | Role::EmbeddingNorm
            | Role::LayerEmbedding
            | Role::LayerProjection
            | Role::LayerProjectionNorm
            | Role::LayerGate
            | Role::LayerOutput
            | Role::LayerOutputNorm
            | Role::LayerScale
            | Role::AttentionNorm
            | Role::AttentionOutputNorm
            | Role::MlpNorm
            | Role::MlpOutputNorm
            | Role::FinalNorm
            | Role::Output => true,
        }
    }
}
