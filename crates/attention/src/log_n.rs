//! Log-n attention: queries beyond the trained length are sharpened.

/// max(1, log_trained(i + 1)): what the query at position `i` is multiplied by, after any rotary turn, where the
/// model was trained on `trained` tokens. Softmax over i + 1 keys then keeps the entropy that it had at the trained
/// length (Su, 2021).
///
/// # Panics
/// Where `trained` is below 2, whose logarithm is no base.
#[track_caller]
pub fn log_n(i: usize, trained: usize) -> f32 {
    assert!(trained >= 2, "log-n attention with a trained length of {trained}");
    ((i as f64 + 1.0).ln() / (trained as f64).ln()).max(1.0) as f32
}
