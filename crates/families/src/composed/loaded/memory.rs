//! What weights take once they are loaded: most lie in the file's map as stored, some are made of it.

use camelid_checkpoint::{Checkpoint, Tensor};

use crate::composed::loaded::stored::computed_as;
use crate::composed::loaded::weights::runs;
use crate::waist::architecture::Architecture;
use crate::waist::kinds::Kind;
use crate::waist::plan::{Part, Planned};

/// Bytes of a model's weights as loaded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LoadedBytes {
    /// Used where they lie in the file, which is mapped.
    pub in_place: u64,
    /// In memory of their own: types without a kernel, which become f32; rows that lie in another order; vectors.
    pub made: u64,
}

/// What the weights of a checkpoint take once loaded, without loading them.
#[must_use]
pub fn loaded_bytes(architecture: &Architecture, checkpoint: &Checkpoint) -> LoadedBytes {
    let mut bytes = LoadedBytes::default();
    for planned in architecture.plan().tensors {
        let Some(tensor) = checkpoint.tensor(&planned.name) else { continue };
        let widened = (tensor.elements() as u64).saturating_mul(4);
        match is_matrix(&planned) {
            true if computed_as(tensor.dtype()).is_none() => bytes.made += widened,
            true if stays(architecture, &planned, tensor) => bytes.in_place += tensor.byte_len() as u64,
            true => bytes.made += tensor.byte_len() as u64,
            false => bytes.made += widened,
        }
    }
    bytes
}

fn is_matrix(planned: &Planned) -> bool {
    let matrices = || planned.roles.iter().all(|role| role.kind() == Kind::Matrix);
    planned.part == Part::Weight && (planned.roles[0].is_of_experts() || matrices())
}

/// Whether the rows of each role follow one another in the file.
fn stays(architecture: &Architecture, planned: &Planned, tensor: &Tensor) -> bool {
    let follow = |runs: &[std::ops::Range<usize>]| runs.windows(2).all(|pair| pair[0].end == pair[1].start);
    // Rows that were put into the original's order lie in no file.
    tensor.path().is_file() && runs(architecture, planned).iter().all(|(_, runs)| follow(runs))
}
