//! How fast a state fades, of what a projection gives.

use camelid_kernels::Backend;
use ndarray::{Array2, ArrayView2};

use crate::settings::Error;

/// g = −e^A · softplus(a + b); or, bounded from below by L < 0, g = L · σ(e^A · (a + b)).
///
/// a `[tokens, n]`, b `[n]`, A `[heads]`, each for n / heads neighbours. In f64, rounded once.
#[derive(Clone, Debug)]
pub struct Forget {
    /// e^A
    rates: Vec<f64>,
    bias: Vec<f64>,
    floor: Option<f64>,
}

impl Forget {
    /// `log_rates` is A (upstream's `A_log`), `bias` is b (`dt_bias`), `floor` is L.
    ///
    /// # Errors
    /// Where A does not divide b, and where L is not below 0.
    pub fn new(log_rates: &[f32], bias: &[f32], floor: Option<f64>) -> Result<Self, Error> {
        let (rates, biases) = (log_rates.len(), bias.len());
        if rates == 0 || biases == 0 || !biases.is_multiple_of(rates) {
            return Err(Error::Forget { rates, biases });
        }
        if let Some(value) = floor.filter(|floor| !(floor.is_finite() && *floor < 0.0)) {
            return Err(Error::Range { name: "floor", value, wanted: "finite and below 0" });
        }
        Ok(Forget {
            rates: log_rates.iter().map(|log| f64::from(*log).exp()).collect(),
            bias: bias.iter().map(|bias| f64::from(*bias)).collect(),
            floor,
        })
    }

    /// g `[tokens, n]`.
    ///
    /// # Panics
    /// Where a has another number of columns than there are biases.
    #[track_caller]
    #[must_use]
    pub fn of(&self, a: ArrayView2<'_, f32>, backend: &Backend) -> Array2<f32> {
        let count = self.bias.len();
        assert_eq!(a.ncols(), count, "an input {:?} for {count} biases", a.shape());
        let mut g = a.as_standard_layout().into_owned();
        let each = count / self.rates.len();
        let numbers = g.as_slice_mut().expect("in standard layout");
        backend.run_chunks(numbers, count, |_, row| {
            for (at, (x, bias)) in row.iter_mut().zip(&self.bias).enumerate() {
                let (rate, sum) = (self.rates[at / each], f64::from(*x) + bias);
                *x = match self.floor {
                    None => -rate * softplus(sum),
                    Some(floor) => floor / (1.0 + (-rate * sum).exp()),
                } as f32;
            }
        });
        g
    }
}

/// ln(1 + e^x), without overflow.
fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn softplus_is_the_logarithm_everywhere() {
        for x in [-800.0_f64, -30.0, -1.0, 0.0, 1.0, 30.0] {
            let wanted = if x > 20.0 { x + (-x).exp() } else { x.exp().ln_1p() };
            assert!((softplus(x) - wanted).abs() <= 1e-15 * wanted.abs().max(1e-300), "{x}");
        }
        assert_eq!(softplus(800.0), 800.0);
    }
}
