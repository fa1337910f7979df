//! What does not make an MLP.

/// Layers that don't fit together.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
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
    /// A number that is not finite, or a limit that is not above zero.
    #[error("{name} is {value}, which is out of range")]
    Range {
        /// The field of [`Glu`](crate::Glu).
        name: &'static str,
        /// Its value.
        value: f64,
    },
    /// α is the slope within SiLU; no other activation has one.
    #[error("alpha is given, but only silu has a slope to change")]
    Alpha,
    /// A plain MLP has no gate, so nothing that a limit, a shift or α could be put on.
    #[error("alpha, limit and shift need a gated MLP")]
    Plain,
}
