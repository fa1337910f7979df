//! What can be wrong with rotary settings.

/// Why the frequencies could not be made.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Error {
    /// `rotary_dim` is odd, zero, or more than `head_dim`.
    #[error("rotary_dim is {rotary_dim}, which is not an even number from 2 to head_dim ({head_dim})")]
    RotaryDim {
        /// How many features of a head turn.
        rotary_dim: usize,
        /// How many it has.
        head_dim: usize,
    },
    /// A number lies outside its range.
    #[error("rope {key} is {value}, which is not {wanted}")]
    Range {
        /// Upstream's name of the number.
        key: &'static str,
        /// What it is.
        value: f64,
        /// What it must be.
        wanted: &'static str,
    },
    /// Two numbers are in the wrong order.
    #[error("rope {low} is {low_value}, which is not below {high} ({high_value})")]
    Order {
        /// Upstream's name of the lesser number.
        low: &'static str,
        /// What it is.
        low_value: f64,
        /// Upstream's name of the greater number.
        high: &'static str,
        /// What it is.
        high_value: f64,
    },
    /// A list has not one factor for each pair of features.
    #[error("rope {key} has {found} factors, rotary_dim needs {wanted}")]
    Length {
        /// Upstream's name of the list.
        key: &'static str,
        /// Its length.
        found: usize,
        /// rotary_dim / 2.
        wanted: usize,
    },
    /// The scaling needs a length which neither it nor the settings give.
    #[error("rope_type {rope_type} needs {needs}")]
    Missing {
        /// The kind of scaling.
        rope_type: &'static str,
        /// What would do.
        needs: &'static str,
    },
    /// The scaling and the settings name different trained lengths, and the references read only the latter.
    #[error(
        "rope original_max_position_embeddings is {original}, the context {context}, and rope_type dynamic knows only one"
    )]
    Disagree {
        /// The scaling's own length.
        original: usize,
        /// The settings' length.
        context: usize,
    },
}
