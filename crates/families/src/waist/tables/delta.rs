//! `[delta]`: a state of fixed size in place of keys and values.

use camelid_delta_net::Decay;
pub use camelid_delta_net::Share;
use camelid_mlp::Activation;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `[delta]`: a gated delta net in place of attention. A layer whose `value_heads` is none attends.
///
/// q, k, v = act(conv(`delta_query`(x))), and so on, each channel's convolution over `conv_width` tokens; q and k of each head are
/// brought to length one (q then times key_dim^−½). β = rate_scale · σ(`delta_rate`(x)); g = −e^A · softplus(a + b) with a =
/// `delta_decay`(x), or floor · σ(e^A · (a + b)). S ← S·diag(e^g); S ← S + β(v − S k)kᵀ; o = S q. The layer gives
/// `delta_output`(`delta_norm`(o) ⊙ gate(`delta_gate`(x))).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Delta {
    /// Heads of queries and keys.
    pub key_heads: usize,
    /// Heads of values, a multiple of `key_heads`.
    pub value_heads: usize,
    /// Which key head value head h reads: `groups`, ⌊h · key_heads / value_heads⌋; or `turns`, h mod key_heads.
    #[serde(default)]
    #[schemars(with = "String")]
    pub share: Share,
    /// Features of a query or a key.
    pub key_dim: usize,
    /// Features of a value.
    pub value_dim: usize,
    /// Taps of the short convolutions, the token itself among them.
    pub conv_width: usize,
    /// What fades together: `head`, one number for each value head; or `feature`, one for each feature of its keys.
    #[serde(default)]
    #[schemars(with = "String")]
    pub decay: Decay,
    /// What bounds g from below; `none`: nothing does.
    #[serde(default)]
    pub floor: Option<f64>,
    /// Numbers between `delta_decay_down` and `delta_decay`; `none`: one projection.
    #[serde(default)]
    pub decay_rank: Option<usize>,
    /// Numbers between `delta_gate_down` and `delta_gate`; `none`: one projection.
    #[serde(default)]
    pub gate_rank: Option<usize>,
    /// What σ is multiplied by in β.
    #[serde(default = "one")]
    pub rate_scale: f64,
    /// What keeps the length of a query or a key from zero: x / √(Σx² + eps).
    #[serde(default = "small")]
    pub eps: f64,
    /// act, behind the convolutions.
    #[serde(default = "silu")]
    #[schemars(with = "String")]
    pub activation: Activation,
    /// What the gate passes through: `silu`, `sigmoid`, …
    #[serde(default = "silu")]
    #[schemars(with = "String")]
    pub gate: Activation,
}

impl Delta {
    /// The sizes that crate `delta-net` takes.
    pub(crate) fn settings(&self) -> camelid_delta_net::Settings {
        let &Delta { key_heads, value_heads, share, key_dim, value_dim, decay, eps, .. } = self;
        camelid_delta_net::Settings { key_heads, value_heads, share, key_dim, value_dim, decay, eps }
    }

    /// Features of the queries, or of the keys, of all heads.
    #[must_use]
    pub fn keys(&self) -> usize {
        self.key_heads.saturating_mul(self.key_dim)
    }

    /// Features of the values of all heads.
    #[must_use]
    pub fn values(&self) -> usize {
        self.value_heads.saturating_mul(self.value_dim)
    }

    /// Numbers of g.
    #[must_use]
    pub fn decays(&self) -> usize {
        self.settings().decays()
    }
}

fn one() -> f64 {
    1.0
}

fn small() -> f64 {
    1e-6
}

fn silu() -> Activation {
    Activation::Silu
}
