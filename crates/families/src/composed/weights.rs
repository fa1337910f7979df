//! Checkpoint tensors → one weight or vector per role: packed layouts taken apart, rows left in the mapped file.

use std::collections::HashMap;
use std::ops::Range;

use camelid_checkpoint::{Checkpoint, Dtype, Tensor};
use camelid_linear::Weight;

use crate::error::{Error, Problem};
use crate::waist::architecture::{Architecture, By};
use crate::waist::plan::Planned;
use crate::waist::roles::Role;

/// The weights and biases of a model, by layer and role.
#[derive(Debug, Default)]
pub(crate) struct Weights {
    matrices: HashMap<(Option<usize>, Role), Weight>,
    vectors: HashMap<(Option<usize>, Role), Vec<f32>>,
    biases: HashMap<(Option<usize>, Role), Vec<f32>>,
}

impl Weights {
    /// Reads every planned tensor; `progress` hears how many of how many are read.
    pub(crate) fn read(
        architecture: &Architecture,
        planned: &[Planned],
        checkpoint: &Checkpoint,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Weights, Error> {
        let mut weights = Weights::default();
        for (index, planned) in planned.iter().enumerate() {
            let tensor = checkpoint.tensor(&planned.name).ok_or_else(|| {
                let problem =
                    Problem::MissingTensor { name: planned.name.clone(), shape: Some(planned.shape.clone()) };
                Error::Input(problem.to_string())
            })?;
            weights.take(architecture, planned, tensor)?;
            progress(index + 1, architecture.layers.len());
        }
        Ok(weights)
    }

    fn take(&mut self, architecture: &Architecture, planned: &Planned, tensor: &Tensor) -> Result<(), Error> {
        let key = |role: Role| (planned.layer, role);
        let runs = runs(architecture, planned);
        if planned.name.ends_with(".bias") || planned.roles.iter().any(|role| role.is_norm()) {
            let values = tensor.to_f32()?;
            let table = if planned.name.ends_with(".bias") { &mut self.biases } else { &mut self.vectors };
            let row = values.len() / planned.shape[0];
            for (role, runs) in runs {
                // Tensors of one head each arrive in the order of the heads.
                let part = runs.iter().flat_map(|run| &values[run.start * row..run.end * row]).copied();
                table.entry(key(role)).or_default().extend(part);
            }
            return Ok(());
        }
        let whole = matrix(tensor, &planned.shape)?;
        for (role, runs) in runs {
            let part = match runs.as_slice() {
                [run] if *run == (0..whole.rows()) => whole.clone(),
                [run] => whole.slice_rows(run.clone()),
                many => whole.gather_rows(many),
            };
            self.matrices.insert(key(role), part);
        }
        Ok(())
    }

    /// The matrix of a role. It is in the plan, so it is here.
    pub(crate) fn matrix(&mut self, layer: Option<usize>, role: Role) -> Result<Weight, Error> {
        self.matrices
            .remove(&(layer, role))
            .ok_or_else(|| Error::Input(format!("no tensor plays the role `{role}`")))
    }

    /// The weight of a norm, where one is named.
    pub(crate) fn vector(&mut self, layer: Option<usize>, role: Role) -> Option<Vec<f32>> {
        self.vectors.remove(&(layer, role))
    }

    /// The bias of a role, where it has one.
    pub(crate) fn bias(&mut self, layer: Option<usize>, role: Role) -> Option<Vec<f32>> {
        self.biases.remove(&(layer, role))
    }
}

/// A matrix over the tensor's own bytes; a quantised one is widened to f32 first.
pub(crate) fn matrix(tensor: &Tensor, shape: &[usize]) -> Result<Weight, Error> {
    let misfit = |message: String| Error::Input(format!("tensor `{}`: {message}", tensor.name()));
    if tensor.dtype().is_quantised() {
        return matrix(&tensor.dequantise()?, shape);
    }
    let dtype = match tensor.dtype() {
        Dtype::F32 => camelid_linear::Dtype::F32,
        Dtype::F16 => camelid_linear::Dtype::F16,
        Dtype::Bf16 => camelid_linear::Dtype::Bf16,
        other => return Err(misfit(format!("it is stored as {other}, which is no type of weights"))),
    };
    Weight::new(tensor.bytes()?, dtype, shape[0], shape[1]).map_err(|error| misfit(error.to_string()))
}

/// Which rows of a tensor belong to each of its roles.
pub(crate) fn runs(architecture: &Architecture, planned: &Planned) -> Vec<(Role, Vec<Range<usize>>)> {
    let rows = |role: Role| match planned.roles.as_slice() {
        [_] => planned.shape[0],
        _ => architecture.shape(planned.layer, role, Default::default())[0],
    };
    let groups = match (planned.by, planned.layer.and_then(|layer| architecture.layers.get(layer))) {
        (By::Group, Some(layer)) => layer.attention.kv_heads,
        (By::Group, None) | (By::Rows, _) => 1,
    };
    let mut out: Vec<(Role, Vec<Range<usize>>)> =
        planned.roles.iter().map(|role| (*role, Vec::new())).collect();
    let mut start = 0;
    for _ in 0..groups {
        for (role, runs) in &mut out {
            let end = start + rows(*role) / groups;
            runs.push(start..end);
            start = end;
        }
    }
    out
}
