//! Checkpoint tensors → what each role holds: packed layouts taken apart, rows left in the mapped file.

use std::ops::Range;

use camelid_checkpoint::{Checkpoint, Tensor};

use crate::composed::loaded::experts::ExpertTensor;
use crate::composed::loaded::held::{Held, Inside, Outside};
use crate::composed::loaded::stored::{matrix, missing};
use crate::error::{Error, Problem};
use crate::waist::architecture::Architecture;
use crate::waist::kinds::Kind;
use crate::waist::named::By;
use crate::waist::plan::{Part, Planned};
use crate::waist::roles::Role;

/// What a model's tensors come to, role by role.
#[derive(Debug, Default)]
pub(crate) struct Weights {
    pub(crate) outside: Outside,
    pub(crate) layers: Vec<Inside>,
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
        weights.layers.resize_with(architecture.layers.len(), Inside::default);
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
        if planned.roles[0].is_of_experts() {
            let layer = planned.layer.and_then(|layer| self.layers.get_mut(layer));
            let layer = layer.ok_or_else(|| missing(planned.roles[0]))?;
            layer.mlp.experts.push(ExpertTensor::read(planned, tensor)?);
            return Ok(());
        }
        let runs = runs(architecture, planned);
        let is_matrix =
            planned.part == Part::Weight && planned.roles.iter().all(|r| r.kind() == Kind::Matrix);
        if is_matrix {
            let whole = matrix(tensor, &planned.shape)?;
            for (role, runs) in runs {
                let part = match runs.as_slice() {
                    [run] if *run == (0..whole.rows()) => whole.clone(),
                    [run] => whole.slice_rows(run.clone()),
                    many => whole.gather_rows(many),
                };
                self.held(planned.layer, role)?.matrix = Some(part);
            }
            return Ok(());
        }
        let values = tensor.to_f32()?;
        let row = values.len() / planned.shape[0];
        for (role, runs) in runs {
            let part = runs.iter().flat_map(|run| &values[run.start * row..run.end * row]).copied();
            let held = self.held(planned.layer, role)?;
            match planned.part {
                // Tensors of one head each arrive in the order of the heads.
                Part::Weight => held.vector.get_or_insert_default().extend(part),
                Part::Bias => held.bias.get_or_insert_default().extend(part),
            }
        }
        Ok(())
    }

    fn held(&mut self, layer: Option<usize>, role: Role) -> Result<&mut Held, Error> {
        let Weights { outside, layers } = self;
        let Some(layer) = layer else { return outside.held(role).ok_or_else(|| missing(role)) };
        let inside = layers.get_mut(layer).and_then(|inside| inside.held(role));
        inside.ok_or_else(|| missing(role))
    }
}

/// Which rows of a tensor belong to each of its roles.
pub(crate) fn runs(architecture: &Architecture, planned: &Planned) -> Vec<(Role, Vec<Range<usize>>)> {
    // What experts pack or stack is taken apart by `experts`; elsewhere such a tensor is passed on whole.
    if planned.roles[0].is_of_experts() {
        return vec![(planned.roles[0], vec![0..planned.shape[0]])];
    }
    let rows = |role: Role| match planned.roles.as_slice() {
        [_] => planned.shape[0],
        _ => architecture.shape(planned.layer, role, Default::default())[0],
    };
    let groups = match (planned.by, planned.layer.and_then(|layer| architecture.layers.get(layer))) {
        (By::Group, Some(layer)) => match &layer.delta {
            Some(delta) if planned.roles[0].is_of_delta() => delta.key_heads,
            Some(_) | None => layer.attention.kv_heads,
        },
        (By::Head, Some(layer)) => layer.attention.heads,
        (By::Group | By::Head, None) | (By::Rows | By::Turns, _) => 1,
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
