//! `[latent]`: keys and values made of one short vector, which alone is cached.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `[latent]`: multi-head latent attention. A layer whose `rank` is none has keys and values of its own.
///
/// \[c, k_r\] = `latent_down`(x), c ← `latent_norm`(c), k_r turns and is shared by all heads; `latent_up`(c) gives each head its
/// unturned key and its value. Of a head's query the leading `unturned` features meet the former, the trailing `turned`
/// ones k_r. `attention.head_dim` is their sum, `attention.kv_heads` the number of heads.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Latent {
    /// Numbers of c.
    pub rank: usize,
    /// Numbers of the latent that queries are made of: `query` reads `query_down_norm`(`query_down`(x)); none: `query` reads x.
    #[serde(default)]
    pub query_rank: Option<usize>,
    /// Leading features of a head's query and key, which tell no place.
    pub unturned: usize,
    /// Trailing features of a head's query and key, of which `[rope]` turns the leading `fraction`.
    pub turned: usize,
    /// Features of a head's value.
    pub value_dim: usize,
}
