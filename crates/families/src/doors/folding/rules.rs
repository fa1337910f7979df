//! Folds of the head, of norms, of numbers that multiply, and of heads.

use serde_json::Value as Json;

use super::recipe::Step;
use super::work::{Folding, Grade, Wish};
use crate::waist::architecture::Values;
use crate::waist::kinds::Kind;
use crate::waist::named::{Named, Per};
use crate::waist::plan::Part;
use crate::waist::roles::Role;

type Made = Option<(String, Grade)>;

/// Nothing had to be done.
pub(super) fn nothing() -> Made {
    Some((String::new(), Grade::Bytes))
}

pub(super) fn number(wish: &Wish<'_>) -> Option<f64> {
    wish.value.as_f64().filter(|number| number.is_finite() && *number != 0.0)
}

/// Rows of the head of length one, stored so.
pub(super) fn unit_rows(folding: &mut Folding, wish: &Wish<'_>) -> Made {
    let output = &mut folding.architecture.output;
    if wish.value != &Json::Bool(false) || output.tie {
        return None;
    }
    output.unit_rows = false;
    folding.recipe.step(None, Role::Output, Part::Weight, Step::Unit);
    Some(("rows of the head are stored with length one".into(), Grade::Exact))
}

/// The embedding's table a second time, as the head.
pub(super) fn tie(folding: &mut Folding, wish: &Wish<'_>) -> Made {
    if wish.value != &Json::Bool(false) {
        return None;
    }
    folding.architecture.output.tie = false;
    folding.recipe.copy(Role::Embedding, Role::Output);
    Some(("the table of embeddings is stored a second time, as the head".into(), Grade::Bytes))
}

/// w' = w + offset − offset' for every norm.
pub(super) fn offset(folding: &mut Folding, wish: &Wish<'_>) -> Made {
    let wished = wish.value.as_f64()?;
    let add = folding.architecture.norm.offset - wished;
    folding.architecture.norm.offset = wished;
    for (layer, named) in all(folding) {
        let is_norm = named.roles[0].kind() == Kind::Norm && !named.unit && named.offset.is_none();
        if is_norm {
            folding.recipe.step(layer, named.roles[0], Part::Weight, Step::Add(add));
        }
    }
    Some((format!("{add} is added to the weights of norms"), Grade::Exact))
}

/// The embedding's factor into its table; where that is the head too, its inverse into the final norm.
pub(super) fn embedding_scale(folding: &mut Folding, wish: &Wish<'_>) -> Made {
    let wished = number(wish)?;
    let architecture = &folding.architecture;
    let normed = architecture.tensor(None, Role::EmbeddingNorm).is_some();
    if normed || architecture.per_layer.is_some() {
        return None;
    }
    let (ratio, tied) = (architecture.embedding.scale / wished, architecture.output.tie);
    if tied && (architecture.output.unit_rows || !norm_times(folding, None, Role::FinalNorm, 1.0 / ratio)) {
        return None;
    }
    folding.architecture.embedding.scale = wished;
    folding.recipe.step(None, Role::Embedding, Part::Weight, Step::Scale(ratio));
    let what = match tied {
        true => format!("the table of embeddings times {ratio}, the final norm over it: it stays tied"),
        false => format!("the table of embeddings times {ratio}"),
    };
    Some((what, Grade::Exact))
}

/// What each branch is multiplied by, into what writes it: its last norm, else its last projection.
pub(super) fn branch_scale(folding: &mut Folding, wish: &Wish<'_>) -> Made {
    let (at, wished) = (wish.layer?, number(wish)?);
    let layer = &folding.architecture.layers[at];
    if layer.delta.is_some() || layer.experts.is_some() || folding.architecture.per_layer.is_some() {
        return None;
    }
    let ratio = layer.block.branch_scale / wished;
    if ratio == 1.0 {
        return nothing();
    }
    let branches = [(Role::AttentionOutputNorm, Role::AttentionOutput), (Role::MlpOutputNorm, Role::Down)];
    for (norm, projection) in branches {
        if folding.architecture.tensor(Some(at), norm).is_none() {
            times(folding, Some(at), projection, ratio);
        } else if !norm_times(folding, Some(at), norm, ratio) {
            return None;
        }
    }
    folding.architecture.layers[at].block.branch_scale = wished;
    Some((format!("what writes to the stream times {ratio}"), Grade::Exact))
}

/// What logits are multiplied by, into the final norm.
pub(super) fn output_scale(folding: &mut Folding, wish: &Wish<'_>) -> Made {
    let wished = number(wish)?;
    let ratio = folding.architecture.output.scale / wished;
    if !norm_times(folding, None, Role::FinalNorm, ratio) {
        return None;
    }
    folding.architecture.output.scale = wished;
    Some((format!("the final norm times {ratio}"), Grade::Exact))
}

/// What scores are multiplied by, into the norm of queries where there is one, else into their rows.
pub(super) fn score_scale(folding: &mut Folding, wish: &Wish<'_>) -> Made {
    let (at, wished) = (wish.layer?, number(wish)?);
    let layer = &folding.architecture.layers[at];
    if layer.latent.is_some() || layer.delta.is_some() {
        return None;
    }
    let ratio = layer.attention.scale / wished;
    if ratio == 1.0 {
        folding.architecture.layers[at].attention.scale = wished;
        return nothing();
    }
    if folding.architecture.tensor(Some(at), Role::QueryNorm).is_none() {
        times(folding, Some(at), Role::Query, ratio);
    } else if !norm_times(folding, Some(at), Role::QueryNorm, ratio) {
        return None;
    }
    folding.architecture.layers[at].attention.scale = wished;
    Some((format!("queries times {ratio}"), Grade::Exact))
}

/// Heads of keys and values, each as often as heads of queries share it.
pub(super) fn kv_heads(folding: &mut Folding, wish: &Wish<'_>) -> Made {
    let (at, wished) = (wish.layer?, usize::try_from(wish.value.as_u64()?).ok()?);
    let layer = &folding.architecture.layers[at];
    let attention = layer.attention.clone();
    let (now, head_dim) = (attention.kv_heads, attention.head_dim);
    let own_norm = [Role::KeyNorm, Role::ValueNorm]
        .into_iter()
        .filter_map(|role| folding.architecture.tensor(Some(at), role));
    let fits = wished > now && wished.is_multiple_of(now) && attention.heads.is_multiple_of(wished);
    if now == wished {
        return nothing();
    }
    if !fits
        || layer.latent.is_some()
        || layer.delta.is_some()
        || own_norm.clone().any(|n| n.per != Per::Head)
    {
        return None;
    }
    let order: Vec<usize> = (0..wished * head_dim)
        .map(|row| (row / head_dim * now / wished) * head_dim + row % head_dim)
        .collect();
    for role in [Role::Key, Role::Value] {
        for part in [Part::Weight, Part::Bias] {
            folding.recipe.order(Some(at), role, part, &order);
        }
    }
    folding.architecture.layers[at].attention.kv_heads = wished;
    Some((format!("each head of keys and values is stored {} times", wished / now), Grade::Bytes))
}

/// A projection and its bias, times a factor.
fn times(folding: &mut Folding, layer: Option<usize>, role: Role, factor: f64) {
    for part in [Part::Weight, Part::Bias] {
        folding.recipe.step(layer, role, part, Step::Scale(factor));
    }
}

/// A norm's result times a factor: (o + w) · f = o + w'. Not where it has no weight.
fn norm_times(folding: &mut Folding, layer: Option<usize>, role: Role, factor: f64) -> bool {
    let Some(named) = folding.architecture.tensor(layer, role).filter(|named| !named.unit) else {
        return false;
    };
    let offset = named.offset.unwrap_or(folding.architecture.norm.offset);
    folding.recipe.step(layer, role, Part::Weight, Step::Scale(factor));
    if offset != 0.0 {
        folding.recipe.step(layer, role, Part::Weight, Step::Add(offset * (factor - 1.0)));
    }
    folding.recipe.step(layer, role, Part::Bias, Step::Scale(factor));
    true
}

fn all(folding: &Folding) -> Vec<(Option<usize>, Named)> {
    let layers = folding.architecture.layers.iter().enumerate();
    let inside =
        layers.flat_map(|(at, layer)| layer.tensors.iter().map(move |named| (Some(at), named.clone())));
    inside.chain(folding.architecture.tensors.iter().map(|named| (None, named.clone()))).collect()
}

/// Whether queries and keys of a layer can be put into another order of features.
pub(super) fn heads_may_turn(folding: &Folding, at: usize) -> bool {
    let layer = &folding.architecture.layers[at];
    layer.latent.is_none()
        && layer.delta.is_none()
        && layer.attention.values == Values::Projected
        && layer.attention.source.is_none()
}
