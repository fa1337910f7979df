//! A checkpoint's tensor as a matrix.

use camelid_checkpoint::{Dtype, Tensor};
use camelid_linear::Weight;

use crate::error::Error;
use crate::waist::roles::Role;

/// A role that the model can't do without and that no tensor plays.
pub(crate) fn missing(role: Role) -> Error {
    Error::Input(format!("no tensor plays the role `{role}`"))
}

/// A matrix over the tensor's own bytes; a quantised one is widened to f32 first.
pub(crate) fn matrix(tensor: &Tensor, shape: &[usize]) -> Result<Weight, Error> {
    let misfit = |message: String| Error::Input(format!("tensor `{}`: {message}", tensor.name()));
    if tensor.dtype().is_quantised() {
        return matrix(&tensor.dequantise()?, shape);
    }
    let dtype = match tensor.dtype() {
        Dtype::F32 => camelid_linear::Dtype::F32,
        Dtype::F16 => camelid_linear::Dtype::F16,
        Dtype::Bf16 => camelid_linear::Dtype::Bf16,
        other => return Err(misfit(format!("it is stored as {other}, which is no type of weights"))),
    };
    let (rows, cols) = folded(shape);
    Weight::new(tensor.bytes()?, dtype, rows, cols).map_err(|error| misfit(error.to_string()))
}

/// What is stacked lies row under row: `[…, rows, cols]` as `[… · rows, cols]`.
fn folded(shape: &[usize]) -> (usize, usize) {
    let cols = shape.last().copied().unwrap_or(1);
    (shape.iter().rev().skip(1).product(), cols)
}
