//! Arithmetic over slices: one call, one pass, on the calling thread.

use crate::Backend;

impl Backend {
    /// Σ aᵢ·bᵢ
    ///
    /// # Panics
    /// Where the lengths differ.
    #[track_caller]
    pub fn dot(&self, a: &[f32], b: &[f32]) -> f32 {
        same_length(a, b);
        let mut sums = [0.0; 16];
        for (a, b) in a.chunks(16).zip(b.chunks(16)) {
            for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
                *sum += a * b;
            }
        }
        sums.iter().sum()
    }

    /// yᵢ ← yᵢ + factor·xᵢ
    ///
    /// # Panics
    /// Where the lengths differ.
    #[track_caller]
    pub fn axpy(&self, factor: f32, x: &[f32], y: &mut [f32]) {
        same_length(x, y);
        for (y, x) in y.iter_mut().zip(x) {
            *y += factor * x;
        }
    }

    /// xᵢ ← factor·xᵢ
    pub fn scale(&self, factor: f32, x: &mut [f32]) {
        x.iter_mut().for_each(|x| *x *= factor);
    }

    /// max xᵢ; −∞ for an empty slice.
    pub fn max(&self, x: &[f32]) -> f32 {
        x.iter().copied().fold(f32::NEG_INFINITY, f32::max)
    }

    /// xᵢ ← e^(xᵢ − shift); returns Σ of the new xᵢ. One softmax step: `shift` is the largest score so far.
    pub fn exp_sum(&self, x: &mut [f32], shift: f32) -> f32 {
        let mut sum = 0.0;
        for x in x {
            *x = (*x - shift).exp();
            sum += *x;
        }
        sum
    }

    /// xᵢ ← e^xᵢ
    pub fn exp(&self, x: &mut [f32]) {
        x.iter_mut().for_each(|x| *x = x.exp());
    }

    /// xᵢ ← 1 / (1 + e^(−xᵢ))
    pub fn sigmoid(&self, x: &mut [f32]) {
        x.iter_mut().for_each(|x| *x = 1.0 / (1.0 + (-*x).exp()));
    }

    /// xᵢ ← tanh xᵢ
    pub fn tanh(&self, x: &mut [f32]) {
        x.iter_mut().for_each(|x| *x = x.tanh());
    }

    /// xᵢ ← erf xᵢ = 2/√π ∫₀^x e^(−t²) dt
    pub fn erf(&self, x: &mut [f32]) {
        x.iter_mut().for_each(|x| *x = erf(f64::from(*x)) as f32);
    }
}

/// 2/√π e^(−x²) Σ 2ⁿ x^(2n+1) / (2n+1)!!, beyond 5 the sign.
fn erf(x: f64) -> f64 {
    if x.abs() > 5.0 {
        return x.signum();
    }
    let (mut term, mut sum, mut n) = (x, x, 1.0);
    while term.abs() > 1e-17 * sum.abs() {
        term *= 2.0 * x * x / (2.0 * n + 1.0);
        sum += term;
        n += 1.0;
    }
    std::f64::consts::FRAC_2_SQRT_PI * (-x * x).exp() * sum
}

#[track_caller]
fn same_length(a: &[f32], b: &[f32]) {
    assert_eq!(a.len(), b.len(), "slices of {} and {} elements", a.len(), b.len());
}
