//! What a tensor is for.

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
    /// The projection to queries of a delta net, `[key_heads · key_dim, width]`.
    DeltaQuery,
    /// The projection to keys of a delta net, `[key_heads · key_dim, width]`.
    DeltaKey,
    /// The projection to values of a delta net, `[value_heads · value_dim, width]`.
    DeltaValue,
    /// The short convolution of queries, `[key_heads · key_dim, 1, conv_width]`.
    DeltaQueryConv,
    /// The short convolution of keys, `[key_heads · key_dim, 1, conv_width]`.
    DeltaKeyConv,
    /// The short convolution of values, `[value_heads · value_dim, 1, conv_width]`.
    DeltaValueConv,
    /// The projection whose σ is β, how much of what the state lacks is put in, `[value_heads, width]`.
    DeltaRate,
    /// The first half of the projection to the decay, where it has a rank, `[decay_rank, width]`.
    DeltaDecayDown,
    /// The projection a to the decay: `[value_heads, width]`, or by feature `[value_heads · key_dim, width]`;
    /// from `decay_rank` where it has one.
    DeltaDecay,
    /// b, what is added to a, `[value_heads]`, or by feature `[value_heads · key_dim]`.
    DeltaDecayBias,
    /// A, the logarithm of how fast each head forgets, `[value_heads]`.
    DeltaDecayLog,
    /// The norm of what each head gives, before its gate, `[value_dim]`.
    DeltaNorm,
    /// The first half of the projection to the gate, where it has a rank, `[gate_rank, width]`.
    DeltaGateDown,
    /// The projection to the gate, `[value_heads · value_dim, width]`; from `gate_rank` where it has one.
    DeltaGate,
    /// The projection of the heads of a delta net back to the stream, `[width, value_heads · value_dim]`.
    DeltaOutput,
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

/// A role that [`Role::ALL`] leaves out does not compile.
const _: () = assert!(Role::ALL.len() == Role::Output as usize + 1);

impl Role {
    /// Every role, in the order in which a token meets them.
    pub const ALL: [Role; 61] = [
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
        Role::DeltaQuery,
        Role::DeltaKey,
        Role::DeltaValue,
        Role::DeltaQueryConv,
        Role::DeltaKeyConv,
        Role::DeltaValueConv,
        Role::DeltaRate,
        Role::DeltaDecayDown,
        Role::DeltaDecay,
        Role::DeltaDecayBias,
        Role::DeltaDecayLog,
        Role::DeltaNorm,
        Role::DeltaGateDown,
        Role::DeltaGate,
        Role::DeltaOutput,
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

    /// The name in declarations.
    #[expect(clippy::too_many_lines, reason = "a line for each role")]
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
            Role::DeltaQuery => "delta_query",
            Role::DeltaKey => "delta_key",
            Role::DeltaValue => "delta_value",
            Role::DeltaQueryConv => "delta_query_conv",
            Role::DeltaKeyConv => "delta_key_conv",
            Role::DeltaValueConv => "delta_value_conv",
            Role::DeltaRate => "delta_rate",
            Role::DeltaDecayDown => "delta_decay_down",
            Role::DeltaDecay => "delta_decay",
            Role::DeltaDecayBias => "delta_decay_bias",
            Role::DeltaDecayLog => "delta_decay_log",
            Role::DeltaNorm => "delta_norm",
            Role::DeltaGateDown => "delta_gate_down",
            Role::DeltaGate => "delta_gate",
            Role::DeltaOutput => "delta_output",
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
