//! Tensors of experts, one for each or stacked, → the experts of a layer.

use camelid_checkpoint::Tensor;
use camelid_experts::{Expert, Lies as Way, Packing, Side, Sides};
use camelid_linear::Weight;

use crate::composed::loaded::stored::{matrix, missing};
use crate::error::Error;
use crate::waist::named::{By, Lies};
use crate::waist::plan::{Part, Planned};
use crate::waist::roles::Role;

/// A tensor of the experts, as it is stored.
#[derive(Debug)]
pub(crate) struct ExpertTensor {
    roles: Vec<Role>,
    /// Whose it is; nobody's alone where all are stacked.
    expert: Option<usize>,
    by: By,
    lies: Lies,
    holds: Holds,
}

#[derive(Debug)]
enum Holds {
    /// `[rows, cols]`, or stacked `[count · rows, cols]`.
    Matrix(Weight),
    /// `[results]`, or stacked.
    Bias(Vec<f32>),
}

impl ExpertTensor {
    /// Takes the tensor over; a matrix stays in the file.
    pub(crate) fn read(planned: &Planned, tensor: &Tensor) -> Result<ExpertTensor, Error> {
        let Planned { name: _, part, shape, layer: _, roles, by, expert, lies } = planned;
        let holds = match part {
            Part::Weight => Holds::Matrix(matrix(tensor, shape)?),
            Part::Bias => Holds::Bias(tensor.to_f32()?),
        };
        Ok(ExpertTensor { roles: roles.clone(), expert: *expert, by: *by, lies: *lies, holds })
    }
}

/// The experts of a layer, in their order. No matrix is read.
pub(crate) fn experts(tensors: &[ExpertTensor], count: usize) -> Result<Vec<Expert>, Error> {
    let packed = [Role::ExpertGate, Role::ExpertUp];
    let both = tensors.iter().find(|tensor| tensor.roles == packed);
    let expert = |index: usize| -> Result<Expert, Error> {
        let side = |roles: &[Role]| side(tensors, roles, index, count).ok_or_else(|| missing(roles[0]));
        let sides = match both {
            Some(both) => {
                let packing = match both.by {
                    By::Turns => Packing::Turns,
                    By::Rows | By::Group | By::Head => Packing::Halves,
                };
                Sides::Packed { both: side(&packed)?, packing }
            }
            None => Sides::Apart { gate: side(&[Role::ExpertGate])?, up: side(&[Role::ExpertUp])? },
        };
        Ok(Expert::new(sides, side(&[Role::ExpertDown])?))
    };
    (0..count).map(expert).collect()
}

/// One expert's matrix of these roles, with its bias.
fn side(tensors: &[ExpertTensor], roles: &[Role], index: usize, count: usize) -> Option<Side> {
    let own =
        |tensor: &&ExpertTensor| tensor.roles == roles && tensor.expert.is_none_or(|expert| expert == index);
    let (mut found, mut bias) = (None, None);
    for tensor in tensors.iter().filter(own) {
        let part = |size: usize| match tensor.expert {
            Some(_) => 0..size,
            None => index * (size / count)..(index + 1) * (size / count),
        };
        match &tensor.holds {
            Holds::Matrix(weight) => found = Some((weight.slice_rows(part(weight.rows())), tensor.lies)),
            Holds::Bias(values) => bias = Some(values[part(values.len())].to_vec()),
        }
    }
    let (weight, lies) = found?;
    let lies = match lies {
        Lies::OutIn => Way::OutIn,
        Lies::InOut => Way::InOut,
    };
    Some(Side { weight, bias, lies })
}
