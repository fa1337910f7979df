//! Queries that grow with their place, in steps.

/// 1 + β · ln(1 + ⌊place / length⌋): what a query at a place is multiplied by, so that attention over many keys stays as sharp.
///
/// Llama 4 counts places from 1, Ministral 3 and Mistral 4 from 0. The first `length` places are multiplied by 1.
pub fn warmth(place: usize, beta: f64, length: usize) -> f32 {
    (1.0 + beta * ((place / length.max(1)) as f64).ln_1p()) as f32
}
