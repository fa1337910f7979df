//! What a tensor is for, and how several roles share one packed tensor.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a tensor is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The table of embeddings, `[vocab, width]`.
    Embedding,
    /// The norm of what is looked up, before it is scaled, `[width]`.
    EmbeddingNorm,
    /// The table of the embeddings that each layer has of its own, side by side, `[vocab, layers · per_layer width]`.
    LayerEmbedding,
    /// The projection of the embedding to those, `[layers · per_layer width, width]`.
    LayerProjection,
    /// The norm of each layer's part of that projection, `[per_layer width]`.
    LayerProjectionNorm,
    /// The norm before attention, n₁, `[width]`.
    AttentionNorm,
    /// The projection to the latent of queries, `[query_rank, width]`.
    QueryDown,
    /// The norm of the latent of queries, `[query_rank]`.
    QueryDownNorm,
    /// The projection to queries, `[heads · head_dim, width]`, or from their latent, `[heads · head_dim, query_rank]`.
    Query,
    /// The projection to keys, `[kv_heads · head_dim, width]`.
    Key,
    /// The projection to values, `[kv_heads · head_dim, width]`.
    Value,
    /// The norm of queries: `[head_dim]`, `[heads, head_dim]` or `[heads · head_dim]`, as `per` says.
    QueryNorm,
    /// The norm of keys: `[head_dim]`, `[kv_heads, head_dim]` or `[kv_heads · head_dim]`, as `per` says.
    KeyNorm,
    /// The norm of values, as that of keys.
    ValueNorm,
    /// The projection to the latent of keys and values and to the turned part of the key, `[rank + turned, width]`.
    LatentDown,
    /// The norm of the latent, `[rank]`.
    LatentNorm,
    /// The projection from the latent to each head's unturned key and value, `[heads · (unturned + value_dim), rank]`.
    LatentUp,
    /// A logit of each head that takes part in the softmax and has no value, `[heads]`.
    Sink,
    /// The projection whose σ multiplies what the heads give, `[heads · head_dim, width]`, or with `per = "each_head"`
    /// one number for each head, `[heads, width]`.
    AttentionGate,
    /// The projection of the heads back to the stream, `[width, heads · head_dim]`; under `[latent]` `[width, heads · value_dim]`.
    AttentionOutput,
    /// The norm of what attention gives, before it joins the residual, `[width]`.
    AttentionOutputNorm,
    /// The norm before the MLP, n₂, `[width]`.
    MlpNorm,
    /// The gate of a gated MLP, `[mlp width, width]`.
    Gate,
    /// The upward projection of the MLP, `[mlp width, width]`.
    Up,
    /// The downward projection of the MLP, `[width, mlp width]`.
    Down,
    /// The norm of what the plain MLP gives where experts run beside it, before the two are added, `[width]`.
    DenseOutputNorm,
    /// The norm of what the router reads, which is then the stream itself, `[width]`.
    RouterNorm,
    /// The router, `[count, width]`.
    Router,
    /// What is added to the scores for the choice alone, `[count]`.
    RouterCorrection,
    /// What each expert's weight is multiplied by, `[count]`.
    RouterFactor,
    /// The norm of what the experts read, which is then the stream itself, `[width]`.
    ExpertsNorm,
    /// The gates of the experts, each `[expert width, width]`.
    ExpertGate,
    /// The upward projections of the experts, each `[expert width, width]`.
    ExpertUp,
    /// The downward projections of the experts, each `[width, expert width]`.
    ExpertDown,
    /// The gate of the shared expert, `[shared, width]`.
    SharedGate,
    /// The upward projection of the shared expert, `[shared, width]`.
    SharedUp,
    /// The downward projection of the shared expert, `[width, shared]`.
    SharedDown,
    /// The projection whose σ multiplies what the shared expert gives, `[1, width]`.
    SharedScore,
    /// The norm of what the experts give, before it is added, `[width]`.
    ExpertsOutputNorm,
    /// The norm of what the MLP gives, before it joins the residual, `[width]`.
    MlpOutputNorm,
    /// The gate before a layer's own embedding, `[per_layer width, width]`.
    LayerGate,
    /// The projection of the gated embedding back to the stream, `[width, per_layer width]`.
    LayerOutput,
    /// The norm of what that gives, before it joins the stream, `[width]`.
    LayerOutputNorm,
    /// What the stream is multiplied by after the layer, `[1]`.
    LayerScale,
    /// The norm after the last layer, `[width]`.
    FinalNorm,
    /// The head, `[vocab, width]`.
    Output,
}

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

/// A role that [`Role::ALL`] leaves out does not compile.
const _: () = assert!(Role::ALL.len() == Role::Output as usize + 1);

impl Role {
    /// Every role, in the order in which a token meets them.
    pub const ALL: [Role; 46] = [
        Role::Embedding,
        Role::EmbeddingNorm,
        Role::LayerEmbedding,
        Role::LayerProjection,
        Role::LayerProjectionNorm,
        Role::AttentionNorm,
        Role::QueryDown,
        Role::QueryDownNorm,
        Role::Query,
        Role::Key,
        Role::Value,
        Role::QueryNorm,
        Role::KeyNorm,
        Role::ValueNorm,
        Role::LatentDown,
        Role::LatentNorm,
        Role::LatentUp,
        Role::Sink,
        Role::AttentionGate,
        Role::AttentionOutput,
        Role::AttentionOutputNorm,
        Role::MlpNorm,
        Role::Gate,
        Role::Up,
        Role::Down,
        Role::DenseOutputNorm,
        Role::RouterNorm,
        Role::Router,
        Role::RouterCorrection,
        Role::RouterFactor,
        Role::ExpertsNorm,
        Role::ExpertGate,
        Role::ExpertUp,
        Role::ExpertDown,
        Role::SharedGate,
        Role::SharedUp,
        Role::SharedDown,
        Role::SharedScore,
        Role::ExpertsOutputNorm,
        Role::MlpOutputNorm,
        Role::LayerGate,
        Role::LayerOutput,
        Role::LayerOutputNorm,
        Role::LayerScale,
        Role::FinalNorm,
        Role::Output,
    ];

    /// Whether each layer has a tensor of this role.
    #[must_use]
    pub fn per_layer(self) -> bool {
        !matches!(
            self,
            Role::Embedding
                | Role::EmbeddingNorm
                | Role::LayerEmbedding
                | Role::LayerProjection
                | Role::LayerProjectionNorm
                | Role::FinalNorm
                | Role::Output
        )
    }

    /// What the tensor is.
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
            | Role::AttentionOutputNorm
            | Role::MlpNorm
            | Role::DenseOutputNorm
            | Role::RouterNorm
            | Role::ExpertsNorm
            | Role::ExpertsOutputNorm
            | Role::MlpOutputNorm
            | Role::LayerOutputNorm
            | Role::FinalNorm => Kind::Norm,
            Role::Sink | Role::RouterCorrection | Role::RouterFactor | Role::LayerScale => Kind::Vector,
        }
    }

    /// Whether its rows may lie beside those of others in one tensor: a projection of a branch's input.
    #[must_use]
    pub fn packs(self) -> bool {
        matches!(
            self,
            Role::Query
                | Role::Key
                | Role::Value
                | Role::AttentionGate
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

    /// The name in declarations.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Role::Embedding => "embedding",
            Role::EmbeddingNorm => "embedding_norm",
            Role::LayerEmbedding => "layer_embedding",
            Role::LayerProjection => "layer_projection",
            Role::LayerProjectionNorm => "layer_projection_norm",
            Role::AttentionNorm => "attention_norm",
            Role::QueryDown => "query_down",
            Role::QueryDownNorm => "query_down_norm",
            Role::Query => "query",
            Role::Key => "key",
            Role::Value => "value",
            Role::QueryNorm => "query_norm",
            Role::KeyNorm => "key_norm",
            Role::ValueNorm => "value_norm",
            Role::LatentDown => "latent_down",
            Role::LatentNorm => "latent_norm",
            Role::LatentUp => "latent_up",
            Role::Sink => "sink",
            Role::AttentionGate => "attention_gate",
            Role::AttentionOutput => "attention_output",
            Role::AttentionOutputNorm => "attention_output_norm",
            Role::MlpNorm => "mlp_norm",
            Role::Gate => "gate",
            Role::Up => "up",
            Role::Down => "down",
            Role::DenseOutputNorm => "dense_output_norm",
            Role::RouterNorm => "router_norm",
            Role::Router => "router",
            Role::RouterCorrection => "router_correction",
            Role::RouterFactor => "router_factor",
            Role::ExpertsNorm => "experts_norm",
            Role::ExpertGate => "expert_gate",
            Role::ExpertUp => "expert_up",
            Role::ExpertDown => "expert_down",
            Role::SharedGate => "shared_gate",
            Role::SharedUp => "shared_up",
            Role::SharedDown => "shared_down",
            Role::SharedScore => "shared_score",
            Role::ExpertsOutputNorm => "experts_output_norm",
            Role::MlpOutputNorm => "mlp_output_norm",
            Role::LayerGate => "layer_gate",
            Role::LayerOutput => "layer_output",
            Role::LayerOutputNorm => "layer_output_norm",
            Role::LayerScale => "layer_scale",
            Role::FinalNorm => "final_norm",
            Role::Output => "output",
        }
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
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Role, String> {
        Role::ALL.into_iter().find(|role| role.name() == text).ok_or_else(|| {
            let names: Vec<_> = Role::ALL.iter().map(|role| role.name()).collect();
            format!("`{text}` is no role; the roles are {}", names.join(", "))
        })
    }
}

/// Reads `"query | key | value"`: the roles that one tensor holds, in the order of their rows.
pub(crate) fn read_roles(text: &str) -> Result<Vec<Role>, String> {
    let roles = text.split('|').map(|role| role.trim().parse()).collect::<Result<Vec<Role>, _>>()?;
    if let Some(twice) = roles.iter().enumerate().find(|(i, role)| roles[..*i].contains(role)) {
        return Err(format!("`{text}` names `{}` twice", twice.1));
    }
    Ok(roles)
}

/// Whether one tensor may hold these roles.
pub(crate) fn share(roles: &[Role]) -> Result<(), String> {
    let alone = roles.iter().find(|role| !role.packs()).filter(|_| roles.len() > 1);
    let Some(alone) = alone else { return Ok(()) };
    let can: Vec<_> = Role::ALL.into_iter().filter(|role| role.packs()).map(Role::name).collect();
    Err(format!(
        "`{}`: `{alone}` has a tensor of its own; only {} may share one",
        write_roles(roles),
        can.join(", ")
    ))
}

/// `query | key | value`, as declarations write it.
pub(crate) fn write_roles(roles: &[Role]) -> String {
    roles.iter().map(|role| role.name()).collect::<Vec<_>>().join(" | ")
}
