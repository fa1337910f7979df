//! `[experts]`: a mixture of experts in place of a layer's MLP, or beside it.

use camelid_experts::{GroupBy, Over, Score, Settings, Weigh};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `[experts]`: a router chooses some of many MLPs for each token. A layer whose `count` is none has its plain MLP.
///
/// s = score(z), z = router(x); the `chosen` with the largest s + `router_correction` give y = Σ p·expert(x), p = s of the chosen,
/// after `normalise`, `scale` and `router_factor`. The function within each expert is `[mlp]`'s; its width is its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Experts {
    /// How many experts the layer has; none: the layer is dense.
    pub count: usize,
    /// How many are chosen for a token.
    pub chosen: usize,
    /// Rows of each expert's `expert_up` (and of its `expert_gate`).
    pub width: usize,
    /// `softmax`, `sigmoid`, or `sqrt_softplus`: √ln(1 + e^z).
    #[serde(default)]
    #[schemars(with = "String")]
    pub score: Score,
    /// `all`: the score is over all experts, and chooses. `chosen`: z chooses, and the score is over the chosen.
    #[serde(default)]
    #[schemars(with = "String")]
    pub over: Over,
    /// Neighbours in groups of equal size; 1: no groups.
    #[serde(default = "one")]
    pub groups: usize,
    /// How many of the groups may be chosen from; none: all.
    #[serde(default)]
    pub groups_kept: Option<usize>,
    /// What a group is judged by: its `best` expert, or the sum of its `best_two`.
    #[serde(default)]
    #[schemars(with = "String")]
    pub group_by: GroupBy,
    /// Whether the weights of a token are divided by their sum.
    #[serde(default)]
    pub normalise: bool,
    /// What the weights are multiplied by.
    #[serde(default = "one_scale")]
    pub scale: f64,
    /// What a weight multiplies: the `output` of an expert, or its `input`.
    #[serde(default)]
    #[schemars(with = "String")]
    pub weigh: Weigh,
    /// Rows of `shared_up` (and of `shared_gate`), an MLP that every token goes through; none: there is no such one.
    /// What it gives is multiplied by σ(x·w) where `shared_score` is named.
    #[serde(default)]
    pub shared: Option<usize>,
    /// Whether the layer's plain MLP runs beside the experts: what both give is added.
    #[serde(default)]
    pub beside: bool,
}

impl Experts {
    /// The router's settings.
    #[must_use]
    pub fn settings(&self) -> Settings {
        let &Experts {
            count,
            chosen,
            width: _,
            score,
            over,
            groups,
            groups_kept,
            group_by,
            normalise,
            scale,
            weigh,
            shared: _,
            beside: _,
        } = self;
        let groups_kept = groups_kept.unwrap_or(groups);
        Settings {
            experts: count,
            chosen,
            score,
            over,
            groups,
            groups_kept,
            group_by,
            normalise,
            scale,
            weigh,
        }
    }
}

fn one() -> usize {
    1
}

fn one_scale() -> f64 {
    1.0
}
