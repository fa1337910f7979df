//! One expert as a checkpoint stores it, and as it runs.

use std::sync::OnceLock;

use camelid_linear::{Linear, Weight};
use camelid_mlp::{Glu, Layers, Mlp};

use crate::Error;

/// How a matrix of an expert lies in the checkpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Lies {
    /// `[out, in]`, as linear layers are stored.
    #[default]
    OutIn,
    /// `[in, out]`, turned over (gpt-oss, Llama 4).
    InOut,
}

/// How gate and up share the results of one matrix.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Packing {
    /// All of the gate, then all of up.
    #[default]
    Halves,
    /// A result of the gate, then one of up, by turns (gpt-oss).
    Turns,
}

/// A matrix of an expert as stored, with its bias.
#[derive(Clone, Debug)]
pub struct Side {
    /// The matrix.
    pub weight: Weight,
    /// One number for each result.
    pub bias: Option<Vec<f32>>,
    /// Which way round it is.
    pub lies: Lies,
}

/// The two projections in.
#[derive(Clone, Debug)]
pub enum Sides {
    /// A matrix each.
    Apart {
        /// `[width, in]`
        gate: Side,
        /// `[width, in]`
        up: Side,
    },
    /// One matrix of both.
    Packed {
        /// `[2 · width, in]`
        both: Side,
        /// How they share it.
        packing: Packing,
    },
}

/// One expert: its matrices as stored, and the MLP that they make.
///
/// Making it reads no weight. An MLP whose matrices are stored as they are used shares their bytes; another is laid out
/// when the expert is first chosen, and kept.
#[derive(Debug)]
pub struct Expert {
    sides: Sides,
    down: Side,
    ready: OnceLock<Mlp>,
}

impl Expert {
    /// An expert of these matrices.
    pub fn new(sides: Sides, down: Side) -> Self {
        Self { sides, down, ready: OnceLock::new() }
    }

    /// Experts that lie behind one another: `both` `[experts · rows, cols]`, `down` likewise; biases `[experts · results]`.
    /// All share the bytes.
    ///
    /// # Panics
    /// Where the rows are not `count` equal parts.
    #[track_caller]
    pub fn stacked(count: usize, both: &Side, packing: Packing, down: &Side) -> Vec<Self> {
        let part = |side: &Side, index: usize| {
            let rows = side.weight.rows() / count.max(1);
            assert_eq!(rows * count, side.weight.rows(), "{} rows for {count} experts", side.weight.rows());
            let bias = side.bias.as_ref().map(|bias| {
                let size = bias.len() / count;
                bias[index * size..(index + 1) * size].to_vec()
            });
            Side { weight: side.weight.slice_rows(index * rows..(index + 1) * rows), bias, lies: side.lies }
        };
        let expert = |index| Self::new(Sides::Packed { both: part(both, index), packing }, part(down, index));
        (0..count).map(expert).collect()
    }

    /// What it writes and reads, `[out, in]`, and whether the shapes make an MLP: told from shapes alone.
    pub(crate) fn check(&self, index: usize, glu: Glu) -> Result<[usize; 2], Error> {
        let error = |error| Error::Mlp { expert: index, error };
        glu.check().map_err(error)?;
        let (gate, up) = match &self.sides {
            Sides::Apart { gate, up } => (gate.shape(), up.shape()),
            Sides::Packed { both, .. } => {
                let [rows, cols] = both.shape();
                if !rows.is_multiple_of(2) {
                    return Err(Error::Packed { expert: index, rows });
                }
                ([rows / 2, cols], [rows / 2, cols])
            }
        };
        if gate != up {
            return Err(error(camelid_mlp::Error::Gate { gate, up }));
        }
        let down = self.down.shape();
        if down[1] != up[0] {
            return Err(error(camelid_mlp::Error::Down { down, width: up[0] }));
        }
        for (layer, side) in self.named() {
            let rows = side.shape()[0];
            match &side.bias {
                Some(bias) if bias.len() != rows => {
                    return Err(error(camelid_mlp::Error::Bias { layer, bias: bias.len(), rows }));
                }
                Some(_) | None => {}
            }
        }
        Ok([down[0], up[1]])
    }

    fn named(&self) -> Vec<(&'static str, &Side)> {
        let mut all = match &self.sides {
            Sides::Apart { gate, up } => vec![("gate", gate), ("up", up)],
            Sides::Packed { both, .. } => vec![("gate and up", both)],
        };
        all.push(("down", &self.down));
        all
    }

    /// The MLP, laid out if it is not yet.
    pub(crate) fn mlp(&self, glu: Glu) -> &Mlp {
        self.ready.get_or_init(|| {
            let (gate, up) = match &self.sides {
                Sides::Apart { gate, up } => (gate.laid_out(), up.laid_out()),
                Sides::Packed { both, packing } => packing.apart(&both.laid_out()),
            };
            Mlp::new(Layers::Gated { gate, up, down: self.down.laid_out() }, glu)
                .expect("its shapes were checked when it was taken")
        })
    }

    /// Whether its MLP has been laid out: it was chosen at least once.
    pub fn was_chosen(&self) -> bool {
        self.ready.get().is_some()
    }
}

impl Side {
    /// `[out, in]`.
    fn shape(&self) -> [usize; 2] {
        let [rows, cols] = [self.weight.rows(), self.weight.cols()];
        match self.lies {
            Lies::OutIn => [rows, cols],
            Lies::InOut => [cols, rows],
        }
    }

    fn laid_out(&self) -> Linear {
        let weight = match self.lies {
            Lies::OutIn => self.weight.clone(),
            Lies::InOut => self.weight.transposed(),
        };
        Linear { weight, bias: self.bias.clone() }
    }
}

impl Packing {
    /// Gate and up of one layer `[2 · width, in]`.
    fn apart(self, both: &Linear) -> (Linear, Linear) {
        let rows = both.weight.rows();
        let take = |which: usize| {
            let own: Vec<std::ops::Range<usize>> = match self {
                Self::Halves => vec![which * rows / 2..(which + 1) * rows / 2],
                Self::Turns => (0..rows / 2).map(|row| 2 * row + which..2 * row + which + 1).collect(),
            };
            let bias = both.bias.as_ref();
            let bias = bias.map(|bias| own.iter().flat_map(|run| &bias[run.clone()]).copied().collect());
            Linear { weight: both.weight.gather_rows(&own), bias }
        };
        (take(0), take(1))
    }
}
