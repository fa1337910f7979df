//! The block: its layers, the check that they fit, and the forward pass.

use camelid_kernels::Backend;
use camelid_linear::{Linear, forward_gated};
use ndarray::{Array2, ArrayView2};

use crate::Activation;

/// The layers of an MLP. Width is the number of features between them, often called `intermediate_size`.
#[derive(Clone, Debug)]
pub enum Layers {
    /// y = down(f(gate x) ⊙ up x)
    Gated {
        /// `[width, in]`
        gate: Linear,
        /// `[width, in]`
        up: Linear,
        /// `[out, width]`
        down: Linear,
    },
    /// y = down(f(up x))
    Plain {
        /// `[width, in]`
        up: Linear,
        /// `[out, width]`
        down: Linear,
    },
}

/// An MLP whose layers fit together.
#[derive(Clone, Debug)]
pub struct Mlp {
    layers: Layers,
    activation: Activation,
}

/// Layers that don't fit together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Gate and up multiply element by element, so their weights have one shape.
    #[error("gate {gate:?} and up {up:?} differ in shape")]
    Gate {
        /// `[width, in]` of the gate.
        gate: [usize; 2],
        /// `[width, in]` of up.
        up: [usize; 2],
    },
    /// Down reads what up writes.
    #[error("down {down:?} can't read the {width} features of up")]
    Down {
        /// `[out, width]` of down.
        down: [usize; 2],
        /// Rows of up.
        width: usize,
    },
    /// A bias has one element per row of its weight.
    #[error("the bias of {layer} has {bias} elements for {rows} rows")]
    Bias {
        /// `gate`, `up` or `down`.
        layer: &'static str,
        /// Elements of the bias.
        bias: usize,
        /// Rows of the weight.
        rows: usize,
    },
}

/// Elements that one part of a parallel region activates; below it a region would cost more than it saves.
const PART: usize = 8192;

impl Mlp {
    /// An MLP of these layers.
    ///
    /// # Errors
    /// Where their shapes don't fit together.
    pub fn new(layers: Layers, activation: Activation) -> Result<Self, Error> {
        match &layers {
            Layers::Gated { gate, up, down } => {
                if shape(gate) != shape(up) {
                    return Err(Error::Gate { gate: shape(gate), up: shape(up) });
                }
                check_bias("gate", gate)?;
                check_pair(up, down)?;
            }
            Layers::Plain { up, down } => check_pair(up, down)?,
        }
        Ok(Self { layers, activation })
    }

    /// The layers.
    pub fn layers(&self) -> &Layers {
        &self.layers
    }

    /// The function between them.
    pub fn activation(&self) -> Activation {
        self.activation
    }

    /// y `[tokens, out]` of x `[tokens, in]`. Gate and up run in one parallel region.
    ///
    /// # Panics
    /// Where x has not as many columns as up.
    #[track_caller]
    pub fn forward(&self, x: ArrayView2<'_, f32>, backend: &Backend) -> Array2<f32> {
        match &self.layers {
            Layers::Gated { gate, up, down } => {
                let inner = forward_gated([gate, up], x, backend, |gate, up| {
                    self.activation.apply(gate, backend);
                    backend.times(gate, up);
                });
                down.forward(inner.view(), backend)
            }
            Layers::Plain { up, down } => {
                let mut inner = up.forward(x, backend);
                let elements = inner.as_slice_mut().expect("a result of linear is contiguous");
                backend.run_chunks(elements, PART, |_, part| self.activation.apply(part, backend));
                down.forward(inner.view(), backend)
            }
        }
    }
}

fn check_pair(up: &Linear, down: &Linear) -> Result<(), Error> {
    let width = up.weight.rows();
    if down.weight.cols() != width {
        return Err(Error::Down { down: shape(down), width });
    }
    check_bias("up", up)?;
    check_bias("down", down)
}

fn check_bias(layer: &'static str, Linear { weight, bias }: &Linear) -> Result<(), Error> {
    let rows = weight.rows();
    match bias.as_ref().map(Vec::len) {
        Some(bias) if bias != rows => Err(Error::Bias { layer, bias, rows }),
        _ => Ok(()),
    }
}

fn shape(layer: &Linear) -> [usize; 2] {
    [layer.weight.rows(), layer.weight.cols()]
}
