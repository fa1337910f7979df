//! What all layers of one call share.

use camelid_kernels::Backend;
use ndarray::Array3;

use crate::composed::rotary::Turns;

/// What all layers of one call share.
pub(crate) struct Pass<'a> {
    /// The place of the first token.
    pub(crate) first: usize,
    /// Where the two-way prefix ends, if there is one.
    pub(crate) prefix: Option<usize>,
    /// For each distinct rotary setting.
    pub(crate) turns: &'a [Turns],
    /// The embeddings that layers have of their own, `[tokens, layers, width]`.
    pub(crate) layered: Option<&'a Array3<f32>>,
    pub(crate) backend: &'a Backend,
}
