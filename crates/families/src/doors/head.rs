//! The head that a file holds, and what config.json says of it.
//!
//! transformers 5 keeps a head that a file holds under a tied flag where it differs from the embedding, and says so; it makes
//! one up where none is there under an untied flag, which is refused here.

use camelid_checkpoint::Checkpoint;

use crate::error::Problem;
use crate::waist::architecture::Architecture;
use crate::waist::roles::Role;
use crate::written::declaration::Declaration;

/// That the head is missing is told with the key that would tie it.
pub(crate) fn tell_missing(
    declaration: &Declaration,
    architecture: &Architecture,
    checkpoint: &Checkpoint,
    problems: &mut [Problem],
) {
    let plan = architecture.plan();
    let of =
        |role: Role| plan.tensors.iter().find(|planned| planned.roles == [role]).map(|planned| &planned.name);
    let (Some(head), Some(embedding)) = (of(Role::Output), of(Role::Embedding)) else { return };
    if checkpoint.tensor(embedding).is_none() {
        return;
    }
    let formulas = declaration.words.get("output.tie").map(|entry| entry.expr.formulas()).unwrap_or_default();
    let key = formulas.iter().flat_map(|formula| formula.variables().iter().cloned()).next();
    for problem in problems {
        if matches!(problem, Problem::MissingTensor { name, .. } if name == head) {
            *problem = Problem::MissingHead { name: head.clone(), key: key.clone() };
        }
    }
}

/// The name of the head's tensor, where the declaration writes it out.
pub(crate) fn head_of(declaration: &Declaration) -> Option<String> {
    let (_, entry) = declaration.tensors.iter().find(|(roles, _)| *roles == [Role::Output])?;
    Some(format!("{}.weight", entry.expr.text()?))
}
