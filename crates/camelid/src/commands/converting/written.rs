//! What was written, and what was rounded.

use camelid_families::Rounding;

/// What was written.
pub(super) struct Written {
    pub(super) bytes: u64,
    pub(super) tensors: usize,
    pub(super) rounded: Vec<Rounded>,
    /// The type of most numbers, as config.json calls it.
    pub(super) dtype: String,
    /// The source's files of weights, each with the SHA-256 of its bytes.
    pub(super) sources: Vec<(String, String)>,
}

/// A tensor of which numbers were rounded, and how far: the largest change over the largest number.
#[derive(Debug, Clone)]
pub(super) struct Rounded {
    pub(super) tensor: String,
    pub(super) by: f64,
}

impl Rounded {
    pub(super) fn of(tensor: &str, rounding: Rounding) -> Option<Rounded> {
        let by = rounding.relative();
        (by > 0.0).then(|| Rounded { tensor: tensor.to_owned(), by })
    }
}
