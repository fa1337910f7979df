//! Perplexity: how surprised a model is by a text.

use camelid_families::Model;
use ndarray::{Axis, Slice};

use crate::Error;

/// Rows of logits that are computed at a time: 64 rows of 256,000 logits are 64 MB.
const ROWS: usize = 64;

/// A sum of negative log-likelihoods, in nats.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Nll {
    /// −Σ ln p(token | those before it in its window).
    pub sum: f64,
    /// How many tokens were scored.
    pub tokens: usize,
}

impl Nll {
    /// e^(sum / tokens).
    #[must_use]
    pub fn perplexity(&self) -> f64 {
        (self.sum / self.tokens as f64).exp()
    }
}

/// The surprise at a text, in windows of `context` tokens that do not overlap, each read by itself: every token but the first
/// of a window is scored. (transformers' recipe with a stride equal to the window. llama.cpp scores the second half of each
/// window only, so its figures are lower.) `before` stands in front of each window, as BOS does, and is not scored.
///
/// `progress` hears how many tokens are read, after each window.
///
/// # Errors
/// The text has fewer than two tokens; [`Error::NotFinite`]; what the model says.
pub fn perplexity(
    model: &Model,
    text: &[u32],
    before: &[u32],
    context: usize,
    progress: &mut dyn FnMut(usize),
) -> Result<Nll, Error> {
    let mut nll = Nll::default();
    let room = context.saturating_sub(before.len()).max(1);
    for (index, window) in text.chunks(room).enumerate() {
        let ids = [before, window].concat();
        let first = before.len().max(1); // the first token that something stands before
        if ids.len() <= first {
            continue;
        }
        score(model, &ids, first, &mut nll)?;
        progress(index * room + window.len());
    }
    if nll.tokens == 0 {
        return Err(Error::EmptyPrompt);
    }
    Ok(nll)
}

/// Scores the tokens of one window from `first` on.
fn score(model: &Model, ids: &[u32], first: usize, nll: &mut Nll) -> Result<(), Error> {
    let mut cache = model.cache();
    let hidden = model.forward(ids, &mut cache, &mut ())?;
    let mut row = first - 1;
    while row + 1 < ids.len() {
        let end = (row + ROWS).min(ids.len() - 1);
        let logits = model.logits(hidden.slice_axis(Axis(0), Slice::from(row..end)));
        for (place, logits) in (row..end).zip(logits.axis_iter(Axis(0))) {
            let logits = logits.to_vec();
            if let Some(of) = logits.iter().position(|logit| !logit.is_finite()) {
                return Err(Error::NotFinite { place, id: ids[place], of, value: logits[of] });
            }
            nll.sum += surprise(&logits, ids[place + 1]);
            nll.tokens += 1;
        }
        row = end;
    }
    Ok(())
}

/// −ln softmax(logits)\[id\].
fn surprise(logits: &[f32], id: u32) -> f64 {
    let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits.iter().map(|logit| f64::from(logit - max).exp()).sum();
    sum.ln() - f64::from(logits[id as usize] - max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_logits_are_as_surprising_as_there_are_ids() {
        let surprise = surprise(&[3.0; 8], 5);
        assert!((surprise - 8f64.ln()).abs() < 1e-12);
        assert!((Nll { sum: surprise * 4.0, tokens: 4 }.perplexity() - 8.0).abs() < 1e-9);
    }
}
