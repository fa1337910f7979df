//! Folds of structure: LayerNorm as RMSNorm, a plain MLP as a gated one, the bias of values as that of what they come out by.

use std::sync::Arc;

use camelid_norm::Kind as NormKind;
use serde_json::Value as Json;

use super::recipe::{Piece, Step, ordered};
use super::rules::{heads_may_turn, nothing};
use super::work::{Folding, Grade, Wish};
use crate::waist::architecture::{Layer, MlpKind, Residual, Wiring};
use crate::waist::kinds::Kind;
use crate::waist::named::Named;
use crate::waist::plan::Part;
use crate::waist::roles::Role;

type Made = Option<(String, Grade)>;

/// What a norm's result is read by, within a layer.
const READ_ATTENTION_NORM: [Role; 4] = [Role::Query, Role::Key, Role::Value, Role::AttentionGate];
const READ_MLP_NORM: [Role; 2] = [Role::Gate, Role::Up];

/// LayerNorm as RMSNorm, where the stream has the mean 0: (x − mean x)/√(var x + eps) is x/√(mean x² + eps) then.
///
/// The stream is a sum of rows of the embedding and of what branches write. E ← E − mean of each row, and for each writer
/// W ← W − mean of its rows, b ← b − mean b: what they write has the mean 0, and is what it was less its mean, which no norm
/// saw. A head that was the table keeps the old one. y = x̂·w + b has no bias afterwards: what reads it has W b in its own.
///
/// Exact wherever nothing but norms reads the stream, and nothing but these writes it. Refused where the residual carries a
/// normed input, where norms stand on what branches write or on heads, and where the stream has other writers.
pub(super) fn norm_kind(folding: &mut Folding, wish: &Wish<'_>) -> Made {
    let architecture = &folding.architecture;
    let wished: NormKind = serde_json::from_value(wish.value.clone()).ok()?;
    if architecture.norm.kind == wished {
        return nothing();
    }
    let outside = |named: &Named| {
        let known = [Role::Embedding, Role::FinalNorm, Role::Output];
        named.roles.iter().all(|role| known.contains(role)) && is_plain(named)
    };
    let whole = architecture.per_layer.is_none() && architecture.tensors.iter().all(outside);
    if wished != NormKind::Rms || !whole || !architecture.layers.iter().all(may_be_centred) {
        return None;
    }
    if folding.architecture.output.tie {
        folding.architecture.output.tie = false;
        folding.recipe.copy(Role::Embedding, Role::Output);
    }
    folding.recipe.step(None, Role::Embedding, Part::Weight, Step::Centre);
    for at in 0..folding.architecture.layers.len() {
        for role in [Role::AttentionOutput, Role::Down] {
            for part in [Part::Weight, Part::Bias] {
                let rows: Arc<[Piece]> = folding.recipe.pieces(Some(at), role, part).into();
                folding.recipe.step(Some(at), role, part, Step::LessMean(rows));
            }
        }
        let shared = folding.architecture.tensor(Some(at), Role::MlpNorm).is_none();
        unbias(folding, Some(at), Role::AttentionNorm, &READ_ATTENTION_NORM);
        unbias(folding, Some(at), if shared { Role::AttentionNorm } else { Role::MlpNorm }, &READ_MLP_NORM);
        drop_bias(folding, Some(at), Role::AttentionNorm);
        drop_bias(folding, Some(at), Role::MlpNorm);
    }
    let last = folding.recipe.has(None, Role::FinalNorm, Part::Bias);
    unbias(folding, None, Role::FinalNorm, &[Role::Output]);
    drop_bias(folding, None, Role::FinalNorm);
    folding.architecture.norm.kind = wished;
    let mut what =
        "what writes to the stream has the mean 0, biases of norms go into what reads them".to_owned();
    if last {
        what += ", the last one's into the head";
    }
    Some((what, Grade::Exact))
}

/// Whether nothing but attention and the MLP writes to the stream, as they are, and nothing but norms before them reads it.
fn may_be_centred(layer: &Layer) -> bool {
    let Layer { block, attention, latent, delta, rope: _, mlp: _, experts, tensors } = layer;
    let roles = [
        Role::AttentionNorm,
        Role::Query,
        Role::Key,
        Role::Value,
        Role::AttentionGate,
        Role::Sink,
        Role::AttentionOutput,
        Role::MlpNorm,
        Role::Gate,
        Role::Up,
        Role::Down,
        Role::LayerScale,
    ];
    let known = |named: &Named| named.roles.iter().all(|role| roles.contains(role)) && is_plain(named);
    let has = |role: Role| tensors.iter().any(|named| named.roles.contains(&role));
    let normed = has(Role::AttentionNorm) && (has(Role::MlpNorm) || block.wiring == Wiring::Parallel);
    latent.is_none()
        && delta.is_none()
        && experts.is_none()
        && attention.source.is_none()
        && block.residual == Residual::Stream
        && normed
        && tensors.iter().all(known)
}

/// A norm of which the bias is added last.
fn is_plain(named: &Named) -> bool {
    named.roles.iter().all(|role| role.kind() != Kind::Norm) || !named.bias || named.factor == 1.0
}

/// A norm's bias b into the biases of what reads it: W b.
fn unbias(folding: &mut Folding, layer: Option<usize>, norm: Role, readers: &[Role]) {
    let bias: Arc<[Piece]> = folding.recipe.pieces(layer, norm, Part::Bias).into();
    if bias.is_empty() {
        return;
    }
    for role in readers {
        if folding.recipe.has(layer, *role, Part::Weight) {
            folding.recipe.plus_product(layer, *role, &bias);
            folding.say_bias(layer, *role, true);
        }
    }
}

fn drop_bias(folding: &mut Folding, layer: Option<usize>, role: Role) {
    folding.recipe.set(layer, role, Part::Bias, Vec::new());
    folding.say_bias(layer, role, false);
}

/// down(act(W x + b)) as down(act(gate x) ⊙ up x): the gate is W, b, and up is 0·x + 1.
pub(super) fn mlp_kind(folding: &mut Folding, wish: &Wish<'_>) -> Made {
    let at = wish.layer?;
    let wished: MlpKind = serde_json::from_value(wish.value.clone()).ok()?;
    let layer = &folding.architecture.layers[at];
    if layer.mlp.kind == wished {
        return nothing();
    }
    let plain = layer.mlp.alpha.is_none() && layer.mlp.limit.is_none() && layer.mlp.shift == 0.0;
    let own = layer.tensors.iter().find(|named| named.roles == [Role::Up])?.clone();
    if wished != MlpKind::Gated || layer.experts.is_some() || !plain {
        return None;
    }
    let rows = layer.mlp.width;
    for part in [Part::Weight, Part::Bias] {
        let pieces = folding.recipe.pieces(Some(at), Role::Up, part);
        folding.recipe.set(Some(at), Role::Gate, part, pieces);
    }
    let mut ones = Piece::zeros(rows);
    ones.steps.push(Step::Add(1.0));
    folding.recipe.set(Some(at), Role::Up, Part::Weight, vec![Piece::zeros(rows)]);
    folding.recipe.set(Some(at), Role::Up, Part::Bias, vec![ones]);
    let layer = &mut folding.architecture.layers[at];
    layer.mlp.kind = wished;
    layer.tensors.push(Named { roles: vec![Role::Gate], name: format!("{} (gate)", own.name), ..own });
    folding.say_bias(Some(at), Role::Up, true);
    Some(("the plain projection becomes the gate of one that is 1 everywhere".into(), Grade::Bytes))
}

/// The bias of values into that of the projection that they leave by: the weights of a softmax sum to one, so that each head
/// gives its value's bias b whatever the text is. b_o ← b_o + W_o b, b repeated for each query head that reads it.
///
/// Not where a sink takes a part of the softmax, or where heads are gated.
pub(super) fn value_bias(folding: &mut Folding, wish: &Wish<'_>) -> Made {
    if wish.value != &Json::from("a tensor") {
        return None;
    }
    let mut any = false;
    for at in 0..folding.architecture.layers.len() {
        if !folding.recipe.has(Some(at), Role::Value, Part::Bias) {
            continue;
        }
        let other = [Role::Sink, Role::AttentionGate, Role::ValueNorm];
        let has = |role: Role| folding.architecture.tensor(Some(at), role).is_some();
        if !heads_may_turn(folding, at) || other.into_iter().any(has) {
            return None;
        }
        let attention = &folding.architecture.layers[at].attention;
        let (heads, kv_heads, head_dim) = (attention.heads, attention.kv_heads, attention.head_dim);
        let order: Vec<usize> = (0..heads * head_dim)
            .map(|row| (row / head_dim * kv_heads / heads) * head_dim + row % head_dim)
            .collect();
        let bias = ordered(&folding.recipe.pieces(Some(at), Role::Value, Part::Bias), &order);
        folding.recipe.plus_product(Some(at), Role::AttentionOutput, &bias.into());
        folding.say_bias(Some(at), Role::AttentionOutput, true);
        drop_bias(folding, Some(at), Role::Value);
        any = true;
    }
    any.then(|| ("the bias of values goes into that of what they leave by".into(), Grade::Exact))
}
