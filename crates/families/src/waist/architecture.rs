//! The narrow waist: what a declaration and a `config.json` come to, in plain numbers.
//!
//! The composition, the plan of tensors, `describe`, `diff` and `--prove` read this and nothing else. The field names are
//! the words of the schema; the doc comments are its documentation (`docs/schema.md` is made from them).

use camelid_mlp::Activation;
use camelid_rope::Pairing;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::waist::named::Named;
use crate::waist::roles::Role;
use crate::waist::scaling::Scaling;
use crate::waist::tables::delta::Delta;
use crate::waist::tables::experts::Experts;
use crate::waist::tables::latent::Latent;
use crate::waist::tables::per_layer::PerLayer;
use crate::waist::tables::temperature::Temperature;

/// A model's mathematics and structure, resolved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Architecture {
    /// The table of embeddings.
    pub embedding: Embedding,
    /// What is one for the whole stack of layers.
    pub stack: Stack,
    /// The norms.
    pub norm: Norm,
    /// Each layer, from the first.
    pub layers: Vec<Layer>,
    /// From the last layer to logits.
    pub output: Output,
    /// Embeddings that each layer has of its own.
    #[serde(default)]
    pub per_layer: Option<PerLayer>,
    /// How a prompt that is read both ways is told from what follows it.
    pub prefix: Option<Prefix>,
    /// The tensors outside the layers.
    pub tensors: Vec<Named>,
    /// Globs of tensor names that may be in a checkpoint and mean nothing.
    pub inert: Vec<String>,
}

/// One layer, resolved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Layer {
    /// How the branches meet the residual stream.
    pub block: Block,
    /// Attention.
    pub attention: Attention,
    /// Latent attention, where keys and values are made of a latent.
    #[serde(default)]
    pub latent: Option<Latent>,
    /// A delta net in place of attention.
    #[serde(default)]
    pub delta: Option<Delta>,
    /// The rotary position embedding, where `attention.position` is `rope`.
    pub rope: Option<Rope>,
    /// The MLP.
    pub mlp: Mlp,
    /// The experts, where the layer has some.
    #[serde(default)]
    pub experts: Option<Experts>,
    /// The layer's tensors.
    pub tensors: Vec<Named>,
}

/// `[embedding]`: x = E\[id\] · scale.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Embedding {
    /// Rows of the table: token ids run from 0 to vocab − 1.
    pub vocab: usize,
    /// Features of the residual stream (`hidden_size`).
    pub width: usize,
    /// What an embedding is multiplied by after look-up.
    #[serde(default = "one")]
    pub scale: f64,
}

/// `[block]`, the part that is one for all layers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Stack {
    /// How many layers there are. Not per layer.
    pub layers: usize,
    /// The longest input that the checkpoint was made for, in tokens; `generate` refuses more. Not per layer; no arithmetic.
    #[serde(default)]
    pub context: Option<usize>,
}

/// `[block]`, the part that each layer may have its own of: how the branches A (attention) and M (MLP) join the stream x.
///
/// n₁, n₂ are the norms `attention_norm` and `mlp_norm`, each the identity where its tensor is not named; the branches'
/// results pass through `attention_output_norm` and `mlp_output_norm` where those are named.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Block {
    /// `sequential`: x ← r(x) + b·A(n₁x), then x ← r(x) + b·M(n₂x).
    /// `parallel`: x ← r(x) + b·(A(n₁x) + M(n₂x)), where n₂ is n₁ if no `mlp_norm` is named.
    #[serde(default)]
    pub wiring: Wiring,
    /// b, what each branch is multiplied by.
    #[serde(default = "one")]
    pub branch_scale: f64,
    /// What the residual carries: `stream`, r(x) = α·x; or `norm`, r(x) = α·n(x), the normed input of the branch.
    #[serde(default)]
    pub residual: Residual,
    /// α.
    #[serde(default = "one")]
    pub residual_scale: f64,
}

/// How the two branches of a layer are wired.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Wiring {
    /// Attention, then the MLP on what attention left.
    #[default]
    Sequential,
    /// Both on the same input.
    Parallel,
}

/// What the residual carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Residual {
    /// The stream itself.
    #[default]
    Stream,
    /// The branch's normed input.
    Norm,
}

/// `[norm]`: one kind for all norms of a family. y = x̂ · (offset + w) + bias. Not per layer.
///
/// A norm exists where its tensor is named in `[tensors]`, and has a bias where `[bias]` says so.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Norm {
    /// `rms`: x̂ = x / √(mean x² + eps). `layer`: x̂ = (x − mean x) / √(var x + eps).
    #[schemars(with = "String")]
    pub kind: camelid_norm::Kind,
    /// What keeps the root from zero.
    pub eps: f64,
    /// What is added to the stored weight: 1 where the checkpoint stores w for 1 + w.
    #[serde(default)]
    pub offset: f64,
}

/// `[attention]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Attention {
    /// Query heads.
    pub heads: usize,
    /// Heads of keys and values; it divides `heads`, and query head h reads kv head ⌊h · kv_heads / heads⌋.
    pub kv_heads: usize,
    /// Features of one head.
    pub head_dim: usize,
    /// The score of a query and a key is s = q·k · scale.
    pub scale: f64,
    /// s ← cap · tanh(s / cap), before bias and mask.
    #[serde(default)]
    pub softcap: Option<f64>,
    /// W: a query sees W keys, its own among them: 0 ≤ i − j < W. `none`: all before it.
    #[serde(default)]
    pub window: Option<usize>,
    /// c: a query sees the keys of its own chunk of c places, up to itself: ⌊j / c⌋ = ⌊i / c⌋. `none`: no chunks.
    #[serde(default)]
    pub chunk: Option<usize>,
    /// n: the query at place i (from 0) is multiplied by max(1, log_n(i + 1)), after RoPE.
    #[serde(default)]
    pub logn: Option<usize>,
    /// The query at place i (from 0) is multiplied by 1 + beta · ln(1 + ⌊(i + from) / length⌋), after RoPE: a table of `beta`,
    /// `length` and `from` (0 or 1).
    #[serde(default)]
    #[schemars(with = "Option<serde_json::Map<String, serde_json::Value>>")]
    pub temperature: Option<Temperature>,
    /// What values are: `projected` from the stream; or `key`, what `key` projects, before any norm or turn.
    #[serde(default)]
    pub values: Values,
    /// The earlier layer whose keys and values this one reads, in place of its own; `none`: it has its own.
    #[serde(default)]
    pub source: Option<usize>,
    /// Dual chunk attention: a table of upstream's `chunk_size`, `local_size`, `original_max_position_embeddings`.
    #[serde(default)]
    #[schemars(with = "Option<serde_json::Map<String, serde_json::Value>>")]
    pub dual_chunk: Option<camelid_dual_chunk::Settings>,
    /// How a place is told: `rope`, `alibi`, or `none`.
    #[serde(default)]
    pub position: Position,
}

/// What values are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Values {
    /// The stream, by a projection of their own.
    #[default]
    Projected,
    /// The projection of the keys.
    Key,
}

/// How attention tells a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Position {
    /// Not at all.
    #[default]
    None,
    /// Rotary turns, as `[rope]` says.
    Rope,
    /// A bias that falls with distance, one slope per head.
    Alibi,
}

/// `[rope]`, read where `attention.position` is `rope`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rope {
    /// The base: pair p of d turning features turns by place · theta^(−2p/d).
    pub theta: f64,
    /// Which features turn together: `half`, p with p + d/2; or `adjacent`, 2p with 2p + 1.
    #[schemars(with = "String")]
    pub pairing: Pairing,
    /// The leading ⌊head_dim · fraction⌋ features of a head turn; the rest stay.
    #[serde(default = "one")]
    pub fraction: f64,
    /// What stays where `fraction` is below 1: `trailing`, the features after the leading ones, which turn as a head of that size
    /// would; or `slowest`, the pairs of the whole head from ⌊head_dim · fraction / 2⌋ on, in order of speed.
    #[serde(default)]
    pub rest: Rest,
    /// The trained length, in tokens, where `scaling` needs one and does not say it.
    #[serde(default)]
    pub context: Option<usize>,
    /// How the frequencies are scaled: a table with `rope_type` (`default`, `linear`, `dynamic`, `yarn`, `llama3`, `longrope`,
    /// `stepped`) and upstream's own fields for it.
    #[serde(default)]
    #[schemars(with = "Option<serde_json::Map<String, serde_json::Value>>")]
    pub scaling: Option<Scaling>,
    /// Which length the frequencies follow, where they depend on it: `current`, what the cache holds after this call, or
    /// `first`, what it held after the first. A cached key keeps the turn of its own call.
    #[serde(default)]
    pub length: Length,
    /// 1; or 2: each half of a head turns by a place of its own, which `[prefix]` counts.
    #[serde(default = "one_axis")]
    pub axes: usize,
    /// `f16`: the frequencies are rounded to half precision.
    #[serde(default)]
    pub round: Option<Round>,
}

/// Which length frequencies follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Length {
    /// That of the sequence after this call.
    #[default]
    Current,
    /// That of the sequence after the first call.
    First,
}

/// Which features do not turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Rest {
    /// Those after the leading ones.
    #[default]
    Trailing,
    /// The slowest pairs of the whole head.
    Slowest,
}

/// A rounding of frequencies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Round {
    /// To IEEE half precision, to nearest even.
    F16,
}

/// `[mlp]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Mlp {
    /// `gated`: down(act(gate x) ⊙ up x). `plain`: down(act(up x)).
    pub kind: MlpKind,
    /// Rows of `up` (and of `gate`).
    pub width: usize,
    /// act, by upstream's name: `silu`, `gelu`, `gelu_pytorch_tanh`, `relu`, …
    #[schemars(with = "String")]
    pub activation: Activation,
    /// α: act(g) = g·σ(α·g), in place of SiLU's α = 1.
    #[serde(default)]
    pub alpha: Option<f64>,
    /// The gate is bounded by it from above before act, up from both sides.
    #[serde(default)]
    pub limit: Option<f64>,
    /// What is added to up before it meets the gate.
    #[serde(default)]
    pub shift: f64,
}

/// The shape of an MLP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MlpKind {
    /// Two projections in, one of them a gate.
    Gated,
    /// One projection in.
    Plain,
}

/// `[output]`: logits = softcap(scale · head(x)). Not per layer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Output {
    /// Whether the head is the embedding's table.
    #[serde(default)]
    pub tie: bool,
    /// Whether each row of the head is brought to length one.
    #[serde(default)]
    pub unit_rows: bool,
    /// What logits are multiplied by.
    #[serde(default = "one")]
    pub scale: f64,
    /// logits ← cap · tanh(logits / cap), after `scale`.
    #[serde(default)]
    pub softcap: Option<f64>,
}

/// `[prefix]`: a prompt that is read in both directions, and where places count from. Not per layer; absent in most families.
///
/// All tokens before the first `until` see, and are seen, both ways; from it on attention is causal. Where `rope.axes` is 2,
/// place one counts the prefix from 0 and then stands still at the first token of `hold` that is present; place two is 0 in
/// the prefix and counts from 1 after it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Prefix {
    /// The token id that ends the prefix; it does not belong to it.
    pub until: u32,
    /// Token ids, in order of preference, at whose first occurrence place one stands still after the prefix.
    #[serde(default)]
    pub hold: Vec<u32>,
}

impl Rope {
    /// How many features of a head the pairs are made of: the leading ⌊head_dim · fraction⌋, or all, of which the slowest pairs
    /// stay.
    #[must_use]
    pub fn rotary_dim(&self, head_dim: usize) -> usize {
        match self.rest {
            Rest::Trailing => (head_dim as f64 * self.fraction) as usize,
            Rest::Slowest => head_dim,
        }
    }

    /// How many pairs turn where the slowest stay: ⌊head_dim · fraction / 2⌋.
    #[must_use]
    pub fn turning_pairs(&self, head_dim: usize) -> usize {
        (head_dim as f64 * self.fraction / 2.0) as usize
    }
}

impl Layer {
    /// Features of a head that `[rope]` may turn: all, or the trailing part under latent attention.
    #[must_use]
    pub fn turning_dim(&self) -> usize {
        self.latent.as_ref().map_or(self.attention.head_dim, |latent| latent.turned)
    }
}

impl Architecture {
    /// The tensor that plays a role: of a layer, or outside the layers.
    #[must_use]
    pub fn tensor(&self, layer: Option<usize>, role: Role) -> Option<&Named> {
        let tensors = match layer {
            Some(layer) => &self.layers.get(layer)?.tensors,
            None => &self.tensors,
        };
        tensors.iter().find(|named| named.roles.contains(&role))
    }
}

fn one() -> f64 {
    1.0
}

fn one_axis() -> usize {
    1
}
