//! `[per_layer]`: embeddings that each layer has of its own.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `[per_layer]`: beside the embedding of a token, each layer has one of its own, which joins the stream behind its MLP. Absent in most
/// families, and in models whose `width` is none.
///
/// e = (`layer_projection_norm`(`layer_projection`(x₀) · projection_scale) + `layer_embedding`\[id\] · scale) · joint_scale, one row
/// of it for each layer, x₀ being what enters layer 0; then x ← x + `layer_output_norm`(`layer_output`(act(`layer_gate`(x)) ⊙ e)),
/// act being `[mlp]`'s. `layer_scale`, where it is named, multiplies the stream after that.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PerLayer {
    /// Features of each layer's embedding.
    pub width: usize,
    /// Rows of its table.
    pub vocab: usize,
    /// What it is multiplied by after look-up.
    #[serde(default = "one")]
    pub scale: f64,
    /// What the projection of the embedding is multiplied by, before its norm.
    #[serde(default = "one")]
    pub projection_scale: f64,
    /// What the sum of both is multiplied by.
    #[serde(default = "one")]
    pub joint_scale: f64,
}

fn one() -> f64 {
    1.0
}
