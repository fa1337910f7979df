//! Products that many oracles over one bank have in common: a change of one word leaves most of them as they are.

use std::collections::HashMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::Hasher;
use std::sync::{Arc, Mutex, PoisonError};

use ndarray::Array2;

/// So many numbers are kept in all: 128 MB.
const MOST: usize = 16 << 20;

/// The product of a matrix of the bank's and an input, by both.
#[derive(Debug, Default)]
pub(super) struct Memo(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    products: HashMap<(usize, u64), Arc<Product>>,
    numbers: usize,
}

#[derive(Debug)]
struct Product {
    input: Array2<f64>,
    output: Array2<f64>,
}

impl Memo {
    /// x Wᵀ, computed or kept. `weight` must live as long as this does: its place is its name.
    pub(super) fn product(&self, x: &Array2<f64>, weight: &Arc<Array2<f64>>) -> Array2<f64> {
        let key = (Arc::as_ptr(weight) as usize, hash(x));
        let known = self.kept(|kept| kept.products.get(&key).cloned());
        if let Some(known) = known.filter(|known| known.input == *x) {
            return known.output.clone();
        }
        let output = product(x, weight);
        self.kept(|kept| {
            let numbers = x.len() + output.len();
            if kept.numbers + numbers <= MOST && !kept.products.contains_key(&key) {
                kept.numbers += numbers;
                let product = Product { input: x.clone(), output: output.clone() };
                kept.products.insert(key, Arc::new(product));
            }
        });
        output
    }

    fn kept<R>(&self, look: impl FnOnce(&mut Kept) -> R) -> R {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn hash(x: &Array2<f64>) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write_usize(x.ncols());
    let mut state = 0u64;
    for value in x {
        state = (state.rotate_left(5) ^ value.to_bits()).wrapping_mul(0x517c_c1b7_2722_0a95);
    }
    hasher.write_u64(state);
    hasher.finish()
}

/// x Wᵀ.
pub(super) fn product(x: &Array2<f64>, weight: &Array2<f64>) -> Array2<f64> {
    let (x, weight) = (x.as_standard_layout(), weight.as_standard_layout());
    let mut out = Array2::zeros((x.nrows(), weight.nrows()));
    for (row, weight) in weight.outer_iter().enumerate() {
        for (token, x) in x.outer_iter().enumerate() {
            out[[token, row]] = match (x.as_slice(), weight.as_slice()) {
                (Some(x), Some(weight)) => dot(x, weight),
                (_, _) => x.iter().zip(weight).map(|(x, w)| x * w).sum(),
            };
        }
    }
    out
}

/// Σ a·b, as eight sums side by side.
pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut lanes = [0f64; 8];
    let (a, b) = (a.chunks_exact(lanes.len()), b.chunks_exact(lanes.len()));
    let rest: f64 = a.remainder().iter().zip(b.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in a.zip(b) {
        for (lane, (a, b)) in lanes.iter_mut().zip(a.iter().zip(b)) {
            *lane += a * b;
        }
    }
    lanes.iter().sum::<f64>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_product_that_is_kept_is_that_of_its_own_input_and_matrix() {
        let table = |seed: usize, rows: usize| {
            Array2::from_shape_fn((rows, 11), |(i, j)| ((seed + 7 * i + 3 * j) % 13) as f64 - 6.0)
        };
        let (memo, weights) = (Memo::default(), [Arc::new(table(1, 4)), Arc::new(table(2, 4))]);
        for _ in 0..2 {
            for weight in &weights {
                for x in [table(3, 5), table(4, 5), table(3, 2)] {
                    assert_eq!(memo.product(&x, weight), x.dot(&weight.t()));
                }
            }
        }
        assert_eq!(memo.kept(|kept| kept.products.len()), 6);
    }
}
