//! The tensors of a model, layers that are alike said once.

use camelid_checkpoint::Checkpoint;
use camelid_families::{Architecture, Planned, Role};

use crate::commands::output::style::{bold, dim};
use crate::commands::output::values::thousands;

/// Consecutive layers whose tensors and words are alike.
struct Run<'a> {
    first: usize,
    last: usize,
    tensors: Vec<&'a Planned>,
}

/// A tensor's name with its layer's number taken out.
fn stem(planned: &Planned, layer: usize) -> String {
    planned.name.replacen(&format!(".{layer}."), ".{layer}.", 1)
}

fn runs<'a>(architecture: &Architecture, tensors: &'a [Planned]) -> Vec<Run<'a>> {
    let mut runs: Vec<Run<'a>> = Vec::new();
    for layer in 0..architecture.layers.len() {
        let own: Vec<&Planned> = tensors.iter().filter(|planned| planned.layer == Some(layer)).collect();
        let alike = |run: &Run<'_>| {
            run.tensors.len() == own.len()
                && run.tensors.iter().zip(&own).all(|(a, b)| {
                    stem(a, run.first) == stem(b, layer) && a.shape == b.shape && a.roles == b.roles
                })
        };
        match runs.last_mut() {
            Some(run) if alike(run) => run.last = layer,
            _ => runs.push(Run { first: layer, last: layer, tensors: own }),
        }
    }
    runs
}

fn parameters(tensors: &[&Planned]) -> u64 {
    tensors.iter().map(|planned| planned.shape.iter().map(|d| *d as u64).product::<u64>()).sum()
}

/// The tensors with their shapes.
pub(super) fn plain(architecture: &Architecture, checkpoint: Option<&Checkpoint>) -> String {
    let plan = architecture.plan();
    let mut out = format!("\n{}\n", bold("tensors"));
    let name =
        |planned: &Planned| planned.layer.map_or(planned.name.len(), |layer| stem(planned, layer).len() + 2);
    let width = plan.tensors.iter().map(name).max().unwrap_or(0);
    let line = |planned: &Planned, indent: usize| line(planned, checkpoint, indent, width);
    for planned in plan.tensors.iter().filter(|planned| planned.roles.contains(&Role::Embedding)) {
        out += &line(planned, 0);
    }
    for run in runs(architecture, &plan.tensors) {
        let (count, each) = (run.last - run.first + 1, parameters(&run.tensors));
        let layers = if count == 1 {
            format!("layer {}", run.first)
        } else {
            format!("layers {}–{}", run.first, run.last)
        };
        let total = if count == 1 {
            String::new()
        } else {
            format!(" each, {} together", thousands(each * count as u64))
        };
        out += &format!("  {} {}\n", bold(layers), dim(format!("{} parameters{total}", thousands(each))));
        out.extend(run.tensors.iter().map(|planned| line(planned, 2)));
    }
    for planned in plan.tensors.iter().filter(|p| p.layer.is_none() && !p.roles.contains(&Role::Embedding)) {
        out += &line(planned, 0);
    }
    if architecture.output.tie {
        out += &format!("  {}\n", dim("output is the embedding"));
    }
    out
}

fn line(planned: &Planned, checkpoint: Option<&Checkpoint>, indent: usize, width: usize) -> String {
    let name = planned.layer.map_or_else(|| planned.name.clone(), |layer| stem(planned, layer));
    let shape = format!("{:?}", planned.shape);
    let tensor = checkpoint.and_then(|checkpoint| checkpoint.tensor(&planned.name));
    let dtype = tensor.map(|tensor| tensor.dtype().to_string()).unwrap_or_default();
    let roles: Vec<_> = planned.roles.iter().map(ToString::to_string).collect();
    let pad = width - indent;
    format!("  {:indent$}{name:<pad$} {shape:<18} {dtype:<5} {}\n", "", dim(roles.join(" | ")))
}

/// Bytes of the weights as stored.
pub(super) fn stored(architecture: &Architecture, checkpoint: &Checkpoint) -> u64 {
    let plan = architecture.plan();
    let sizes = plan.tensors.iter().filter_map(|planned| checkpoint.tensor(&planned.name));
    sizes.map(|tensor| tensor.byte_len() as u64).sum()
}

/// The tensors for machines.
pub(super) fn json(architecture: &Architecture, checkpoint: Option<&Checkpoint>) -> Vec<serde_json::Value> {
    let one = |planned: &Planned| {
        let tensor = checkpoint.and_then(|checkpoint| checkpoint.tensor(&planned.name));
        let roles: Vec<_> = planned.roles.iter().map(ToString::to_string).collect();
        serde_json::json!({
            "name": planned.name, "shape": planned.shape, "layer": planned.layer, "roles": roles,
            "dtype": tensor.map(|tensor| tensor.dtype().to_string()),
        })
    };
    architecture.plan().tensors.iter().map(one).collect()
}
