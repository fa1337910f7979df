//! How likely the tokens are that came: those of a prompt too.

use camelid_families::Model;
use camelid_generate::Logprobs;
use ndarray::{ArrayView2, Axis, Slice};

/// Rows of logits that are computed at a time: 64 rows of 256,000 logits are 64 MB.
const ROWS: usize = 64;

/// A token, and how likely it was.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Scored {
    pub(crate) id: u32,
    pub(crate) logprobs: Logprobs,
}

/// The tokens that follow each row of hidden states.
pub(crate) fn of_prompt(model: &Model, hidden: ArrayView2<'_, f32>, next: &[u32], top: usize) -> Vec<Scored> {
    let mut scores = Vec::with_capacity(next.len());
    for (index, next) in next.chunks(ROWS).enumerate() {
        let rows = index * ROWS..index * ROWS + next.len();
        let logits = model.logits(hidden.slice_axis(Axis(0), Slice::from(rows)));
        for (logits, id) in logits.outer_iter().zip(next) {
            let logits = logits.as_slice().expect("a row of a new array");
            scores.push(Scored { id: *id, logprobs: Logprobs::of(logits, *id, top) });
        }
    }
    scores
}
