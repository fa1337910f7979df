//! Folds that hold for texts of some length: what only shows in longer ones is left out, and the length becomes the context.

use camelid_rope::Scaling as Plain;

use super::rules::nothing;
use super::work::{Folding, Grade, Wish};
use crate::waist::architecture::{Attention, Length};
use crate::waist::scaling::Scaling;

type Made = Option<(String, Grade)>;

/// A window that no text reaches the end of.
pub(super) fn window(folding: &mut Folding, wish: &Wish<'_>) -> Made {
    let Some(within) = attention(folding, wish)?.window.take() else { return nothing() };
    within_length(folding, within, format!("a window of {within} tokens is left out"))
}

pub(super) fn chunk(folding: &mut Folding, wish: &Wish<'_>) -> Made {
    let Some(within) = attention(folding, wish)?.chunk.take() else { return nothing() };
    within_length(folding, within, format!("chunks of {within} tokens are left out"))
}

/// log_n(i + 1) is at most 1 up to n tokens.
pub(super) fn logn(folding: &mut Folding, wish: &Wish<'_>) -> Made {
    let Some(within) = attention(folding, wish)?.logn.take() else { return nothing() };
    within_length(folding, within, format!("queries that grow from {within} tokens on do not"))
}

pub(super) fn temperature(folding: &mut Folding, wish: &Wish<'_>) -> Made {
    let Some(within) = attention(folding, wish)?.temperature.take() else { return nothing() };
    let length = within.length.saturating_sub(within.from);
    within_length(folding, length, format!("queries that grow from {length} tokens on do not"))
}

pub(super) fn dual_chunk(folding: &mut Folding, wish: &Wish<'_>) -> Made {
    let Some(within) = attention(folding, wish)?.dual_chunk.take() else { return nothing() };
    let trained = within.original_max_position_embeddings.filter(|length| *length > 0);
    let length = trained.map_or(within.chunk_size, |trained| trained.min(within.chunk_size));
    within_length(folding, length, format!("dual chunks are left out, of which {length} tokens know nothing"))
}

/// Frequencies that follow the length, as they are up to the trained one.
pub(super) fn scaling(folding: &mut Folding, at: usize) -> Made {
    let rope = folding.architecture.layers[at].rope.as_mut()?;
    let trained = match &rope.scaling {
        Some(Scaling::Plain(Plain::Dynamic { original_max_position_embeddings, .. })) => {
            original_max_position_embeddings.or(rope.context)?
        }
        Some(Scaling::Plain(Plain::Stepped {})) => rope.context?,
        Some(Scaling::Plain(Plain::LongRope { original_max_position_embeddings, short_factor, .. })) => {
            let (trained, short) = (original_max_position_embeddings.or(rope.context)?, short_factor.clone());
            if let Some(Scaling::Plain(Plain::LongRope { long_factor, .. })) = &mut rope.scaling {
                if *long_factor == short {
                    return nothing();
                }
                *long_factor = short;
            }
            return within_length(folding, trained, format!("factors beyond {trained} tokens are left out"));
        }
        Some(
            Scaling::Plain(Plain::Default {} | Plain::Linear { .. } | Plain::Llama3 { .. })
            | Scaling::Yarn(_),
        )
        | None => return None,
    };
    rope.scaling = None;
    rope.context = None;
    rope.length = Length::default();
    within_length(folding, trained, format!("rotary frequencies that change beyond {trained} tokens do not"))
}

/// The length becomes the context.
fn within_length(folding: &mut Folding, tokens: usize, what: String) -> Made {
    let context = &mut folding.architecture.stack.context;
    *context = Some(context.map_or(tokens, |context| context.min(tokens)));
    Some((what, Grade::Within(tokens)))
}

/// The layer's attention; only `none` can be had of its words that have a length.
fn attention<'f>(folding: &'f mut Folding, wish: &Wish<'_>) -> Option<&'f mut Attention> {
    if !wish.value.is_null() {
        return None;
    }
    Some(&mut folding.architecture.layers.get_mut(wish.layer?)?.attention)
}
