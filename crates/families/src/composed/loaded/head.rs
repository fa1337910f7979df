//! The head that a file holds under a tied flag.

use camelid_checkpoint::Checkpoint;

use crate::error::Error;
use crate::waist::plan::Plan;
use crate::waist::roles::Role;

/// Whether a tied model's file holds a head of its own: one whose numbers are not the embedding's.
pub(crate) fn has_its_own(plan: &Plan, checkpoint: &Checkpoint) -> Result<bool, Error> {
    let Some(head) = plan.tied.as_ref().and_then(|planned| checkpoint.tensor(&planned.name)) else {
        return Ok(false);
    };
    let embedding = plan.tensors.iter().find(|planned| planned.roles == [Role::Embedding]);
    let Some(embedding) = embedding.and_then(|planned| checkpoint.tensor(&planned.name)) else {
        return Ok(false);
    };
    Ok(!head.same_numbers(embedding)?)
}
