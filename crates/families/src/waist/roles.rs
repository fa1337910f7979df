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
    /// The norm before attention, n₁, `[width]`.
    AttentionNorm,
    /// The projection to queries, `[heads · head_dim, width]`.
    Query,
    /// The projection to keys, `[kv_heads · head_dim, width]`.
    Key,
    /// The projection to values, `[kv_heads · head_dim, width]`.
    Value,
    /// The norm of queries: `[head_dim]`, `[heads, head_dim]` or `[heads · head_dim]`, as `per` says.
    QueryNorm,
    /// The norm of keys: `[head_dim]`, `[kv_heads, head_dim]` or `[kv_heads · head_dim]`, as `per` says.
    KeyNorm,
    /// The projection of the heads back to the stream, `[width, heads · head_dim]`.
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
    /// The norm of what the MLP gives, before it joins the residual, `[width]`.
    MlpOutputNorm,
    /// What the stream is multiplied by where it leaves the layer: one number, `[1]`.
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
    /// One number.
    Number,
}

/// A role that [`Role::ALL`] leaves out does not compile.
const _: () = assert!(Role::ALL.len() == Role::Output as usize + 1);

impl Role {
    /// Every role, in the order in which a token meets them.
    pub const ALL: [Role; 17] = [
        Role::Embedding,
        Role::AttentionNorm,
        Role::Query,
        Role::Key,
        Role::Value,
        Role::QueryNorm,
        Role::KeyNorm,
        Role::AttentionOutput,
        Role::AttentionOutputNorm,
        Role::MlpNorm,
        Role::Gate,
        Role::Up,
        Role::Down,
        Role::MlpOutputNorm,
        Role::LayerScale,
        Role::FinalNorm,
        Role::Output,
    ];

    /// Whether each layer has a tensor of this role.
    #[must_use]
    pub fn per_layer(self) -> bool {
        !matches!(self, Role::Embedding | Role::FinalNorm | Role::Output)
    }

    /// What the tensor is.
    #[must_use]
    pub fn kind(self) -> Kind {
        match self {
            Role::Embedding
            | Role::Query
            | Role::Key
            | Role::Value
            | Role::AttentionOutput
            | Role::Gate
            | Role::Up
            | Role::Down
            | Role::Output => Kind::Matrix,
            Role::AttentionNorm
            | Role::QueryNorm
            | Role::KeyNorm
            | Role::AttentionOutputNorm
            | Role::MlpNorm
            | Role::MlpOutputNorm
            | Role::FinalNorm => Kind::Norm,
            Role::LayerScale => Kind::Number,
        }
    }

    /// Whether its rows may lie beside those of others in one tensor: a projection of a branch's input.
    #[must_use]
    pub fn packs(self) -> bool {
        matches!(self, Role::Query | Role::Key | Role::Value | Role::Gate | Role::Up)
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
            Role::AttentionNorm => "attention_norm",
            Role::Query => "query",
            Role::Key => "key",
            Role::Value => "value",
            Role::QueryNorm => "query_norm",
            Role::KeyNorm => "key_norm",
            Role::AttentionOutput => "attention_output",
            Role::AttentionOutputNorm => "attention_output_norm",
            Role::MlpNorm => "mlp_norm",
            Role::Gate => "gate",
            Role::Up => "up",
            Role::Down => "down",
            Role::MlpOutputNorm => "mlp_output_norm",
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
