//! Cosines and sines for the positions at hand, and the turn itself.

use ndarray::{ArrayView1, ArrayViewMut1, ArrayViewMut3};

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
        let (tokens, pairs) = (positions.len(), frequencies.inverse.len());
        let mut cos = Vec::with_capacity(tokens * pairs);
        let mut sin = Vec::with_capacity(tokens * pairs);
        for &position in positions {
            for inverse in &frequencies.inverse {
                let (sine, cosine) = (position as f64 * inverse).sin_cos();
                cos.push((cosine * frequencies.factor) as f32);
                sin.push((sine * frequencies.factor) as f32);
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

    /// Turns the leading `2 × pairs` features of each head of `x`, `[tokens, heads, head_dim]`, in place.
    ///
    /// `x` may be any part of a larger array: some of the heads (to share the work among threads), or half of
    /// each head (two rotary axes: one table and one call for each half).
    ///
    /// # Panics
    /// If `x` has another number of tokens than the table, or heads too small for its pairs.
    #[track_caller]
    pub fn turn(&self, mut x: ArrayViewMut3<'_, f32>, pairing: Pairing) {
        let (tokens, heads, head_dim) = x.dim();
        assert!(
            tokens == self.tokens && head_dim >= 2 * self.pairs,
            "rotary table has {} tokens and {} pairs, x is [{tokens}, {heads}, {head_dim}]",
            self.tokens,
            self.pairs
        );
        for (token, mut heads) in x.outer_iter_mut().enumerate() {
            let (cos, sin) = self.row(token);
            for head in heads.outer_iter_mut() {
                edit(head, |head| match pairing {
                    Pairing::Half => turn_half(head, cos, sin),
                    Pairing::Adjacent => turn_adjacent(head, cos, sin),
                });
            }
        }
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

/// Hands a head to `edit` as a slice, by way of a copy where its features do not lie side by side.
fn edit(mut head: ArrayViewMut1<'_, f32>, edit: impl FnOnce(&mut [f32])) {
    if let Some(slice) = head.as_slice_mut() {
        edit(slice);
    } else {
        let mut copy = head.to_vec();
        edit(&mut copy);
        head.assign(&ArrayView1::from(&copy));
    }
}
