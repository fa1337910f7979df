//! Norms, projections, the MLP and the head.

use camelid_families::{Mlp, MlpKind, Named, Role};
use ndarray::{Array2, Axis};
use serde::Serialize;

use super::memo::product;
use super::network::Oracle;
use super::sight::Quirk;
use super::tensors::wrong;
use crate::error::Error;

impl Oracle<'_> {
    /// (x̂ · (offset + w) + bias) · factor along each row; the identity where none is named.
    pub(crate) fn norm(
        &self,
        layer: Option<usize>,
        role: Role,
        x: &Array2<f64>,
    ) -> Result<Array2<f64>, Error> {
        let Some(named) = self.architecture.tensor(layer, role) else { return Ok(x.clone()) };
        self.norm_rows(named, layer, role, x, |_, feature| feature)
    }

    /// The same where `own` says which number of the weight is that of a row and feature.
    pub(crate) fn norm_rows(
        &self,
        named: &Named,
        layer: Option<usize>,
        role: Role,
        x: &Array2<f64>,
        own: impl Fn(usize, usize) -> usize,
    ) -> Result<Array2<f64>, Error> {
        let norm = &self.architecture.norm;
        let (eps, offset) = (named.eps.unwrap_or(norm.eps), named.offset.unwrap_or(norm.offset));
        let kind = name(&norm.kind);
        let weights: Option<Vec<f64>> = if named.unit {
            None
        } else {
            Some(self.tensors.need(layer, role)?.iter().map(|weight| offset + weight).collect())
        };
        let bias = self.tensors.bias(layer, role);
        let mut out = x.clone();
        for (row, mut values) in out.outer_iter_mut().enumerate() {
            let count = values.len() as f64;
            let mean = match kind.as_str() {
                "rms" => 0.0,
                "layer" => values.sum() / count,
                other => return Err(wrong(format!("norm.kind `{other}`"))),
            };
            let square = values.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / count;
            let root = match self.quirk {
                Quirk::EpsOutsideRoot => square.sqrt() + eps,
                Quirk::None
                | Quirk::KvHeadsByTurns
                | Quirk::TurnedBackwards
                | Quirk::RampReversed
                | Quirk::DecayWithoutSoftplus
                | Quirk::RateNotSquashed
                | Quirk::KeysOfAnyLength
                | Quirk::ConvolutionLate
                | Quirk::StateLostBetweenChunks => (square + eps).sqrt(),
            };
            for (feature, value) in values.iter_mut().enumerate() {
                let at = own(row, feature);
                let weight = weights.as_ref().map_or(1.0, |weights| weights[at]);
                *value = ((*value - mean) / root * weight + bias(at)) * named.factor;
            }
        }
        Ok(out)
    }

    /// x Wᵀ + b.
    pub(crate) fn project(
        &self,
        layer: Option<usize>,
        role: Role,
        x: &Array2<f64>,
    ) -> Result<Array2<f64>, Error> {
        self.tensors.product(layer, role, x)
    }

    /// The plain MLP of a layer.
    pub(crate) fn dense(&self, index: usize, x: &Array2<f64>) -> Result<Array2<f64>, Error> {
        self.gated(index, [Role::Gate, Role::Up, Role::Down], x)
    }

    /// An MLP of these roles.
    pub(crate) fn gated(
        &self,
        index: usize,
        [gate, up, down]: [Role; 3],
        x: &Array2<f64>,
    ) -> Result<Array2<f64>, Error> {
        let mlp = &self.architecture.layers[index].mlp;
        let up = self.project(Some(index), up, x)?;
        let inner = match mlp.kind {
            MlpKind::Gated => {
                let gate = self.project(Some(index), gate, x)?;
                let meets = meeting(mlp)?;
                Array2::from_shape_fn(up.dim(), |at| meets(gate[at], up[at]))
            }
            MlpKind::Plain => up.mapv(activation(&name(&mlp.activation))?),
        };
        self.project(Some(index), down, &inner)
    }

    pub(crate) fn logits(&self, x: &Array2<f64>) -> Result<Array2<f64>, Error> {
        let output = &self.architecture.output;
        let role = if output.tie { Role::Embedding } else { Role::Output };
        let mut logits = if output.unit_rows {
            let mut weight = self.tensors.need(None, role)?.clone();
            for mut row in weight.outer_iter_mut() {
                let length = row.iter().map(|w| w * w).sum::<f64>().sqrt().max(1e-12);
                row.mapv_inplace(|w| w / length);
            }
            product(x, &weight)
        } else {
            self.tensors.weighed(None, role, x)?
        };
        let bias = self.tensors.bias(None, Role::Output);
        for (feature, mut column) in logits.axis_iter_mut(Axis(1)).enumerate() {
            column += bias(feature);
        }
        Ok(logits.mapv(|logit| capped(logit * output.scale, output.softcap)))
    }
}

/// How a gate and up meet: bounded, activated, shifted.
pub(crate) fn meeting(mlp: &Mlp) -> Result<impl Fn(f64, f64) -> f64, Error> {
    let act = activation(&name(&mlp.activation))?;
    let (alpha, limit, shift) = (mlp.alpha, mlp.limit.unwrap_or(f64::INFINITY), mlp.shift);
    Ok(move |gate: f64, up: f64| {
        let gate = gate.min(limit);
        let open = alpha.map_or_else(|| act(gate), |alpha| gate / (1.0 + (-alpha * gate).exp()));
        open * (up.max(-limit).min(limit) + shift)
    })
}

/// cap · tanh(x / cap).
pub(crate) fn capped(x: f64, cap: Option<f64>) -> f64 {
    cap.map_or(x, |cap| cap * (x / cap).tanh())
}

pub(super) fn activation(name: &str) -> Result<fn(f64) -> f64, Error> {
    fn sigmoid(x: f64) -> f64 {
        1.0 / (1.0 + (-x).exp())
    }
    Ok(match name {
        "silu" => |x| x * sigmoid(x),
        "gelu" => |x| 0.5 * x * (1.0 + libm::erf(x / 2f64.sqrt())),
        "gelu_pytorch_tanh" => {
            |x| 0.5 * x * (1.0 + ((2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x * x * x)).tanh())
        }
        "quick_gelu" => |x| x * sigmoid(1.702 * x),
        "relu" => |x| x.max(0.0),
        "relu2" => |x| x.max(0.0) * x.max(0.0),
        "sigmoid" => sigmoid,
        "tanh" => f64::tanh,
        other => return Err(wrong(format!("mlp.activation `{other}`"))),
    })
}

/// A closed choice by the name that declarations give it.
pub(crate) fn name(choice: &impl Serialize) -> String {
    match serde_json::to_value(choice) {
        Ok(serde_json::Value::String(name)) => name,
        other => format!("{other:?}"),
    }
}
