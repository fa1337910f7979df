//! Named tensors → one matrix per role: packed rows taken apart by counting, as upstream's own code slices them.

use std::collections::HashMap;
use std::sync::Arc;

use camelid_checkpoint::Checkpoint;
use camelid_families::{Architecture, By, Named, Role};
use ndarray::{Array2, Axis};

use crate::error::Error;

type Key = (Option<usize>, Role);
type Shared = Arc<Array2<f64>>;

/// Every tensor of a checkpoint, read once for all oracles over it: matrices as they are, a vector as one row.
#[derive(Debug)]
pub(crate) struct Bank(HashMap<String, (Vec<usize>, Shared)>);

impl Bank {
    pub(crate) fn read(checkpoint: &Checkpoint) -> Result<Bank, Error> {
        let mut all = HashMap::new();
        for tensor in checkpoint.tensors() {
            let cols = tensor.shape().last().copied().unwrap_or(1).max(1);
            let values = tensor.to_f64()?;
            let table = Array2::from_shape_vec((values.len() / cols, cols), values);
            let table = table.map_err(|error| wrong(format!("tensor `{}`: {error}", tensor.name())))?;
            all.insert(tensor.name().to_owned(), (tensor.shape().to_vec(), Arc::new(table)));
        }
        Ok(Bank(all))
    }
}

/// Weights `[out, in]`, norms `[1, features]`, biases `[features, 1]`.
#[derive(Debug, Default)]
pub(crate) struct Tensors {
    weights: HashMap<Key, Shared>,
    biases: HashMap<Key, Shared>,
}

impl Tensors {
    /// Takes what an architecture names.
    pub(crate) fn of(architecture: &Architecture, bank: &Bank) -> Result<Tensors, Error> {
        for planned in architecture.plan().tensors {
            let shape = bank.0.get(&planned.name).map(|(shape, _)| shape);
            if shape != Some(&planned.shape) {
                let message = format!("tensor `{}` is {shape:?}, not {:?}", planned.name, planned.shape);
                return Err(wrong(message));
            }
        }
        let mut all = Tensors::default();
        let inside = architecture.layers.iter().enumerate();
        let inside = inside.flat_map(|(i, layer)| layer.tensors.iter().map(move |named| (Some(i), named)));
        for (layer, named) in inside.chain(architecture.tensors.iter().map(|named| (None, named))) {
            if architecture.output.tie && named.roles == [Role::Output] {
                continue;
            }
            let owners = owners(architecture, layer, named);
            let find = |suffix: &str| {
                let heads = if named.by_head() { owners.len() } else { 1 };
                let parts = (0..heads).map(|head| {
                    let name = format!("{}.{suffix}", named.name.replace("{head}", &head.to_string()));
                    let found = bank.0.get(&name).map(|(_, table)| table.clone());
                    found.ok_or_else(|| wrong(format!("there is no tensor `{name}`")))
                });
                stack(parts.collect::<Result<Vec<_>, _>>()?)
            };
            deal(&mut all.weights, layer, named, &owners, find("weight")?)?;
            if named.bias {
                let row = find("bias")?;
                let column = Array2::from_shape_fn((row.len(), 1), |(at, _)| {
                    row[[at / row.ncols(), at % row.ncols()]]
                });
                deal(&mut all.biases, layer, named, &owners, Arc::new(column))?;
            }
        }
        Ok(all)
    }

    pub(crate) fn get(&self, layer: Option<usize>, role: Role) -> Option<&Array2<f64>> {
        self.weights.get(&(layer, role)).map(AsRef::as_ref)
    }

    pub(crate) fn need(&self, layer: Option<usize>, role: Role) -> Result<&Array2<f64>, Error> {
        self.get(layer, role).ok_or_else(|| wrong(format!("no tensor plays the role `{role}`")))
    }

    /// A role's bias for one feature; 0 where it has none.
    pub(crate) fn bias(&self, layer: Option<usize>, role: Role) -> impl Fn(usize) -> f64 + '_ {
        let bias = self.biases.get(&(layer, role));
        move |feature| bias.map_or(0.0, |bias| bias[[feature, 0]])
    }
}

/// One table, or those of all heads under one another.
fn stack(parts: Vec<Shared>) -> Result<Shared, Error> {
    if let [whole] = parts.as_slice() {
        return Ok(whole.clone());
    }
    let views: Vec<_> = parts.iter().map(|part| part.view()).collect();
    ndarray::concatenate(Axis(0), &views).map(Arc::new).map_err(|error| wrong(error.to_string()))
}

/// Which role owns each row of a packed tensor: dealt out once, or once for each kv head.
fn owners(architecture: &Architecture, layer: Option<usize>, named: &Named) -> Vec<Role> {
    let groups = match (named.by, layer) {
        (By::Group, Some(layer)) => architecture.layers[layer].attention.kv_heads,
        (By::Group, None) | (By::Rows, _) => 1,
    };
    let round = named.roles.iter().flat_map(|role| {
        let rows = architecture.shape(layer, *role, named.per)[0];
        std::iter::repeat_n(*role, rows / groups)
    });
    let round: Vec<Role> = round.collect();
    round.repeat(groups)
}

fn deal(
    to: &mut HashMap<Key, Shared>,
    layer: Option<usize>,
    named: &Named,
    owners: &[Role],
    whole: Shared,
) -> Result<(), Error> {
    if let [role] = named.roles[..] {
        to.insert((layer, role), whole);
        return Ok(());
    }
    if owners.len() != whole.nrows() {
        return Err(wrong(format!("`{}` has {} rows, not {}", named.name, whole.nrows(), owners.len())));
    }
    for role in &named.roles {
        let own: Vec<usize> = (0..owners.len()).filter(|row| owners[*row] == *role).collect();
        to.insert((layer, *role), Arc::new(whole.select(Axis(0), &own)));
    }
    Ok(())
}

pub(crate) fn wrong(message: String) -> Error {
    Error::Oracle(message)
}
