//! A tensor as an architecture names it: its roles, and how they lie in it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::waist::roles::Role;

/// A tensor of the checkpoint, and the roles it plays.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Named {
    /// The roles, in the order of their rows.
    pub roles: Vec<Role>,
    /// Its name, without `.weight`.
    pub name: String,
    /// Whether `.bias` stands beside `.weight`.
    pub bias: bool,
    /// How the rows of several roles lie.
    pub by: By,
    /// For a norm of queries, keys or values: what shares a weight.
    pub per: Per,
    /// For a norm of queries or keys: before or after the rotary turn.
    pub at: At,
    /// What follows its name.
    #[serde(default)]
    pub suffix: Suffix,
    /// For experts: whether a matrix lies turned over.
    #[serde(default)]
    pub lies: Lies,
    /// For a norm: whether it has no weight, so no tensor.
    #[serde(default)]
    pub unit: bool,
    /// For a norm: what it has in place of `norm.eps`.
    #[serde(default)]
    pub eps: Option<f64>,
    /// For a norm: what it has in place of `norm.offset`.
    #[serde(default)]
    pub offset: Option<f64>,
    /// For a norm: what its result is multiplied by.
    #[serde(default = "one")]
    pub factor: f64,
}

/// What follows the name in the checkpoint: `.weight`, or nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Suffix {
    /// `.weight`, as modules of PyTorch have.
    #[default]
    Weight,
    /// Nothing, as a parameter or buffer that belongs to no module of its own.
    None,
}

/// How the rows of several roles lie in one tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// All rows of the first role, then all of the next.
    #[default]
    Rows,
    /// For each kv head its queries, its key, its value.
    Group,
    /// For each query head its rows of the first role, then of the next.
    Head,
    /// One row of each role by turns.
    Turns,
}

/// What shares a weight in a norm of queries or keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Per {
    /// Each head is normed by itself; all heads share one weight, `[head_dim]`.
    #[default]
    Head,
    /// Each head is normed by itself with a weight of its own, `[heads, head_dim]`.
    EachHead,
    /// All heads are normed together, `[heads · head_dim]`.
    Width,
}

/// Whether queries and keys are normed before or after they turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum At {
    /// Before.
    #[default]
    BeforeRope,
    /// After.
    AfterRope,
}

/// Which way round the matrix of an expert is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Lies {
    /// `[out, in]`.
    #[default]
    OutIn,
    /// `[in, out]`.
    InOut,
}

/// What stands in a name for the number of an expert: one tensor for each. Without it all experts lie in one, stacked.
pub const EXPERT: &str = "{expert}";

/// What stands in a name for the number of a head: one tensor for each, in the norm of queries or of keys.
pub(crate) const HEAD: &str = "{head}";

impl Named {
    /// Whether each head has a tensor of its own.
    #[must_use]
    pub fn is_per_head(&self) -> bool {
        self.name.contains(HEAD)
    }

    /// Whether each expert has a tensor of its own.
    #[must_use]
    pub fn is_per_expert(&self) -> bool {
        self.name.contains(EXPERT)
    }
}

fn one() -> f64 {
    1.0
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
