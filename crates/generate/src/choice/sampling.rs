//! How the next token is chosen: settings, checked once.

use serde::{Deserialize, Serialize};

use crate::Error;

/// How the next token is chosen. The default is greedy: the likeliest, of equals the one with the smallest id.
///
/// Applied in the order of transformers: repetition penalty, temperature, top-k, top-p, min-p.
///
/// ```text
/// penalty      l ← l / r where l > 0, l · r where l < 0     for every id that stands in the prompt or after it
/// temperature  l ← l / T                                    0: the largest is taken, and what follows is not applied
/// top-k        the k largest stay, with all that equal the k-th
/// top-p        p(l) descending: an id stays while the sum before it is below p
/// min-p        an id stays if it has at least m times the probability of the likeliest
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sampling {
    /// T ≥ 0.
    pub temperature: f32,
    /// k; 0 is all.
    pub top_k: usize,
    /// p, from 0 to 1; 1 is all. The likeliest always stays.
    pub top_p: f32,
    /// m, from 0 to 1; 0 is all.
    pub min_p: f32,
    /// r > 0; 1 is none.
    pub repetition_penalty: f32,
    /// Of two runs with equal seeds, prompts and settings, both give the same text.
    pub seed: u64,
}

impl Default for Sampling {
    fn default() -> Sampling {
        Sampling { temperature: 0.0, top_k: 0, top_p: 1.0, min_p: 0.0, repetition_penalty: 1.0, seed: 0 }
    }
}

/// Some 64 bits of chance, to begin a stream of chance with.
#[must_use]
pub fn any_seed() -> u64 {
    use std::hash::{BuildHasher, Hasher};
    std::collections::hash_map::RandomState::new().build_hasher().finish()
}

impl Sampling {
    /// Whether the likeliest token is always taken.
    #[must_use]
    pub fn is_greedy(&self) -> bool {
        self.temperature == 0.0
    }

    /// # Errors
    /// [`Error::Sampling`] names the first setting that is out of range.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let refuse =
            |word, value: f32, wanted| Err(Error::Sampling { word, value: value.to_string(), wanted });
        if !(self.temperature >= 0.0 && self.temperature.is_finite()) {
            return refuse("temperature", self.temperature, "a number from 0 (greedy) upwards");
        }
        if !(0.0..=1.0).contains(&self.top_p) {
            return refuse("top_p", self.top_p, "a probability, from 0 to 1");
        }
        if !(0.0..=1.0).contains(&self.min_p) {
            return refuse("min_p", self.min_p, "a probability, from 0 to 1");
        }
        if !(self.repetition_penalty > 0.0 && self.repetition_penalty.is_finite()) {
            return refuse("repetition_penalty", self.repetition_penalty, "a number above 0; 1 is none");
        }
        Ok(())
    }
}
