//! Logits in, a token out.

use std::cmp::Ordering;
use std::collections::HashSet;

use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

use crate::Error;
use crate::choice::logits::argmax;
use crate::choice::sampling::Sampling;

/// Draws tokens as a [`Sampling`] says. It remembers which ids it has seen, and where its stream of chance stands.
///
/// ```
/// use camelid_generate::{Sampler, Sampling};
///
/// let mut sampler = Sampler::new(Sampling { temperature: 1.0, top_p: 0.9, ..Sampling::default() })?;
/// let kept = sampler.distribution(&[2.0, 0.0, 1.0, -3.0]);
/// assert_eq!(kept.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [0, 2]); // 0.67 + 0.24 reach 0.9
/// # Ok::<(), camelid_generate::Error>(())
/// ```
#[derive(Debug)]
pub struct Sampler {
    sampling: Sampling,
    seen: HashSet<u32>,
    rng: ChaCha8Rng,
}

/// An id with its logit, and later with its weight e^(l − max).
#[derive(Debug, Clone, Copy)]
struct Candidate {
    id: u32,
    value: f64,
}

impl Sampler {
    /// A sampler that has seen nothing.
    ///
    /// # Errors
    /// [`Error::Sampling`] where a setting is out of range.
    pub fn new(sampling: Sampling) -> Result<Sampler, Error> {
        sampling.check()?;
        Ok(Sampler { sampling, seen: HashSet::new(), rng: ChaCha8Rng::seed_from_u64(sampling.seed) })
    }

    /// Notes ids of the text so far, for the repetition penalty.
    pub fn see(&mut self, ids: &[u32]) {
        if self.sampling.repetition_penalty != 1.0 {
            self.seen.extend(ids);
        }
    }

    /// The next token; it is noted as seen.
    ///
    /// # Panics
    /// Where there is no logit. NaN and infinities are the caller's to refuse.
    #[track_caller]
    pub fn choose(&mut self, logits: &[f32]) -> u32 {
        assert!(!logits.is_empty(), "no logits to choose from");
        let id = if self.sampling.is_greedy() {
            argmax(&self.penalised(logits))
        } else {
            let kept = self.distribution(logits);
            draw(&kept, self.rng.random())
        };
        self.see(&[id]);
        id
    }

    /// The ids that may be drawn with their probabilities, the likeliest first. Greedy: one id.
    #[must_use]
    pub fn distribution(&self, logits: &[f32]) -> Vec<(u32, f64)> {
        let scores = self.penalised(logits);
        if self.sampling.is_greedy() {
            return vec![(argmax(&scores), 1.0)];
        }
        let temperature = self.sampling.temperature;
        let scaled =
            scores.iter().zip(0..).map(|(score, id)| Candidate { id, value: (score / temperature).into() });
        let mut kept: Vec<Candidate> = scaled.collect();
        keep_top_k(&mut kept, self.sampling.top_k);
        to_weights(&mut kept);
        keep_top_p(&mut kept, self.sampling.top_p.into());
        let least = f64::from(self.sampling.min_p);
        kept.retain(|candidate| candidate.value >= least); // the likeliest weighs 1
        kept.sort_unstable_by(descending);
        let sum: f64 = kept.iter().map(|candidate| candidate.value).sum();
        kept.iter().map(|candidate| (candidate.id, candidate.value / sum)).collect()
    }

    fn penalised<'a>(&self, logits: &'a [f32]) -> std::borrow::Cow<'a, [f32]> {
        let penalty = self.sampling.repetition_penalty;
        if penalty == 1.0 || self.seen.is_empty() {
            return logits.into();
        }
        let mut scores = logits.to_vec();
        for id in &self.seen {
            if let Some(score) = scores.get_mut(*id as usize) {
                *score = if *score < 0.0 { *score * penalty } else { *score / penalty };
            }
        }
        scores.into()
    }
}

/// Larger values first; of equals, smaller ids.
fn descending(a: &Candidate, b: &Candidate) -> Ordering {
    b.value.total_cmp(&a.value).then(a.id.cmp(&b.id))
}

/// The k largest, and whatever equals the k-th, as upstream's comparison with it keeps them.
fn keep_top_k(kept: &mut Vec<Candidate>, k: usize) {
    if k == 0 || k >= kept.len() {
        return;
    }
    let (_, kth, _) = kept.select_nth_unstable_by(k - 1, descending);
    let least = kth.value;
    kept.retain(|candidate| candidate.value >= least);
}

/// l → e^(l − max l).
fn to_weights(kept: &mut [Candidate]) {
    let max = kept.iter().map(|candidate| candidate.value).fold(f64::NEG_INFINITY, f64::max);
    kept.iter_mut().for_each(|candidate| candidate.value = (candidate.value - max).exp());
}

/// The likeliest until their sum reaches p. Only as many are sorted as it takes.
fn keep_top_p(kept: &mut Vec<Candidate>, p: f64) {
    if p >= 1.0 {
        return;
    }
    let needed = p * kept.iter().map(|candidate| candidate.value).sum::<f64>();
    let mut sorted = 256;
    loop {
        if sorted < kept.len() {
            kept.select_nth_unstable_by(sorted, descending);
        }
        let head = sorted.min(kept.len());
        kept[..head].sort_unstable_by(descending);
        let mut before = 0.0;
        let stays = kept[..head].iter().take_while(|candidate| {
            let stays = before < needed;
            before += candidate.value;
            stays
        });
        let count = stays.count();
        if count < head || head == kept.len() {
            return kept.truncate(count.max(1));
        }
        sorted *= 8;
    }
}

/// The id at which the sum of probabilities passes `chance`, from 0 to 1.
fn draw(kept: &[(u32, f64)], chance: f64) -> u32 {
    let mut sum = 0.0;
    let found = kept.iter().find(|(_, probability)| {
        sum += probability;
        chance < sum
    });
    // Rounding may leave the sum a little below 1.
    found.or(kept.last()).map_or(0, |(id, _)| *id)
}
