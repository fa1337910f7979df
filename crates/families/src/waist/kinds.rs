//! What the tensor of each role is, and which roles may share one.

use crate::waist::roles::Role;

/// What the tensor of a role is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A table, or a projection `[out, in]`.
    Matrix,
    /// The weight of a norm.
    Norm,
    /// A list of numbers.
    Vector,
}

impl Role {
    /// What the tensor is.
    #[expect(clippy::too_many_lines, reason = "a line for each role")]
    #[must_use]
    pub fn kind(self) -> Kind {
        match self {
            Role::Embedding
            | Role::LayerEmbedding
            | Role::LayerProjection
            | Role::QueryDown
            | Role::Query
            | Role::Key
            | Role::Value
            | Role::LatentDown
            | Role::LatentUp
            | Role::AttentionGate
            | Role::AttentionOutput
            | Role::DeltaQuery
            | Role::DeltaKey
            | Role::DeltaValue
            | Role::DeltaRate
            | Role::DeltaDecayDown
            | Role::DeltaDecay
            | Role::DeltaGateDown
            | Role::DeltaGate
            | Role::DeltaOutput
            | Role::Gate
            | Role::Up
            | Role::Down
            | Role::Router
            | Role::ExpertGate
            | Role::ExpertUp
            | Role::ExpertDown
            | Role::SharedGate
            | Role::SharedUp
            | Role::SharedDown
            | Role::SharedScore
            | Role::LayerGate
            | Role::LayerOutput
            | Role::Output => Kind::Matrix,
            Role::EmbeddingNorm
            | Role::LayerProjectionNorm
            | Role::AttentionNorm
            | Role::QueryDownNorm
            | Role::QueryNorm
            | Role::KeyNorm
            | Role::ValueNorm
            | Role::LatentNorm
            | Role::DeltaNorm
            | Role::AttentionOutputNorm
            | Role::MlpNorm
            | Role::DenseOutputNorm
            | Role::RouterNorm
            | Role::ExpertsNorm
            | Role::ExpertsOutputNorm
            | Role::MlpOutputNorm
            | Role::LayerOutputNorm
            | Role::FinalNorm => Kind::Norm,
            Role::Sink
            | Role::RouterCorrection
            | Role::RouterFactor
            | Role::LayerScale
            | Role::DeltaQueryConv
            | Role::DeltaKeyConv
            | Role::DeltaValueConv
            | Role::DeltaDecayBias
            | Role::DeltaDecayLog => Kind::Vector,
        }
    }

    /// Whether its rows may lie beside those of others in one tensor: projections of a branch's input, or its convolutions.
    #[must_use]
    pub fn packs(self) -> bool {
        matches!(
            self,
            Role::Query
                | Role::Key
                | Role::Value
                | Role::AttentionGate
                | Role::DeltaQuery
                | Role::DeltaKey
                | Role::DeltaValue
                | Role::DeltaQueryConv
                | Role::DeltaKeyConv
                | Role::DeltaValueConv
                | Role::DeltaRate
                | Role::DeltaDecay
                | Role::DeltaGate
                | Role::Gate
                | Role::Up
                | Role::ExpertGate
                | Role::ExpertUp
        )
    }

    /// Whether the tensor is the weight of a norm.
    #[must_use]
    pub fn is_norm(self) -> bool {
        self.kind() == Kind::Norm
    }

    /// Whether it belongs to the embeddings that layers have of their own.
    #[must_use]
    pub fn is_of_layers(self) -> bool {
        matches!(
            self,
            Role::LayerEmbedding
                | Role::LayerProjection
                | Role::LayerProjectionNorm
                | Role::LayerGate
                | Role::LayerOutput
                | Role::LayerOutputNorm
        )
    }

    /// Whether each expert has a matrix of this role.
    #[must_use]
    pub fn is_of_experts(self) -> bool {
        matches!(self, Role::ExpertGate | Role::ExpertUp | Role::ExpertDown)
    }

    /// Whether it belongs to a delta net.
    #[must_use]
    pub fn is_of_delta(self) -> bool {
        Role::DeltaQuery <= self && self <= Role::DeltaOutput
    }
}
