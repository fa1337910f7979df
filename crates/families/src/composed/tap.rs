//! Places in the composition where a value can be watched, or another put in its stead.

use std::fmt;

use ndarray::Array2;

/// A place in the composition. Values are `[tokens, features]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stage {
    /// The embedded tokens, scaled: the input of layer 0.
    Embedding,
    /// What attention reads: the normed stream.
    AttentionInput,
    /// Queries after position and every factor of their own, `[tokens, heads · head_dim]`.
    /// Under dual chunk attention, before the turn.
    Query,
    /// Keys after position, `[tokens, kv_heads · head_dim]`, as they go to the cache.
    Key,
    /// Values, `[tokens, kv_heads · head_dim]`.
    Value,
    /// What the heads give, before the output projection, `[tokens, heads · head_dim]`.
    Heads,
    /// What attention gives: after its projection, before any output norm, multiplier or residual.
    AttentionOutput,
    /// What the MLP reads.
    MlpInput,
    /// The numbers of the experts that each token goes to, `[tokens, chosen]`, ascending.
    Experts,
    /// Their weights, `[tokens, chosen]`.
    ExpertWeights,
    /// What the MLP gives, its experts among it: before any output norm, multiplier or residual. Where a plain MLP runs beside
    /// the experts, what that gives.
    MlpOutput,
    /// The residual stream after the layer.
    Layer,
    /// The stream after the final norm.
    FinalNorm,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Stage::Embedding => "embedding",
            Stage::AttentionInput => "attention input",
            Stage::Query => "query",
            Stage::Key => "key",
            Stage::Value => "value",
            Stage::Heads => "heads",
            Stage::AttentionOutput => "attention output",
            Stage::MlpInput => "mlp input",
            Stage::Experts => "experts",
            Stage::ExpertWeights => "expert weights",
            Stage::MlpOutput => "mlp output",
            Stage::Layer => "layer",
            Stage::FinalNorm => "final norm",
        })
    }
}

/// A stage of a certain layer, or of none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tap {
    /// The layer, counted from 0.
    pub layer: Option<usize>,
    /// The stage.
    pub stage: Stage,
}

/// Watches a forward pass.
///
/// The composition shows each value and goes on with what it is handed back: the value itself, or another of the same
/// shape. That is how a stage is re-run from a reference's own input to it.
pub trait Observer {
    /// Called at every tap, in the order of the arithmetic.
    fn at(&mut self, tap: Tap, value: Array2<f32>) -> Array2<f32>;
}

/// Nobody watches: costs nothing.
impl Observer for () {
    #[inline]
    fn at(&mut self, _tap: Tap, value: Array2<f32>) -> Array2<f32> {
        value
    }
}
