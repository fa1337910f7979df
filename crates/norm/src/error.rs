//! What can be wrong with a norm's settings or weights.

/// Why a norm could not be made.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Error {
    /// ε is negative, infinite or not a number.
    #[error("norm eps is {0}, which is not a finite number of at least 0")]
    Eps(f64),
    /// The weight has no elements.
    #[error("norm weight has no elements")]
    Empty,
    /// The bias has another length than the weight.
    #[error("norm bias has {bias} elements, its weight {weight}")]
    BiasLength {
        /// Elements of the weight.
        weight: usize,
        /// Elements of the bias.
        bias: usize,
    },
}
