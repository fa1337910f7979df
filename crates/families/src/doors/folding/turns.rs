//! Folds of rotary turns: which features make a pair, and how fast each pair turns.

use camelid_rope::{Pairing, Scaling as Plain};

use super::lengths;
use super::rules::{heads_may_turn, nothing};
use super::work::{Folding, Grade, Wish};
use crate::waist::architecture::{Length, Rest, Rope};
use crate::waist::named::Per;
use crate::waist::plan::Part;
use crate::waist::roles::Role;
use crate::waist::scaling::Scaling;

type Made = Option<(String, Grade)>;

/// What a pair is slowed by that does not turn: the largest power of ten of f32, so that an angle is nothing.
const STILL: f64 = 1e38;

/// Half pairing as adjacent pairing, or the other way: rows of queries and keys move.
pub(super) fn pairing(folding: &mut Folding, wish: &Wish<'_>) -> Made {
    let at = wish.layer?;
    let layer = &folding.architecture.layers[at];
    let Some(rope) = layer.rope.clone() else { return nothing() };
    let wished: Pairing = serde_json::from_value(wish.value.clone()).ok()?;
    if rope.pairing == wished {
        return nothing();
    }
    if rope.axes != 1 || !heads_may_turn(folding, at) {
        return None;
    }
    let head_dim = layer.attention.head_dim;
    let turned = rope.rotary_dim(head_dim);
    let order = match wished {
        Pairing::Half => to_half(turned, head_dim),
        Pairing::Adjacent => to_adjacent(turned, head_dim),
    };
    reorder(folding, at, &order);
    if let Some(rope) = &mut folding.architecture.layers[at].rope {
        rope.pairing = wished;
    }
    Some(("rows of queries and keys move, so that other features make a pair".into(), Grade::Bytes))
}

/// Row p of the result is the first of pair p, row p + d/2 its second.
fn to_half(turned: usize, head_dim: usize) -> Vec<usize> {
    let pairs = turned / 2;
    let first = (0..pairs).map(|pair| 2 * pair);
    first.chain((0..pairs).map(|pair| 2 * pair + 1)).chain(turned..head_dim).collect()
}

/// Row 2p of the result is the first of pair p, row 2p + 1 its second.
fn to_adjacent(turned: usize, head_dim: usize) -> Vec<usize> {
    let pairs = turned / 2;
    (0..pairs).flat_map(|pair| [pair, pair + pairs]).chain(turned..head_dim).collect()
}

/// Under half pairing, a head of which the leading features turn as one of which all do: the pairs that stay come after.
fn to_whole(turned: usize, head_dim: usize) -> Vec<usize> {
    let (pairs, rest) = (turned / 2, (head_dim - turned) / 2);
    let first = (0..pairs).chain(turned..turned + rest);
    first.chain(pairs..turned).chain(turned + rest..head_dim).collect()
}

/// Puts the features of every head of queries and keys into another order.
fn reorder(folding: &mut Folding, at: usize, order: &[usize]) {
    let attention = folding.architecture.layers[at].attention.clone();
    let of = |heads: usize| -> Vec<usize> {
        (0..heads).flat_map(|head| order.iter().map(move |row| head * order.len() + row)).collect()
    };
    let of_norm = |folding: &Folding, role: Role, heads: usize| {
        let per = folding.architecture.tensor(Some(at), role)?.per;
        Some(of(if per == Per::Head { 1 } else { heads })).filter(|_| per != Per::EachHead || heads == 1)
    };
    for (role, norm, heads) in
        [(Role::Query, Role::QueryNorm, attention.heads), (Role::Key, Role::KeyNorm, attention.kv_heads)]
    {
        for part in [Part::Weight, Part::Bias] {
            folding.recipe.order(Some(at), role, part, &of(heads));
        }
        if let Some(order) = of_norm(folding, norm, heads) {
            for part in [Part::Weight, Part::Bias] {
                folding.recipe.order(Some(at), norm, part, &order);
            }
        }
    }
}

/// A scaling that the target can't say: what depends on the length goes, up to a length; what does not becomes a list.
pub(super) fn scaling(folding: &mut Folding, wish: &Wish<'_>) -> Made {
    let at = wish.layer?;
    let layer = &folding.architecture.layers[at];
    let Some(rope) = &layer.rope else { return nothing() };
    match (&rope.scaling, rope.depends_on_length(layer.attention.head_dim)) {
        (None, _) => nothing(),
        (Some(_), true) => lengths::scaling(folding, at),
        (Some(_), false) => as_list(folding, at, rope.theta),
    }
}

/// Frequencies that the target's formula does not give, as a list of factors.
pub(super) fn frequencies(folding: &mut Folding, wish: &Wish<'_>) -> Made {
    let rope = folding.architecture.layers[wish.layer?].rope.as_ref();
    let theta = rope.map_or(1.0, |rope| rope.theta);
    as_list(folding, wish.layer?, theta)
}

/// Another base than the target's: factors over the frequencies of that.
pub(super) fn theta(folding: &mut Folding, wish: &Wish<'_>) -> Made {
    as_list(folding, wish.layer?, wish.value.as_f64().filter(|theta| *theta > 0.0)?)
}

/// A part of the head that turns, as a whole head of which some pairs stand still.
pub(super) fn fraction(folding: &mut Folding, wish: &Wish<'_>) -> Made {
    if wish.value.as_f64() != Some(1.0) {
        return None;
    }
    frequencies(folding, wish)
}

/// The same turns as one factor for each pair of the whole head, over the plain frequencies of a base.
fn as_list(folding: &mut Folding, at: usize, theta: f64) -> Made {
    let layer = &folding.architecture.layers[at];
    let head_dim = layer.attention.head_dim;
    let Some(rope) = layer.rope.clone() else { return nothing() };
    if is_list(&rope) && rope.theta == theta {
        return nothing();
    }
    if rope.axes != 1 || !head_dim.is_multiple_of(2) || rope.depends_on_length(head_dim) {
        return None;
    }
    if !heads_may_turn(folding, at) {
        return None;
    }
    let found = rope.frequencies(head_dim, 1).ok()?;
    let turned = rope.rotary_dim(head_dim);
    // Both sides of a score carry the factor of the pairs that turn: one number, where all do.
    if found.factor != 1.0 && turned < head_dim {
        return None;
    }
    folding.architecture.layers[at].attention.scale *= found.factor * found.factor;
    let plain = (0..head_dim / 2).map(|pair| theta.powf(-2.0 * pair as f64 / head_dim as f64));
    let turning = found.inverse.iter().copied().chain(std::iter::repeat(0.0));
    let factors: Vec<f64> =
        plain.zip(turning).map(|(plain, is)| if is == 0.0 { STILL } else { plain / is }).collect();
    if turned < head_dim && rope.pairing == Pairing::Half {
        reorder(folding, at, &to_whole(turned, head_dim));
    }
    let context = folding.architecture.stack.context.unwrap_or(2).max(2);
    let list = Plain::LongRope {
        short_factor: factors.clone(),
        long_factor: factors,
        factor: Some(1.0),
        attention_factor: Some(1.0),
        original_max_position_embeddings: Some(context),
    };
    folding.architecture.layers[at].rope = Some(Rope {
        theta,
        fraction: 1.0,
        rest: Rest::Trailing,
        context: None,
        scaling: Some(Scaling::Plain(list)),
        length: Length::default(),
        round: None,
        ..rope
    });
    Some(("rotary frequencies become a list of factors, one for each pair".into(), Grade::Bytes))
}

/// The one list of factors, where the frequencies are that.
pub(crate) fn list(rope: &Rope) -> Option<&[f64]> {
    match &rope.scaling {
        Some(Scaling::Plain(Plain::LongRope { short_factor, .. })) if is_list(rope) => Some(short_factor),
        _ => None,
    }
}

/// Rows of a role, of heads under half pairing, in the order of adjacent pairing, which GGUF files have of some architectures.
pub(crate) fn swap_pairs(folding: &mut Folding, role: Role) {
    for at in 0..folding.architecture.layers.len() {
        let attention = &folding.architecture.layers[at].attention;
        let (heads, head_dim) = match role {
            Role::Query => (attention.heads, attention.head_dim),
            _ => (attention.kv_heads, attention.head_dim),
        };
        let order = to_adjacent(head_dim, head_dim);
        let order: Vec<usize> =
            (0..heads).flat_map(|head| order.iter().map(move |row| head * head_dim + row)).collect();
        for part in [Part::Weight, Part::Bias] {
            folding.recipe.order(Some(at), role, part, &order);
        }
    }
}

/// Whether the frequencies are one list of factors already, for every length, and nothing else: a list has no room for a
/// factor of cosine and sine.
pub(crate) fn is_list(rope: &Rope) -> bool {
    matches!(
        &rope.scaling,
        Some(Scaling::Plain(Plain::LongRope { short_factor, long_factor, attention_factor: Some(1.0), .. }))
            if short_factor == long_factor
    ) && rope.fraction == 1.0
        && rope.round.is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_of_features_are_each_other_s_inverse_and_hold_each_once() {
        for (turned, head_dim) in [(8, 8), (4, 8), (6, 10), (2, 6)] {
            let (half, adjacent) = (to_half(turned, head_dim), to_adjacent(turned, head_dim));
            let back: Vec<usize> = adjacent.iter().map(|at| half[*at]).collect();
            assert_eq!(back, (0..head_dim).collect::<Vec<_>>());
            let mut whole = to_whole(turned, head_dim);
            // A pair that turns together, p with p + D/2, is one that did, p with p + d/2.
            for pair in 0..turned / 2 {
                assert_eq!((whole[pair], whole[pair + head_dim / 2]), (pair, pair + turned / 2));
            }
            whole.sort_unstable();
            assert_eq!(whole, (0..head_dim).collect::<Vec<_>>());
        }
    }
}
