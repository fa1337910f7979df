//! The narrow waist: what a declaration and a `config.json` come to, in plain numbers.
//!
//! The composition, the plan of tensors, `describe`, `diff` and `--prove` read this and nothing else. The field names are
//! the words of the schema; the doc comments are its documentation (`docs/schema.md` is made from them).

use camelid_mlp::Activation;
use camelid_rope::Pairing;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::waist::roles::Role;
use crate::waist::scaling::Scaling;

/// What stands in a name for the number of a head.
pub(crate) const HEAD: &str = "{head}";

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
    /// The rotary position embedding, where `attention.position` is `rope`.
    pub rope: Option<Rope>,
    /// The MLP.
    pub mlp: Mlp,
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
    /// n: the query at place i (from 0) is multiplied by max(1, log_n(i + 1)), after RoPE.
    #[serde(default)]
    pub logn: Option<usize>,
    /// Dual chunk attention: a table of upstream's `chunk_size`, `local_size`, `original_max_position_embeddings`.
    #[serde(default)]
    #[schemars(with = "Option<serde_json::Map<String, serde_json::Value>>")]
    pub dual_chunk: Option<camelid_dual_chunk::Settings>,
    /// How a place is told: `rope`, `alibi`, or `none`.
    #[serde(default)]
    pub position: Position,
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

/// A tensor of the checkpoint, and the roles it plays.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Named {
    /// The roles, in the order of their rows.
    pub roles: Vec<Role>,
    /// Its name, without `.weight`. Where each head has a tensor of its own, `{head}` stands for the head's number.
    pub name: String,
    /// Whether `.bias` stands beside `.weight`.
    pub bias: bool,
    /// How the rows of several roles lie.
    pub by: By,
    /// For a norm of queries or keys: what shares a weight.
    pub per: Per,
    /// For a norm of queries or keys: before or after the rotary turn.
    pub at: At,
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

impl Named {
    /// The names of the tensors that hold it: one, or one for each of `heads`.
    #[must_use]
    pub fn names(&self, heads: usize) -> Vec<String> {
        if !self.by_head() {
            return vec![self.name.clone()];
        }
        (0..heads).map(|head| self.name.replace(HEAD, &head.to_string())).collect()
    }

    /// Whether each head has a tensor of its own.
    #[must_use]
    pub fn by_head(&self) -> bool {
        self.name.contains(HEAD)
    }
}

impl Rope {
    /// How many leading features of a head turn: ⌊head_dim · fraction⌋.
    #[must_use]
    pub fn rotary_dim(&self, head_dim: usize) -> usize {
        (head_dim as f64 * self.fraction) as usize
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
