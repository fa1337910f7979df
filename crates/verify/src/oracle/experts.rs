//! Experts, one token at a time: every number from the definition, no tokens grouped.

use camelid_families::{Experts, Role, Stage, Tap};
use ndarray::{Array2, Axis};

use super::layers::{meeting, name};
use super::memo::product;
use super::network::Oracle;
use super::sight::{Halt, Hook};
use super::tensors::wrong;
use crate::error::Error;

/// A token's experts, ascending, with their weights.
type Picks = Vec<(usize, f64)>;

impl Oracle<'_> {
    /// What stands in the place of the MLP: `x` is the stream, `read` what the MLP reads.
    pub(crate) fn mlp(
        &self,
        index: usize,
        x: &Array2<f64>,
        read: &Array2<f64>,
        hook: Hook<'_>,
    ) -> Result<Array2<f64>, Halt> {
        let at = |stage| Tap { layer: Some(index), stage };
        let Some(experts) = &self.architecture.layers[index].experts else {
            return hook(at(Stage::MlpOutput), self.dense(index, read)?);
        };
        if experts.beside {
            let dense = hook(at(Stage::MlpOutput), self.dense(index, read)?)?;
            let dense = self.norm(Some(index), Role::DenseOutputNorm, &dense)?;
            return Ok(dense + self.experts(index, experts, x, read, hook)?);
        }
        let out = self.experts(index, experts, x, read, hook)?;
        hook(at(Stage::MlpOutput), out)
    }

    fn experts(
        &self,
        index: usize,
        words: &Experts,
        x: &Array2<f64>,
        read: &Array2<f64>,
        hook: Hook<'_>,
    ) -> Result<Array2<f64>, Halt> {
        let here = Some(index);
        let own = |role: Role, or: &Array2<f64>| match self.architecture.tensor(here, role) {
            Some(_) => self.norm(here, role, x),
            None => Ok(or.clone()),
        };
        let read = own(Role::ExpertsNorm, read)?;
        let routed = own(Role::RouterNorm, &read)?;
        let results = self.project(here, Role::Router, &routed)?;
        let picks: Result<Vec<Picks>, Error> =
            results.outer_iter().map(|row| self.picks(index, words, &row.to_vec())).collect();
        let picks = self.shown(index, words, picks?, hook)?;
        let mut out = self.shared(index, words, &read)?;
        for (token, picks) in picks.iter().enumerate() {
            let own = read.select(Axis(0), &[token]);
            for (expert, weight) in picks {
                let by_input = name(&words.weigh) == "input";
                let given =
                    self.expert(index, *expert, &if by_input { &own * *weight } else { own.clone() })?;
                let factor = if by_input { 1.0 } else { *weight };
                out.row_mut(token).scaled_add(factor, &given.row(0));
            }
        }
        Ok(self.norm(here, Role::ExpertsOutputNorm, &out)?)
    }

    /// The choice, as whoever watches has it.
    fn shown(
        &self,
        index: usize,
        words: &Experts,
        picks: Vec<Picks>,
        hook: Hook<'_>,
    ) -> Result<Vec<Picks>, Halt> {
        let at = |stage| Tap { layer: Some(index), stage };
        let shape = (picks.len(), words.chosen);
        let numbers = Array2::from_shape_fn(shape, |(token, place)| picks[token][place].0 as f64);
        let weights = Array2::from_shape_fn(shape, |(token, place)| picks[token][place].1);
        let numbers = hook(at(Stage::Experts), numbers)?;
        let weights = hook(at(Stage::ExpertWeights), weights)?;
        let last = words.count.saturating_sub(1);
        let of = |token: usize| {
            (0..words.chosen)
                .map(move |place| (token, place))
                .map(|at| ((numbers[at] as usize).min(last), weights[at]))
                .collect()
        };
        Ok((0..picks.len()).map(of).collect())
    }

    fn picks(&self, index: usize, words: &Experts, z: &[f64]) -> Result<Picks, Error> {
        let numbers = |role: Role| {
            self.tensors.get(Some(index), role).map(|row| row.iter().copied().collect::<Vec<_>>())
        };
        let correction = numbers(Role::RouterCorrection).unwrap_or_else(|| vec![0.0; z.len()]);
        let factors = numbers(Role::RouterFactor).unwrap_or_else(|| vec![1.0; z.len()]);
        let over_all = name(&words.over) == "all";
        let plain = if over_all { scored(&name(&words.score), z)? } else { z.to_vec() };
        let judged: Vec<f64> = plain.iter().zip(&correction).map(|(score, c)| score + c).collect();
        let open = open(words, &judged)?;
        let mut picks: Vec<usize> = Vec::new();
        for _ in 0..words.chosen {
            let left = (0..z.len()).filter(|expert| open[*expert] && !picks.contains(expert));
            // The first of the largest.
            let best = left.reduce(|best, other| if judged[other] > judged[best] { other } else { best });
            picks.push(best.ok_or_else(|| wrong(format!("{} experts are chosen of fewer", words.chosen)))?);
        }
        picks.sort_unstable();
        let own: Vec<f64> = picks.iter().map(|expert| plain[*expert]).collect();
        let own = if over_all { own } else { scored(&name(&words.score), &own)? };
        let sum: f64 = if words.normalise { own.iter().sum() } else { 1.0 };
        Ok(picks.iter().zip(own).map(|(e, p)| (*e, p / sum * words.scale * factors[*e])).collect())
    }

    /// What one expert gives for one row.
    fn expert(&self, index: usize, expert: usize, x: &Array2<f64>) -> Result<Array2<f64>, Error> {
        let apply = |role: Role, x: &Array2<f64>| {
            self.tensors.of_expert(index, role, expert).map(|(weight, bias)| {
                let mut out = product(x, weight);
                for (feature, mut column) in out.axis_iter_mut(ndarray::Axis(1)).enumerate() {
                    column += bias(feature);
                }
                out
            })
        };
        let (gate, up) = (apply(Role::ExpertGate, x)?, apply(Role::ExpertUp, x)?);
        let meets = meeting(&self.architecture.layers[index].mlp)?;
        apply(Role::ExpertDown, &Array2::from_shape_fn(up.dim(), |at| meets(gate[at], up[at])))
    }

    /// What every token goes through, times σ(x·w) where that is named; zeros where there is none.
    fn shared(&self, index: usize, words: &Experts, x: &Array2<f64>) -> Result<Array2<f64>, Error> {
        if words.shared.is_none() {
            return Ok(Array2::zeros(x.dim()));
        }
        let mut out = self.gated(index, [Role::SharedGate, Role::SharedUp, Role::SharedDown], x)?;
        if self.tensors.get(Some(index), Role::SharedScore).is_some() {
            let scores = self.project(Some(index), Role::SharedScore, x)?;
            for (mut row, score) in out.outer_iter_mut().zip(scores.iter()) {
                row.mapv_inplace(|y| y / (1.0 + (-score).exp()));
            }
        }
        Ok(out)
    }
}

/// Which experts may be chosen: those of the groups that are worth most.
fn open(words: &Experts, judged: &[f64]) -> Result<Vec<bool>, Error> {
    let kept = words.groups_kept.unwrap_or(words.groups);
    if words.groups == 0 || !judged.len().is_multiple_of(words.groups) {
        return Err(wrong(format!("{} groups of {} experts", words.groups, judged.len())));
    }
    let size = judged.len() / words.groups;
    let worth = |group: usize| {
        let mut own = judged[group * size..(group + 1) * size].to_vec();
        own.sort_by(|a, b| b.total_cmp(a));
        let counted = if name(&words.group_by) == "best_two" { 2 } else { 1 };
        own.iter().take(counted).sum::<f64>()
    };
    // A group is out where as many as are kept are worth more, or as much and come before it.
    let beats = |a: usize, b: usize| worth(a) > worth(b) || (worth(a) == worth(b) && a < b);
    let stays = |group: usize| (0..words.groups).filter(|other| beats(*other, group)).count() < kept;
    Ok((0..judged.len()).map(|expert| stays(expert / size)).collect())
}

fn scored(score: &str, z: &[f64]) -> Result<Vec<f64>, Error> {
    let most = z.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let whole: f64 = z.iter().map(|z| (z - most).exp()).sum();
    Ok(match score {
        "softmax" => z.iter().map(|z| (z - most).exp() / whole).collect(),
        "sigmoid" => z.iter().map(|z| 1.0 / (1.0 + (-z).exp())).collect(),
        "sqrt_softplus" => z.iter().map(|z| (z.max(0.0) + (-z.abs()).exp().ln_1p()).sqrt()).collect(),
        other => return Err(wrong(format!("experts.score `{other}`"))),
    })
}
