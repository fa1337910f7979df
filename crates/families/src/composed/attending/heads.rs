//! Heads side by side and one by one, and the gate behind them.

use camelid_linear::Linear;
use ndarray::{Array2, Array3};

use crate::composed::pass::Pass;

/// What the heads give `[tokens, heads · features]`, times σ of what the gate makes of the branch's input: one number for each
/// feature, or for each head.
pub(crate) fn gated(
    gate: &Option<Linear>,
    mut summed: Array2<f32>,
    x: &Array2<f32>,
    heads: usize,
    pass: &Pass<'_>,
) -> Array2<f32> {
    let Some(gate) = gate else { return summed };
    let mut by = gate.forward(x.view(), pass.backend);
    let numbers = by.as_slice_mut().expect("a result of linear is contiguous");
    pass.backend.sigmoid(numbers);
    if by.ncols() == summed.ncols() {
        return summed * by;
    }
    let size = summed.ncols() / heads;
    for (mut row, by) in summed.outer_iter_mut().zip(by.outer_iter()) {
        row.iter_mut().enumerate().for_each(|(feature, y)| *y *= by[feature / size]);
    }
    summed
}

/// `[tokens, heads · head_dim]` → `[tokens, heads, head_dim]`.
pub(crate) fn heads(x: Array2<f32>, heads: usize) -> Array3<f32> {
    let (tokens, width) = x.dim();
    let shape = (tokens, heads, width / heads);
    x.into_shape_with_order(shape)
        .expect("a projection's result is contiguous, and its width is heads · head_dim")
}

/// `[tokens, heads, head_dim]` → `[tokens, heads · head_dim]`.
pub(crate) fn flat(x: Array3<f32>) -> Array2<f32> {
    let (tokens, heads, head_dim) = x.dim();
    x.into_shape_with_order((tokens, heads * head_dim)).expect("heads are contiguous")
}
