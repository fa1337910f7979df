//! Whether a checkpoint holds what the plan asks for: everything that does not fit, at once, before any arithmetic.

use camelid_checkpoint::{Checkpoint, Dtype, Tensor};

use crate::error::Problem;
use crate::waist::architecture::Architecture;
use crate::waist::plan::{Plan, Planned};

/// Missing, surplus and misshapen tensors. `allowed` are names that the user waves through.
pub(crate) fn fit(
    architecture: &Architecture,
    plan: &Plan,
    checkpoint: &Checkpoint,
    allowed: &[String],
) -> Vec<Problem> {
    let mut problems: Vec<Problem> = plan
        .tensors
        .iter()
        .filter_map(|planned| compare(planned, checkpoint.tensor(&planned.name)))
        .collect();
    let tied = plan.tied.as_ref().and_then(|planned| Some((planned, checkpoint.tensor(&planned.name)?)));
    problems.extend(tied.and_then(|(planned, tensor)| compare(planned, Some(tensor))));
    let planned = plan.tensors.iter().chain(&plan.tied).map(|planned| planned.name.as_str());
    problems.extend(surplus(&planned.collect::<Vec<_>>(), &architecture.inert, checkpoint, allowed));
    problems
}

/// The same where only names are known, because the architecture did not resolve.
pub(crate) fn fit_names(
    names: &[String],
    inert: &[String],
    checkpoint: &Checkpoint,
    allowed: &[String],
) -> Vec<Problem> {
    let missing = names.iter().filter(|name| checkpoint.tensor(name).is_none());
    let mut problems: Vec<Problem> =
        missing.map(|name| Problem::MissingTensor { name: name.clone(), shape: None }).collect();
    // A bias beside a named weight may well belong: without the architecture nobody knows.
    let biases: Vec<String> = names.iter().map(|name| name.replace(".weight", ".bias")).collect();
    let known: Vec<&str> = names.iter().chain(&biases).map(String::as_str).collect();
    problems.extend(surplus(&known, inert, checkpoint, allowed));
    problems
}

fn surplus(known: &[&str], inert: &[String], checkpoint: &Checkpoint, allowed: &[String]) -> Vec<Problem> {
    let known: std::collections::HashSet<&str> = known.iter().copied().collect();
    let inert: Vec<glob::Pattern> = inert.iter().filter_map(|text| glob::Pattern::new(text).ok()).collect();
    checkpoint
        .tensors()
        .filter(|tensor| {
            !known.contains(tensor.name()) && !inert.iter().any(|glob| glob.matches(tensor.name()))
        })
        .filter(|tensor| !allowed.iter().any(|name| name == tensor.name()))
        .map(|tensor| Problem::SurplusTensor { name: tensor.name().into(), shape: tensor.shape().to_vec() })
        .collect()
}

fn compare(planned: &Planned, tensor: Option<&Tensor>) -> Option<Problem> {
    let name = planned.name.clone();
    let Some(tensor) = tensor else {
        return Some(Problem::MissingTensor { name, shape: Some(planned.shape.clone()) });
    };
    if !planned.fits(tensor.shape()) {
        let message = format!("its shape is {:?}, the family asks for {:?}", tensor.shape(), planned.shape);
        return Some(Problem::WrongTensor { name, message });
    }
    let floats =
        matches!(tensor.dtype(), Dtype::F32 | Dtype::F16 | Dtype::Bf16) || tensor.dtype().is_quantised();
    (!floats).then(|| Problem::WrongTensor {
        name,
        message: format!("it is stored as {}; weights are F32, F16 or BF16, or quantised", tensor.dtype()),
    })
}
