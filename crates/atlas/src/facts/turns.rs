//! How fast each pair of features turns, layer by layer, and what a scaling does to it.

use camelid_families::{Architecture, Layer, Position, Rope};
use serde::Serialize;

/// Layers whose heads turn alike, and how fast their pairs do.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Turns {
    /// The layers, counted from 0.
    pub layers: Vec<usize>,
    /// The base.
    pub theta: f64,
    /// Features of a head that may turn.
    pub head_dim: usize,
    /// Radians a token, one for each pair: upstream's `inv_freq`.
    pub inverse: Vec<f64>,
    /// The same without any scaling.
    pub plain: Vec<f64>,
    /// What cosines and sines are multiplied by, upstream's `attention_factor`.
    pub factor: f64,
    /// The length in tokens that the numbers are for, where they depend on it.
    pub length: Option<usize>,
    /// What the scaling does, from the fastest pair to the slowest.
    pub bands: Vec<Band>,
}

/// Neighbouring pairs to which a scaling does the same.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Band {
    /// The first pair.
    pub first: usize,
    /// The last.
    pub last: usize,
    /// What is done.
    pub change: Change,
}

/// What a scaling does to a pair.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// Its speed is kept.
    Kept,
    /// Its speed is divided by one number.
    Divided(f64),
    /// Its speed is divided by another number than its neighbour's: the first and the last of the band.
    Blended(f64, f64),
    /// It does not turn.
    Still,
}

/// Ratios this near are the same: the formulas are computed in f64.
const SAME: f64 = 1e-9;

impl Turns {
    /// Tokens after which a pair has turned once; none for one that stays.
    #[must_use]
    pub fn wavelength(&self, pair: usize) -> Option<f64> {
        self.inverse.get(pair).filter(|f| **f > 0.0).map(|f| std::f64::consts::TAU / f)
    }
}

/// The turns of every layer that has some, where `length` tokens are in sight.
///
/// # Errors
/// What crate `rope` or `yarn` says of settings out of range.
pub fn turns(architecture: &Architecture, length: usize) -> Result<Vec<Turns>, String> {
    let mut kinds: Vec<(&Rope, usize, Vec<usize>)> = Vec::new();
    for (index, layer) in architecture.layers.iter().enumerate() {
        let Some(rope) = turning(layer) else { continue };
        let dim = layer.turning_dim();
        match kinds.iter_mut().find(|(known, known_dim, _)| *known == rope && *known_dim == dim) {
            Some((.., layers)) => layers.push(index),
            None => kinds.push((rope, dim, vec![index])),
        }
    }
    kinds.into_iter().map(|(rope, dim, layers)| of(rope, dim, layers, length)).collect()
}

fn turning(layer: &Layer) -> Option<&Rope> {
    let turns = layer.delta.is_none() && layer.attention.position == Position::Rope;
    layer.rope.as_ref().filter(|_| turns)
}

fn of(rope: &Rope, head_dim: usize, layers: Vec<usize>, length: usize) -> Result<Turns, String> {
    let scaled = rope.frequencies(head_dim, length)?;
    let plain = Rope { scaling: None, ..rope.clone() }.frequencies(head_dim, length)?;
    let changes = scaled.inverse.iter().zip(&plain.inverse).map(|(f, plain)| (*f > 0.0).then(|| plain / f));
    Ok(Turns {
        layers,
        theta: rope.theta,
        head_dim,
        bands: bands(&changes.collect::<Vec<_>>()),
        inverse: scaled.inverse,
        plain: plain.inverse,
        factor: scaled.factor,
        length: rope.depends_on_length(head_dim).then_some(length),
    })
}

/// Runs of equal divisors; between them, runs of divisors that all differ.
fn bands(divisors: &[Option<f64>]) -> Vec<Band> {
    let same = |a: Option<f64>, b: Option<f64>| match (a, b) {
        (Some(a), Some(b)) => (a / b - 1.0).abs() < SAME,
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    };
    let mut bands: Vec<Band> = Vec::new();
    let mut first = 0;
    while first < divisors.len() {
        let here = divisors[first];
        let run = divisors[first..].iter().take_while(|other| same(here, **other)).count();
        let last = first + run - 1;
        let change = match here {
            None => Change::Still,
            Some(by) if (by - 1.0).abs() < SAME => Change::Kept,
            Some(by) if run > 1 => Change::Divided(by),
            Some(by) => Change::Blended(by, by),
        };
        match (bands.last_mut(), change) {
            (Some(Band { last: end, change: Change::Blended(_, to), .. }), Change::Blended(_, by)) => {
                (*end, *to) = (last, by);
            }
            _ => bands.push(Band { first, last, change }),
        }
        first = last + 1;
    }
    bands
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bands_are_runs_of_what_is_done() {
        let divisors = [Some(1.0), Some(1.0), Some(1.5), Some(2.5), Some(4.0), Some(4.0), None, None];
        let found: Vec<_> =
            bands(&divisors).into_iter().map(|band| (band.first, band.last, band.change)).collect();
        assert_eq!(
            found,
            [
                (0, 1, Change::Kept),
                (2, 3, Change::Blended(1.5, 2.5)),
                (4, 5, Change::Divided(4.0)),
                (6, 7, Change::Still),
            ]
        );
    }
}
