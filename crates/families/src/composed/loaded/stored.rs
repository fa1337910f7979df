//! A checkpoint's tensor as a matrix.

use camelid_checkpoint::{Dtype, Tensor};
use camelid_linear::{Blocks, Weight};

use crate::error::Error;
use crate::waist::roles::Role;

/// A role that the model can't do without and that no tensor plays.
pub(crate) fn missing(role: Role) -> Error {
    Error::Input(format!("no tensor plays the role `{role}`"))
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
    let (rows, cols) = folded(shape);
    Weight::new(tensor.bytes()?, dtype, rows, cols).map_err(|error| misfit(error.to_string()))
}

/// Whether products take matrices of this type as quantised blocks.
#[must_use]
pub fn in_blocks(dtype: Dtype) -> bool {
    matches!(computed_as(dtype), Some(camelid_linear::Dtype::Blocks(_)))
}

/// The type in which products take a stored type as it is.
pub(crate) fn computed_as(dtype: Dtype) -> Option<camelid_linear::Dtype> {
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
        Dtype::Q1_0 | Dtype::Q2_0 | Dtype::Q2K | Dtype::Q3K | Dtype::Iq4Nl | Dtype::Iq4Xs => None,
        Dtype::Mxfp4 | Dtype::Nvfp4 | Dtype::Tq1_0 | Dtype::Tq2_0 | Dtype::Iq1S | Dtype::Iq1M => None,
        Dtype::Iq2Xxs | Dtype::Iq2Xs | Dtype::Iq2S | Dtype::Iq3Xxs | Dtype::Iq3S => None,
        Dtype::F64 | Dtype::I64 | Dtype::I32 | Dtype::I16 | Dtype::I8 => None,
        Dtype::U64 | Dtype::U32 | Dtype::U16 | Dtype::U8 | Dtype::Bool | Dtype::Unread(_) => None,
    }
}

/// What is stacked lies row under row: `[…, rows, cols]` as `[… · rows, cols]`.
fn folded(shape: &[usize]) -> (usize, usize) {
    let cols = shape.last().copied().unwrap_or(1);
    (shape.iter().rev().skip(1).product(), cols)
}
