//! How likely tokens are, by the model alone.

/// Natural logarithms of softmax(logits), before penalties, temperature and cuts: of the token that was chosen, and of the
/// likeliest.
#[derive(Debug, Clone, PartialEq)]
pub struct Logprobs {
    /// Of the chosen token.
    pub own: f32,
    /// The likeliest ids with theirs, as many as were asked for, from the likeliest; of equals the smaller id first.
    pub likeliest: Vec<(u32, f32)>,
}

impl Logprobs {
    /// Those of a row of logits, of which `chosen` was drawn.
    pub(crate) fn of(logits: &[f32], chosen: u32, count: usize) -> Logprobs {
        let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let sum: f64 = logits.iter().map(|logit| f64::from(logit - max).exp()).sum();
        let logprob = |logit: f32| (f64::from(logit - max) - sum.ln()) as f32;
        let mut rows: Vec<(u32, f32)> = (0..).zip(logits.iter().copied()).collect();
        let descending = |a: &(u32, f32), b: &(u32, f32)| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0));
        let count = count.min(rows.len());
        if count > 0 {
            rows.select_nth_unstable_by(count - 1, descending);
        }
        rows.truncate(count);
        rows.sort_unstable_by(descending);
        let likeliest = rows.into_iter().map(|(id, logit)| (id, logprob(logit))).collect();
        Logprobs { own: logprob(logits[chosen as usize]), likeliest }
    }
}

#[cfg(test)]
mod tests {
    use super::Logprobs;

    #[test]
    fn they_are_logarithms_of_softmax() {
        let [two, one] = [2.0_f32, 1.0].map(|odds: f32| (odds / 4.0).ln());
        let logits = [1.0_f32, 2.0, 1.0].map(f32::ln);
        let found = Logprobs::of(&logits, 2, 2);
        assert_eq!(found.likeliest.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [1, 0]);
        assert!((found.own - one).abs() < 1e-6 && (found.likeliest[0].1 - two).abs() < 1e-6, "{found:?}");
        assert_eq!(Logprobs::of(&logits, 0, 0).likeliest, []);
        assert_eq!(Logprobs::of(&logits, 0, 9).likeliest.len(), 3);
    }
}
