//! Checkpoint tensors → what each role holds: packed layouts taken apart, rows left in the mapped file.

use std::ops::Range;

use camelid_checkpoint::{Checkpoint, Dtype, Tensor};
use camelid_linear::{Blocks, Linear, Weight};

use crate::error::{Error, Problem};
use crate::waist::architecture::{Architecture, By};
use crate::waist::plan::{Part, Planned};
use crate::waist::roles::{Kind, Role};

/// What a model's tensors come to, role by role.
///
/// Each role has a field. Whoever composes takes these structs apart, so that a role that nothing computes with does not
/// compile.
#[derive(Debug, Default)]
pub(crate) struct Weights {
    pub(crate) outside: Outside,
    pub(crate) layers: Vec<Inside>,
}

/// The roles outside the layers.
#[derive(Debug, Default)]
pub(crate) struct Outside {
    pub(crate) embedding: Held,
    pub(crate) final_norm: Held,
    pub(crate) output: Held,
}

/// The roles of one layer.
#[derive(Debug, Default)]
pub(crate) struct Inside {
    pub(crate) attention_norm: Held,
    pub(crate) query: Held,
    pub(crate) key: Held,
    pub(crate) value: Held,
    pub(crate) query_norm: Held,
    pub(crate) key_norm: Held,
    pub(crate) attention_output: Held,
    pub(crate) attention_output_norm: Held,
    pub(crate) mlp_norm: Held,
    pub(crate) gate: Held,
    pub(crate) up: Held,
    pub(crate) down: Held,
    pub(crate) mlp_output_norm: Held,
    pub(crate) layer_scale: Held,
}

/// What one role holds: a matrix or a vector, as its kind says; nothing where no tensor is named.
#[derive(Debug, Default)]
pub(crate) struct Held {
    matrix: Option<Weight>,
    vector: Option<Vec<f32>>,
    bias: Option<Vec<f32>>,
}

impl Held {
    /// The matrix, where one is named.
    pub(crate) fn matrix(&self) -> Option<&Weight> {
        self.matrix.as_ref()
    }

    /// The projection that the role is.
    pub(crate) fn linear(self, role: Role) -> Result<Linear, Error> {
        let weight = self.matrix.ok_or_else(|| missing(role))?;
        Ok(Linear { weight, bias: self.bias })
    }

    /// The vector with its bias, where one is named.
    pub(crate) fn vector(self) -> Option<(Vec<f32>, Option<Vec<f32>>)> {
        Some((self.vector?, self.bias))
    }

    /// The one number, where one is named.
    pub(crate) fn number(self) -> Option<f32> {
        self.vector?.first().copied()
    }

    /// The bias alone, of a projection whose matrix is another's.
    pub(crate) fn bias(self) -> Option<Vec<f32>> {
        self.bias
    }
}

/// A role that the model can't do without and that no tensor plays.
pub(crate) fn missing(role: Role) -> Error {
    Error::Input(format!("no tensor plays the role `{role}`"))
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
            let part = runs.iter().flat_map(|run| &values[run.start * row..run.end * row]).copied().collect();
            let held = self.held(planned.layer, role)?;
            match planned.part {
                Part::Weight => held.vector = Some(part),
                Part::Bias => held.bias = Some(part),
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

impl Outside {
    fn held(&mut self, role: Role) -> Option<&mut Held> {
        match role {
            Role::Embedding => Some(&mut self.embedding),
            Role::FinalNorm => Some(&mut self.final_norm),
            Role::Output => Some(&mut self.output),
            Role::AttentionNorm
            | Role::Query
            | Role::Key
            | Role::Value
            | Role::QueryNorm
            | Role::KeyNorm
            | Role::AttentionOutput
            | Role::AttentionOutputNorm
            | Role::MlpNorm
            | Role::Gate
            | Role::Up
            | Role::Down
            | Role::MlpOutputNorm
            | Role::LayerScale => None,
        }
    }
}

impl Inside {
    fn held(&mut self, role: Role) -> Option<&mut Held> {
        match role {
            Role::AttentionNorm => Some(&mut self.attention_norm),
            Role::Query => Some(&mut self.query),
            Role::Key => Some(&mut self.key),
            Role::Value => Some(&mut self.value),
            Role::QueryNorm => Some(&mut self.query_norm),
            Role::KeyNorm => Some(&mut self.key_norm),
            Role::AttentionOutput => Some(&mut self.attention_output),
            Role::AttentionOutputNorm => Some(&mut self.attention_output_norm),
            Role::MlpNorm => Some(&mut self.mlp_norm),
            Role::Gate => Some(&mut self.gate),
            Role::Up => Some(&mut self.up),
            Role::Down => Some(&mut self.down),
            Role::MlpOutputNorm => Some(&mut self.mlp_output_norm),
            Role::LayerScale => Some(&mut self.layer_scale),
            Role::Embedding | Role::FinalNorm | Role::Output => None,
        }
    }
}

/// A matrix over the tensor's own bytes, quantised blocks as they lie; of a type without a kernel it is widened to f32 first.
pub(crate) fn matrix(tensor: &Tensor, shape: &[usize]) -> Result<Weight, Error> {
    let misfit = |message: String| Error::Input(format!("tensor `{}`: {message}", tensor.name()));
    let Some(dtype) = computed_as(tensor.dtype()) else {
        if tensor.dtype().is_quantised() {
            return matrix(&tensor.dequantise()?, shape);
        }
        return Err(misfit(format!("it is stored as {}, which is no type of weights", tensor.dtype())));
    };
    Weight::new(tensor.bytes()?, dtype, shape[0], shape[1]).map_err(|error| misfit(error.to_string()))
}

/// The type in which products take a stored type as it is.
fn computed_as(dtype: Dtype) -> Option<camelid_linear::Dtype> {
    let blocks = |blocks| Some(camelid_linear::Dtype::Blocks(blocks));
    match dtype {
        Dtype::F32 => Some(camelid_linear::Dtype::F32),
        Dtype::F16 => Some(camelid_linear::Dtype::F16),
        Dtype::Bf16 => Some(camelid_linear::Dtype::Bf16),
        Dtype::Q4_0 => blocks(Blocks::Q4_0),
        Dtype::Q4_1 => blocks(Blocks::Q4_1),
        Dtype::Q5_0 => blocks(Blocks::Q5_0),
        Dtype::Q5_1 => blocks(Blocks::Q5_1),
        Dtype::Q8_0 => blocks(Blocks::Q8_0),
        Dtype::Q4K => blocks(Blocks::Q4K),
        Dtype::Q5K => blocks(Blocks::Q5K),
        Dtype::Q6K => blocks(Blocks::Q6K),
        Dtype::F64 | Dtype::I64 | Dtype::I32 | Dtype::I16 | Dtype::I8 => None,
        Dtype::U64 | Dtype::U32 | Dtype::U16 | Dtype::U8 | Dtype::Bool => None,
    }
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
