//! What one value head has of a call.

/// The tokens as one value head meets them.
pub(crate) struct OfHead {
    /// q, of length 1/√key_dim, `[tokens, key_dim]`.
    pub(crate) queries: Vec<f32>,
    /// k, of length one, `[tokens, key_dim]`.
    pub(crate) keys: Vec<f32>,
    /// v `[tokens, value_dim]`.
    pub(crate) values: Vec<f32>,
    /// g `[tokens]` or `[tokens, key_dim]`.
    pub(crate) decay: Vec<f32>,
    /// β `[tokens]`.
    pub(crate) rate: Vec<f32>,
}
