//! Norms, projections, the MLP and the head.

use camelid_families::{MlpKind, Role};
use ndarray::Array2;
use serde::Serialize;

use super::tensors::wrong;
use super::{Oracle, Quirk};
use crate::error::Error;

impl Oracle<'_> {
    /// x̂ · (offset + w) + bias along each row; the identity where no tensor is named.
    pub(crate) fn norm(
        &self,
        layer: Option<usize>,
        role: Role,
        x: &Array2<f64>,
    ) -> Result<Array2<f64>, Error> {
        let Some(weight) = self.tensors.get(layer, role) else { return Ok(x.clone()) };
        let bias = self.tensors.bias(layer, role);
        self.norm_rows(x, |_, feature| (weight[[0, feature]], bias(feature)))
    }

    /// The same with the weight and bias of each row and feature given.
    pub(crate) fn norm_rows(
        &self,
        x: &Array2<f64>,
        of: impl Fn(usize, usize) -> (f64, f64),
    ) -> Result<Array2<f64>, Error> {
        let norm = &self.architecture.norm;
        let kind = name(&norm.kind);
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
                Quirk::EpsOutsideRoot => square.sqrt() + norm.eps,
                Quirk::None | Quirk::KvHeadsByTurns | Quirk::TurnedBackwards => (square + norm.eps).sqrt(),
            };
            for (feature, value) in values.iter_mut().enumerate() {
                let (weight, bias) = of(row, feature);
                *value = (*value - mean) / root * (norm.offset + weight) + bias;
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
        let weight = self.tensors.need(layer, role)?;
        let bias = self.tensors.bias(layer, role);
        Ok(product(x, weight, bias))
    }

    pub(crate) fn mlp(&self, index: usize, x: &Array2<f64>) -> Result<Array2<f64>, Error> {
        let mlp = &self.architecture.layers[index].mlp;
        let act = activation(&name(&mlp.activation))?;
        let up = self.project(Some(index), Role::Up, x)?;
        let inner = match mlp.kind {
            MlpKind::Gated => self.project(Some(index), Role::Gate, x)?.mapv(act) * up,
            MlpKind::Plain => up.mapv(act),
        };
        self.project(Some(index), Role::Down, &inner)
    }

    pub(crate) fn logits(&self, x: &Array2<f64>) -> Result<Array2<f64>, Error> {
        let output = &self.architecture.output;
        let role = if output.tie { Role::Embedding } else { Role::Output };
        let mut weight = self.tensors.need(None, role)?.clone();
        if output.unit_rows {
            for mut row in weight.outer_iter_mut() {
                let length = row.iter().map(|w| w * w).sum::<f64>().sqrt().max(1e-12);
                row.mapv_inplace(|w| w / length);
            }
        }
        let bias = self.tensors.bias(None, Role::Output);
        let logits = product(x, &weight, bias);
        Ok(logits.mapv(|logit| capped(logit * output.scale, output.softcap)))
    }
}

/// cap · tanh(x / cap).
pub(crate) fn capped(x: f64, cap: Option<f64>) -> f64 {
    cap.map_or(x, |cap| cap * (x / cap).tanh())
}

fn product(x: &Array2<f64>, weight: &Array2<f64>, bias: impl Fn(usize) -> f64) -> Array2<f64> {
    let mut out = Array2::zeros((x.nrows(), weight.nrows()));
    for (token, x) in x.outer_iter().enumerate() {
        for (row, weight) in weight.outer_iter().enumerate() {
            let terms = x.iter().zip(weight.iter());
            out[[token, row]] = terms.map(|(x, w)| x * w).sum::<f64>() + bias(row);
        }
    }
    out
}

fn activation(name: &str) -> Result<fn(f64) -> f64, Error> {
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
