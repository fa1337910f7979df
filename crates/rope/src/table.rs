//! Cosines and sines for the positions at hand, and the turn itself.

use crate::Frequencies;

/// Which features of a head make a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "lowercase"))]
pub enum Pairing {
    /// `x[i]` and `x[i + rotary_dim / 2]`; upstream's `rotate_half`.
    Half,
    /// `x[2i]` and `x[2i + 1]`; "interleaved".
    Adjacent,
}

/// Cosine and sine of every pair's angle at each of some tokens, times the frequencies' factor.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    tokens: usize,
    pairs: usize,
    /// `[tokens, pairs]`.
    cos: Vec<f32>,
    /// `[tokens, pairs]`.
    sin: Vec<f32>,
}

impl Table {
    /// The table for tokens at these positions, which may repeat and come in any order.
    ///
    /// Costs one sine and cosine for each token and pair: make it once for all layers that share frequencies.
    pub fn new(frequencies: &Frequencies, positions: &[usize]) -> Self {
        Self::of(frequencies, positions.iter().map(|position| *position as f64), frequencies.factor)
    }

    /// The table that moves what was turned already by these distances, forwards or, where they are negative, back:
    /// keys in a cache, where the context shifts. The frequencies' factor is in them already, and is not applied again,
    /// so that −p undoes the turn of position p up to the factor.
    pub fn moving(frequencies: &Frequencies, distances: &[isize]) -> Self {
        Self::of(frequencies, distances.iter().map(|distance| *distance as f64), 1.0)
    }

    fn of(frequencies: &Frequencies, places: impl ExactSizeIterator<Item = f64>, factor: f64) -> Self {
        let (tokens, pairs) = (places.len(), frequencies.inverse.len());
        let mut cos = Vec::with_capacity(tokens * pairs);
        let mut sin = Vec::with_capacity(tokens * pairs);
        for place in places {
            for inverse in &frequencies.inverse {
                let (sine, cosine) = (place * inverse).sin_cos();
                cos.push((cosine * factor) as f32);
                sin.push((sine * factor) as f32);
            }
        }
        Self { tokens, pairs, cos, sin }
    }

    /// How many tokens the table is for.
    pub fn tokens(&self) -> usize {
        self.tokens
    }

    /// Cosines and sines of one token, times the factor: `[pairs]` each.
    ///
    /// # Panics
    /// If there is no such token.
    #[track_caller]
    pub fn row(&self, token: usize) -> (&[f32], &[f32]) {
        assert!(token < self.tokens, "rotary table has {} tokens, none is number {token}", self.tokens);
        let row = token * self.pairs..(token + 1) * self.pairs;
        (&self.cos[row.clone()], &self.sin[row])
    }

    /// Turns the leading `2 × pairs` features of each head of `x`, `[tokens, heads, head_dim]` row by row, in place.
    ///
    /// # Panics
    /// If `x` is not as long as the table's tokens and this many heads ask for, or the heads are too small for its pairs.
    #[track_caller]
    pub fn turn_slice(&self, x: &mut [f32], heads: usize, pairing: Pairing) {
        let rows = self.tokens * heads;
        let head_dim = x.len().checked_div(rows).unwrap_or(0);
        assert!(
            rows * head_dim == x.len() && (rows == 0 || head_dim >= 2 * self.pairs),
            "rotary table has {} tokens and {} pairs, x has {} elements of {heads} heads",
            self.tokens,
            self.pairs,
            x.len()
        );
        for (row, head) in x.chunks_exact_mut(head_dim.max(1)).enumerate() {
            self.turn_head(head, row / heads, pairing);
        }
    }

    /// Turns one head of a token.
    pub(crate) fn turn_head(&self, head: &mut [f32], token: usize, pairing: Pairing) {
        let (cos, sin) = self.row(token);
        match pairing {
            Pairing::Half => turn_half(head, cos, sin),
            Pairing::Adjacent => turn_adjacent(head, cos, sin),
        }
    }

    /// How many pairs of features it turns.
    pub fn pairs(&self) -> usize {
        self.pairs
    }
}

fn turn_half(head: &mut [f32], cos: &[f32], sin: &[f32]) {
    let (a, rest) = head.split_at_mut(cos.len());
    turn_apart(a, &mut rest[..cos.len()], cos, sin);
}

/// By itself and not inlined, since only as arguments are the slices known to the compiler not to overlap:
/// more than three times as fast.
#[inline(never)]
fn turn_apart(a: &mut [f32], b: &mut [f32], cos: &[f32], sin: &[f32]) {
    for (((a, b), &cos), &sin) in a.iter_mut().zip(b).zip(cos).zip(sin) {
        (*a, *b) = (*a * cos - *b * sin, *a * sin + *b * cos);
    }
}

fn turn_adjacent(head: &mut [f32], cos: &[f32], sin: &[f32]) {
    let (pairs, _) = head.as_chunks_mut::<2>();
    for ((pair, &cos), &sin) in pairs.iter_mut().zip(cos).zip(sin) {
        let [a, b] = *pair;
        *pair = [a * cos - b * sin, a * sin + b * cos];
    }
}
