//! Named tensors → one matrix per role: packed rows taken apart by counting, as upstream's own code slices them.

use std::collections::HashMap;
use std::sync::Arc;

use camelid_checkpoint::{Checkpoint, Tensor};
use camelid_families::{Architecture, By, Lies, Named, Part, Role};
use ndarray::{Array2, Axis};

use super::memo::{Memo, product};
use crate::error::Error;

/// Layer, role, and of experts which.
type Key = (Option<usize>, Role, Option<usize>);
type Shared = Arc<Array2<f64>>;

/// Every tensor of a checkpoint, read once for all oracles over it: matrices as they are, a vector as one row.
#[derive(Debug, Default)]
pub(crate) struct Bank {
    all: HashMap<String, (Vec<usize>, Shared)>,
    memo: Arc<Memo>,
}

impl Bank {
    pub(crate) fn read(checkpoint: &Checkpoint) -> Result<Bank, Error> {
        Bank::chosen(checkpoint, &|_| true, &|_| None)
    }

    /// Only some tensors, by name, and of some of them only certain rows.
    pub(crate) fn chosen<'r>(
        checkpoint: &Checkpoint,
        keep: &dyn Fn(&str) -> bool,
        rows: &dyn Fn(&str) -> Option<&'r [usize]>,
    ) -> Result<Bank, Error> {
        let mut all = HashMap::new();
        for tensor in checkpoint.tensors().filter(|tensor| keep(tensor.name())) {
            let tensor = if tensor.dtype().is_quantised() { &tensor.dequantise()? } else { tensor };
            let mut shape = tensor.shape().to_vec();
            let cols = shape.last().copied().unwrap_or(1).max(1);
            let rows = rows(tensor.name()).filter(|_| shape.len() == 2);
            let values = match rows.and_then(|rows| parts(tensor, rows)) {
                Some(parts) => parts.iter().map(Tensor::to_f64).collect::<Result<Vec<_>, _>>()?.concat(),
                None => tensor.to_f64()?,
            };
            let table = Array2::from_shape_vec((values.len() / cols, cols), values);
            let mut table = table.map_err(|error| wrong(format!("tensor `{}`: {error}", tensor.name())))?;
            if let Some(rows) = rows {
                if table.nrows() > rows.len() {
                    table = table.select(Axis(0), rows);
                }
                shape[0] = rows.len();
            }
            all.insert(tensor.name().to_owned(), (shape, Arc::new(table)));
        }
        Ok(Bank { all, memo: Arc::default() })
    }
}

/// Rows of a matrix, unread; none where they do not lie in order.
fn parts(tensor: &Tensor, rows: &[usize]) -> Option<Vec<Tensor>> {
    rows.iter().map(|row| tensor.rows(*row..row + 1).ok()).collect()
}

/// Weights `[out, in]`, norms `[1, features]`, biases `[features, 1]`.
#[derive(Debug, Default)]
pub(crate) struct Tensors {
    weights: HashMap<Key, Shared>,
    biases: HashMap<Key, Shared>,
    memo: Arc<Memo>,
}

impl Tensors {
    /// Takes what an architecture names.
    pub(crate) fn of(architecture: &Architecture, bank: &Bank) -> Result<Tensors, Error> {
        for planned in architecture.plan().tensors {
            let shape = bank.all.get(&planned.name).map(|(shape, _)| shape);
            if !shape.is_some_and(|shape| planned.fits(shape)) {
                let message = format!("tensor `{}` is {shape:?}, not {:?}", planned.name, planned.shape);
                return Err(wrong(message));
            }
        }
        let mut all = Tensors { memo: bank.memo.clone(), ..Tensors::default() };
        let inside = architecture.layers.iter().enumerate();
        let inside = inside.flat_map(|(i, layer)| layer.tensors.iter().map(move |named| (Some(i), named)));
        for (layer, named) in inside.chain(architecture.tensors.iter().map(|named| (None, named))) {
            if architecture.output.tie && named.roles == [Role::Output] {
                continue;
            }
            if named.unit {
                continue;
            }
            let find = |part: Part, expert: Option<usize>| {
                let name = named.part(part, expert);
                let found = bank.all.get(&name).map(|(_, table)| table.clone());
                found.ok_or_else(|| wrong(format!("there is no tensor `{name}`")))
            };
            if named.roles[0].is_of_experts() {
                all.take_experts(architecture, layer, named, &find)?;
                continue;
            }
            let owners = owners(architecture, layer, named);
            let find = |part: Part, one: Option<usize>| {
                if !named.is_per_head() {
                    return find(part, one);
                }
                let parts: Vec<_> =
                    (0..owners.len()).map(|head| find(part, Some(head))).collect::<Result<_, _>>()?;
                let views: Vec<_> = parts.iter().map(|part| part.view()).collect();
                ndarray::concatenate(Axis(0), &views).map(Arc::new).map_err(|error| wrong(error.to_string()))
            };
            deal(&mut all.weights, (layer, None), named, &owners, find(Part::Weight, None)?)?;
            if named.bias {
                deal(
                    &mut all.biases,
                    (layer, None),
                    named,
                    &owners,
                    Arc::new(column(&*find(Part::Bias, None)?)),
                )?;
            }
        }
        Ok(all)
    }

    /// Cuts what is stacked, turns over what lies so, and deals gate and up out.
    fn take_experts(
        &mut self,
        architecture: &Architecture,
        layer: Option<usize>,
        named: &Named,
        find: &dyn Fn(Part, Option<usize>) -> Result<Shared, Error>,
    ) -> Result<(), Error> {
        let inside = layer.and_then(|layer| architecture.layers[layer].experts.as_ref());
        let count = inside.map_or(0, |experts| experts.count);
        let owners = match named.by {
            By::Turns => named.roles.repeat(architecture.shape(layer, named.roles[0], named.per)[0]),
            By::Rows | By::Group | By::Head => owners(architecture, layer, named),
        };
        for expert in 0..count {
            let own = |part: Part| -> Result<Array2<f64>, Error> {
                if named.is_per_expert() {
                    return Ok(find(part, Some(expert))?.as_ref().clone());
                }
                let all = find(part, None)?;
                let rows = all.nrows() / count;
                Ok(all.select(Axis(0), &(expert * rows..(expert + 1) * rows).collect::<Vec<_>>()))
            };
            let weight = match named.lies {
                Lies::OutIn => own(Part::Weight)?,
                Lies::InOut => own(Part::Weight)?.reversed_axes(),
            };
            deal(&mut self.weights, (layer, Some(expert)), named, &owners, Arc::new(weight))?;
            if named.bias {
                deal(
                    &mut self.biases,
                    (layer, Some(expert)),
                    named,
                    &owners,
                    Arc::new(column(&own(Part::Bias)?)),
                )?;
            }
        }
        Ok(())
    }

    pub(crate) fn get(&self, layer: Option<usize>, role: Role) -> Option<&Array2<f64>> {
        self.weights.get(&(layer, role, None)).map(AsRef::as_ref)
    }

    /// An expert's matrix, and its bias for one result.
    pub(crate) fn of_expert(
        &self,
        layer: usize,
        role: Role,
        expert: usize,
    ) -> Result<(&Array2<f64>, impl Fn(usize) -> f64 + '_), Error> {
        let key = (Some(layer), role, Some(expert));
        let weight =
            self.weights.get(&key).ok_or_else(|| wrong(format!("no tensor plays the role `{role}`")))?;
        let bias = self.biases.get(&key);
        Ok((weight, move |result: usize| bias.map_or(0.0, |bias| bias[[result, 0]])))
    }

    /// x Wᵀ + b of a role.
    pub(crate) fn product(
        &self,
        layer: Option<usize>,
        role: Role,
        x: &Array2<f64>,
    ) -> Result<Array2<f64>, Error> {
        let mut out = self.weighed(layer, role, x)?;
        if let Some(bias) = self.biases.get(&(layer, role, None)) {
            out.outer_iter_mut().for_each(|mut row| row += &bias.column(0));
        }
        Ok(out)
    }

    /// x Wᵀ of a role.
    pub(crate) fn weighed(
        &self,
        layer: Option<usize>,
        role: Role,
        x: &Array2<f64>,
    ) -> Result<Array2<f64>, Error> {
        let weight = self.weights.get(&(layer, role, None));
        let weight = weight.ok_or_else(|| wrong(format!("no tensor plays the role `{role}`")))?;
        // What the bank holds too stays where it is; what was taken out of a packed tensor goes with this oracle.
        let is_kept = Arc::strong_count(weight) > 1;
        Ok(if is_kept { self.memo.product(x, weight) } else { product(x, weight) })
    }

    pub(crate) fn need(&self, layer: Option<usize>, role: Role) -> Result<&Array2<f64>, Error> {
        self.get(layer, role).ok_or_else(|| wrong(format!("no tensor plays the role `{role}`")))
    }

    /// A role's bias for one feature; 0 where it has none.
    pub(crate) fn bias(&self, layer: Option<usize>, role: Role) -> impl Fn(usize) -> f64 + '_ {
        let bias = self.biases.get(&(layer, role, None));
        move |feature| bias.map_or(0.0, |bias| bias[[feature, 0]])
    }
}

/// Which role owns each row of a packed tensor: dealt out once, or once for each kv head.
fn owners(architecture: &Architecture, layer: Option<usize>, named: &Named) -> Vec<Role> {
    let groups = match (named.by, layer) {
        (By::Group, Some(layer)) => match &architecture.layers[layer].delta {
            Some(delta) if named.roles[0].is_of_delta() => delta.key_heads,
            Some(_) | None => architecture.layers[layer].attention.kv_heads,
        },
        (By::Head, Some(layer)) => architecture.layers[layer].attention.heads,
        (By::Group | By::Head, None) | (By::Rows | By::Turns, _) => 1,
    };
    let round = named.roles.iter().flat_map(|role| {
        let rows = architecture.shape(layer, *role, named.per)[0];
        std::iter::repeat_n(*role, rows / groups)
    });
    let round: Vec<Role> = round.collect();
    round.repeat(groups)
}

/// The numbers of a bias, one under another.
fn column(rows: &Array2<f64>) -> Array2<f64> {
    Array2::from_shape_fn((rows.len(), 1), |(at, _)| rows[[at / rows.ncols(), at % rows.ncols()]])
}

fn deal(
    to: &mut HashMap<Key, Shared>,
    (layer, expert): (Option<usize>, Option<usize>),
    named: &Named,
    owners: &[Role],
    whole: Shared,
) -> Result<(), Error> {
    if let [role] = named.roles[..] {
        to.insert((layer, role, expert), whole);
        return Ok(());
    }
    if owners.len() != whole.nrows() {
        return Err(wrong(format!("`{}` has {} rows, not {}", named.name, whole.nrows(), owners.len())));
    }
    for role in &named.roles {
        let own: Vec<usize> = (0..owners.len()).filter(|row| owners[*row] == *role).collect();
        to.insert((layer, *role, expert), Arc::new(whole.select(Axis(0), &own)));
    }
    Ok(())
}

pub(crate) fn wrong(message: String) -> Error {
    Error::Oracle(message)
}
