//! The block: its layers, the check that they fit, and the forward pass.

use camelid_kernels::Backend;
use camelid_linear::{Linear, forward_gated};
use ndarray::{Array2, ArrayView2};

use crate::error::Error;
use crate::glu::Glu;

/// The layers of an MLP. Width is the number of features between them, often called `intermediate_size`.
#[derive(Clone, Debug)]
pub enum Layers {
    /// y = down(f(gate x) ⊙ up x), or as a [`Glu`] says
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
    glu: Glu,
}

/// Elements that one part of a parallel region activates; below it a region would cost more than it saves.
const PART: usize = 8192;

impl Mlp {
    /// An MLP of these layers.
    ///
    /// # Errors
    /// Where their shapes don't fit together, or a number of `glu` is out of range.
    pub fn new(layers: Layers, glu: impl Into<Glu>) -> Result<Self, Error> {
        let glu = glu.into();
        glu.check()?;
        match &layers {
            Layers::Gated { gate, up, down } => {
                if shape(gate) != shape(up) {
                    return Err(Error::Gate { gate: shape(gate), up: shape(up) });
                }
                check_bias("gate", gate)?;
                check_pair(up, down)?;
            }
            Layers::Plain { .. } if !glu.is_plain() => return Err(Error::Plain),
            Layers::Plain { up, down } => check_pair(up, down)?,
        }
        Ok(Self { layers, glu })
    }

    /// The layers.
    pub fn layers(&self) -> &Layers {
        &self.layers
    }

    /// What stands between them.
    pub fn glu(&self) -> Glu {
        self.glu
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
                    self.glu.meet(gate, up, backend);
                });
                down.forward(inner.view(), backend)
            }
            Layers::Plain { up, down } => {
                let mut inner = up.forward(x, backend);
                let elements = inner.as_slice_mut().expect("a result of linear is contiguous");
                backend.run_chunks(elements, PART, |_, part| self.glu.activation.apply(part, backend));
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
