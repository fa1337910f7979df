//! Named tensors → one matrix per role: packed rows taken apart by counting, as upstream's own code slices them.

use std::collections::HashMap;

use camelid_checkpoint::Checkpoint;
use camelid_families::{Architecture, By, Named, Role};
use ndarray::{Array2, ArrayView2};

use crate::error::Error;

type Key = (Option<usize>, Role);

/// Weights `[out, in]`, norms and biases `[1, features]`.
#[derive(Debug, Default)]
pub(crate) struct Tensors {
    weights: HashMap<Key, Array2<f64>>,
    biases: HashMap<Key, Array2<f64>>,
}

impl Tensors {
    pub(crate) fn read(architecture: &Architecture, checkpoint: &Checkpoint) -> Result<Tensors, Error> {
        for planned in architecture.plan().tensors {
            let shape = checkpoint.tensor(&planned.name).map(|tensor| tensor.shape().to_vec());
            if shape.as_deref() != Some(&planned.shape) {
                return Err(wrong(format!(
                    "tensor `{}` is {shape:?}, not {:?}",
                    planned.name, planned.shape
                )));
            }
        }
        let mut all = Tensors::default();
        let inside = architecture.layers.iter().enumerate();
        let inside = inside.flat_map(|(i, layer)| layer.tensors.iter().map(move |named| (Some(i), named)));
        for (layer, named) in inside.chain(architecture.tensors.iter().map(|named| (None, named))) {
            if architecture.output.tie && named.roles == [Role::Output] {
                continue;
            }
            let rows = |role: Role| rows(architecture, layer, role);
            let weight = load(checkpoint, &format!("{}.weight", named.name))?;
            split(&mut all.weights, layer, named, groups(architecture, layer, named), weight.view(), &rows)?;
            if named.bias {
                let bias = load(checkpoint, &format!("{}.bias", named.name))?;
                let is_norm = named.roles.iter().any(|role| role.is_norm());
                let bias = if is_norm { bias } else { bias.reversed_axes() }; // a column: one number for each row
                let groups = groups(architecture, layer, named);
                split(&mut all.biases, layer, named, groups, bias.view(), &rows)?;
            }
        }
        Ok(all)
    }

    pub(crate) fn get(&self, layer: Option<usize>, role: Role) -> Option<&Array2<f64>> {
        self.weights.get(&(layer, role))
    }

    pub(crate) fn need(&self, layer: Option<usize>, role: Role) -> Result<&Array2<f64>, Error> {
        self.get(layer, role).ok_or_else(|| wrong(format!("no tensor plays the role `{role}`")))
    }

    pub(crate) fn bias(&self, layer: Option<usize>, role: Role) -> Option<&Array2<f64>> {
        self.biases.get(&(layer, role))
    }
}

/// How many rows of a packed tensor belong to a role; of one that stands alone, all.
fn rows(architecture: &Architecture, layer: Option<usize>, role: Role) -> usize {
    let Some(layer) = layer.map(|layer| &architecture.layers[layer]) else {
        return architecture.embedding.vocab;
    };
    let attention = &layer.attention;
    match role {
        Role::Query => attention.heads * attention.head_dim,
        Role::Key | Role::Value => attention.kv_heads * attention.head_dim,
        Role::Gate | Role::Up => layer.mlp.width,
        Role::Embedding
        | Role::AttentionNorm
        | Role::QueryNorm
        | Role::KeyNorm
        | Role::AttentionOutput
        | Role::AttentionOutputNorm
        | Role::MlpNorm
        | Role::Down
        | Role::MlpOutputNorm
        | Role::FinalNorm
        | Role::Output => architecture.embedding.width,
    }
}

fn groups(architecture: &Architecture, layer: Option<usize>, named: &Named) -> usize {
    match (named.by, layer) {
        (By::Group, Some(layer)) => architecture.layers[layer].attention.kv_heads,
        (By::Group, None) | (By::Rows, _) => 1,
    }
}

/// Deals the rows out: `groups` times round the roles.
fn split(
    to: &mut HashMap<Key, Array2<f64>>,
    layer: Option<usize>,
    named: &Named,
    groups: usize,
    whole: ArrayView2<'_, f64>,
    rows: &dyn Fn(Role) -> usize,
) -> Result<(), Error> {
    if let [role] = named.roles[..] {
        to.insert((layer, role), whole.to_owned());
        return Ok(());
    }
    let mut owners: Vec<Role> = Vec::new();
    for _ in 0..groups {
        for role in &named.roles {
            owners.extend(std::iter::repeat_n(*role, rows(*role) / groups));
        }
    }
    if owners.len() != whole.nrows() {
        return Err(wrong(format!("`{}` has {} rows, not {}", named.name, whole.nrows(), owners.len())));
    }
    for role in &named.roles {
        let own: Vec<usize> = (0..owners.len()).filter(|row| owners[*row] == *role).collect();
        let part = Array2::from_shape_fn((own.len(), whole.ncols()), |(row, col)| whole[[own[row], col]]);
        to.insert((layer, *role), part);
    }
    Ok(())
}

/// A vector is one row.
fn load(checkpoint: &Checkpoint, name: &str) -> Result<Array2<f64>, Error> {
    let tensor = checkpoint.tensor(name).ok_or_else(|| wrong(format!("there is no tensor `{name}`")))?;
    let values = tensor.to_f64()?;
    let cols = tensor.shape().last().copied().unwrap_or(1).max(1);
    let shape = (values.len() / cols, cols);
    Array2::from_shape_vec(shape, values).map_err(|error| wrong(format!("tensor `{name}`: {error}")))
}

pub(crate) fn wrong(message: String) -> Error {
    Error::Oracle(message)
}
