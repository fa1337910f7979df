//! One row at a time: the sums and the rescaling that every norm is made of.

/// Lanes of a sum: enough for the compiler to use whole vectors, and a fixed order of addition.
const LANES: usize = 8;

/// Σ term(xᵢ), in f64. The square of an f32 is exact there and cannot overflow.
pub(crate) fn sum(x: &[f32], term: impl Fn(f64) -> f64) -> f64 {
    let (chunks, rest) = x.as_chunks::<LANES>();
    let mut lanes = [0.0; LANES];
    for chunk in chunks {
        for (lane, &value) in lanes.iter_mut().zip(chunk) {
            *lane += term(f64::from(value));
        }
    }
    lanes.iter().sum::<f64>() + rest.iter().map(|&value| term(f64::from(value))).sum::<f64>()
}

/// Σ term(xᵢ) / features.
pub(crate) fn mean(x: &[f32], term: impl Fn(f64) -> f64) -> f64 {
    sum(x, term) / x.len() as f64
}

/// xᵢ ← center(xᵢ) · factor · wᵢ (+ bᵢ), rounded once.
pub(crate) fn rescale(
    x: &mut [f32],
    center: impl Fn(f64) -> f64,
    factor: f64,
    weight: &[f32],
    bias: Option<&[f32]>,
) {
    match bias {
        None => {
            for (x, &w) in x.iter_mut().zip(weight) {
                *x = (center(f64::from(*x)) * (factor * f64::from(w))) as f32;
            }
        }
        Some(bias) => {
            for ((x, &w), &b) in x.iter_mut().zip(weight).zip(bias) {
                *x = (center(f64::from(*x)) * (factor * f64::from(w)) + f64::from(b)) as f32;
            }
        }
    }
}
