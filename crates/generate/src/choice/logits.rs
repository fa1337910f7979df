//! The logits after the last token, and the largest of them.

use camelid_families::{Cache, Model};
use ndarray::{Array2, Axis, Slice};

use crate::Error;

/// The logits after `tokens`, the next of a sequence.
///
/// # Errors
/// As [`Model::forward`].
pub fn next_logits(model: &Model, tokens: &[u32], cache: &mut Cache) -> Result<Vec<f32>, Error> {
    Ok(of_last_row(model, &model.forward(tokens, cache, &mut ())?))
}

/// Of hidden states `[tokens, width]`, the last row's.
pub(crate) fn of_last_row(model: &Model, hidden: &Array2<f32>) -> Vec<f32> {
    let last = hidden.slice_axis(Axis(0), Slice::from(hidden.nrows().saturating_sub(1)..));
    model.logits(last).into_raw_vec_and_offset().0
}

/// The first of the largest.
#[must_use]
pub fn argmax(logits: &[f32]) -> u32 {
    let mut best = (0, f32::NEG_INFINITY);
    for (id, logit) in (0..).zip(logits) {
        if *logit > best.1 {
            best = (id, *logit);
        }
    }
    best.0
}
