//! A gated delta net, one token and one number at a time.

use camelid_families::{Delta, Role, Share, Stage, Tap};
use ndarray::Array2;

use super::layers::{activation, name};
use super::network::Oracle;
use super::sight::{Halt, Hook, Quirk};
use crate::error::Error;

/// Tokens of a chunk, in code that computes by chunks.
const CHUNK: usize = 64;

impl Oracle<'_> {
    /// What the layer gives, `[tokens, width]`.
    pub(super) fn delta(
        &self,
        index: usize,
        delta: &Delta,
        x: &Array2<f64>,
        hook: Hook<'_>,
    ) -> Result<Array2<f64>, Halt> {
        let here = Some(index);
        let at = |stage| Tap { layer: here, stage };
        let query = self.convolved(index, delta, [Role::DeltaQuery, Role::DeltaQueryConv], x)?;
        let key = self.convolved(index, delta, [Role::DeltaKey, Role::DeltaKeyConv], x)?;
        let value = self.convolved(index, delta, [Role::DeltaValue, Role::DeltaValueConv], x)?;
        let query = hook(at(Stage::Query), query)?;
        let key = hook(at(Stage::Key), key)?;
        let value = hook(at(Stage::Value), value)?;
        let rate = self.project(here, Role::DeltaRate, x)?;
        let rate = rate
            .mapv(|b| delta.rate_scale * if self.quirk == Quirk::RateNotSquashed { b } else { sigmoid(b) });
        let fading = self.fading(index, delta, x)?;
        let mut out = Array2::zeros((x.nrows(), delta.values()));
        for head in 0..delta.value_heads {
            let of = match delta.share {
                Share::Groups => head / (delta.value_heads / delta.key_heads),
                Share::Turns => head % delta.key_heads,
            };
            let keys = self.unit(&key, of, delta, 1.0);
            let queries = self.unit(&query, of, delta, (delta.key_dim as f64).powf(-0.5));
            let each = fading.ncols() / delta.value_heads;
            let mut state = Array2::<f64>::zeros((delta.value_dim, delta.key_dim));
            for token in 0..x.nrows() {
                if self.quirk == Quirk::StateLostBetweenChunks && token % CHUNK == 0 {
                    state.fill(0.0);
                }
                for value_at in 0..delta.value_dim {
                    for d in 0..delta.key_dim {
                        state[[value_at, d]] *= fading[[token, head * each + d % each]].exp();
                    }
                    let told: f64 = (0..delta.key_dim).map(|d| state[[value_at, d]] * keys[[token, d]]).sum();
                    let lacks = value[[token, head * delta.value_dim + value_at]] - told;
                    for d in 0..delta.key_dim {
                        state[[value_at, d]] += rate[[token, head]] * lacks * keys[[token, d]];
                    }
                    out[[token, head * delta.value_dim + value_at]] =
                        (0..delta.key_dim).map(|d| state[[value_at, d]] * queries[[token, d]]).sum();
                }
            }
        }
        let out = hook(at(Stage::Heads), out)?;
        let out = self.gated_heads(index, delta, x, &out)?;
        Ok(self.project(here, Role::DeltaOutput, &out)?)
    }

    /// act of a convolution over the tokens so far.
    fn convolved(
        &self,
        index: usize,
        delta: &Delta,
        [role, conv]: [Role; 2],
        x: &Array2<f64>,
    ) -> Result<Array2<f64>, Error> {
        let projected = self.project(Some(index), role, x)?;
        let taps = self.tensors.need(Some(index), conv)?;
        let act = activation(&name(&delta.activation))?;
        let late = usize::from(self.quirk == Quirk::ConvolutionLate);
        Ok(Array2::from_shape_fn(projected.dim(), |(token, channel)| {
            let seen = (0..delta.conv_width).filter(|back| back + late <= token);
            let sum: f64 = seen
                .map(|back| {
                    taps[[channel, delta.conv_width - 1 - back]] * projected[[token - back - late, channel]]
                })
                .sum();
            act(sum)
        }))
    }

    /// g of every head, or of every feature of its keys.
    fn fading(&self, index: usize, delta: &Delta, x: &Array2<f64>) -> Result<Array2<f64>, Error> {
        let here = Some(index);
        let a = match delta.decay_rank {
            Some(_) => self.project(here, Role::DeltaDecay, &self.project(here, Role::DeltaDecayDown, x)?)?,
            None => self.project(here, Role::DeltaDecay, x)?,
        };
        let flat = |role| -> Result<Vec<f64>, Error> {
            Ok(self.tensors.need(here, role)?.iter().copied().collect())
        };
        let (logs, bias) = (flat(Role::DeltaDecayLog)?, flat(Role::DeltaDecayBias)?);
        let each = (a.ncols() / logs.len()).max(1);
        Ok(Array2::from_shape_fn(a.dim(), |(token, at)| {
            let (rate, sum) = (logs[at / each].exp(), a[[token, at]] + bias[at]);
            match delta.floor {
                _ if self.quirk == Quirk::DecayWithoutSoftplus => -rate * sum,
                Some(floor) => floor * sigmoid(rate * sum),
                None if sum > 30.0 => -rate * sum,
                None => -rate * (1.0 + sum.exp()).ln(),
            }
        }))
    }

    /// One head, its rows brought to a length.
    fn unit(&self, x: &Array2<f64>, head: usize, delta: &Delta, length: f64) -> Array2<f64> {
        let own =
            Array2::from_shape_fn((x.nrows(), delta.key_dim), |(t, d)| x[[t, head * delta.key_dim + d]]);
        Array2::from_shape_fn(own.dim(), |(token, d)| {
            let squares: f64 = own.row(token).iter().map(|x| x * x).sum();
            let root = if self.quirk == Quirk::KeysOfAnyLength { 1.0 } else { (squares + delta.eps).sqrt() };
            own[[token, d]] / root * length
        })
    }

    /// Each head normed, times what the gate lets through.
    fn gated_heads(
        &self,
        index: usize,
        delta: &Delta,
        x: &Array2<f64>,
        out: &Array2<f64>,
    ) -> Result<Array2<f64>, Error> {
        let here = Some(index);
        let gate = match delta.gate_rank {
            Some(_) => self.project(here, Role::DeltaGate, &self.project(here, Role::DeltaGateDown, x)?)?,
            None => self.project(here, Role::DeltaGate, x)?,
        };
        let act = activation(&name(&delta.gate))?;
        let rows = Array2::from_shape_fn((out.nrows() * delta.value_heads, delta.value_dim), |(row, d)| {
            out[[row / delta.value_heads, row % delta.value_heads * delta.value_dim + d]]
        });
        let rows = self.norm(here, Role::DeltaNorm, &rows)?;
        Ok(Array2::from_shape_fn(out.dim(), |(token, at)| {
            let row = token * delta.value_heads + at / delta.value_dim;
            rows[[row, at % delta.value_dim]] * act(gate[[token, at]])
        }))
    }
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}
