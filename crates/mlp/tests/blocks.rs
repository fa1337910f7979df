//! MLP blocks against the definition in f64, and what `new` refuses.

use camelid_kernels::{Backend, Compute};
use camelid_linear::{Linear, Weight};
use camelid_mlp::{Activation, Layers, Mlp};
use ndarray::{Array2, ArrayView1};
use proptest::prelude::*;

/// A layer with its numbers in f64.
#[derive(Clone, Debug)]
struct Known {
    weight: Array2<f32>,
    bias: Option<Vec<f32>>,
}

impl Known {
    fn layer(&self) -> Linear {
        let [rows, cols] = *self.weight.shape() else { unreachable!() };
        Linear {
            weight: Weight::from_f32(rows, cols, self.weight.as_slice().expect("row-major")),
            bias: self.bias.clone(),
        }
    }

    fn apply(&self, x: &[f64]) -> Vec<f64> {
        let bias = |row: usize| self.bias.as_ref().map_or(0.0, |bias| f64::from(bias[row]));
        let rows = self.weight.outer_iter().enumerate();
        rows.map(|(row, w)| w.iter().zip(x).map(|(w, x)| f64::from(*w) * x).sum::<f64>() + bias(row))
            .collect()
    }

    /// Σ |terms| of each result: what its rounding is measured against.
    fn size(&self, x: &[f64]) -> Vec<f64> {
        let size = |(row, w): (usize, ArrayView1<'_, f32>)| {
            let bias = self.bias.as_ref().map_or(0.0, |bias| f64::from(bias[row]).abs());
            w.iter().zip(x).map(|(w, x)| (f64::from(*w) * x).abs()).sum::<f64>() + bias
        };
        self.weight.outer_iter().enumerate().map(size).collect()
    }
}

fn known(rows: usize, cols: usize) -> impl Strategy<Value = Known> {
    let numbers = |count| prop::collection::vec(-1.0..1.0f32, count);
    (numbers(rows * cols), proptest::option::of(numbers(rows))).prop_map(move |(weight, bias)| Known {
        weight: Array2::from_shape_vec((rows, cols), weight).expect("as many as the shape holds"),
        bias,
    })
}

/// x, gate, up, down
fn blocks() -> impl Strategy<Value = (Array2<f32>, Known, Known, Known)> {
    (0..6usize, 1..20usize, 1..40usize, 1..20usize).prop_flat_map(|(tokens, inputs, width, outputs)| {
        let x = prop::collection::vec(-2.0..2.0f32, tokens * inputs).prop_map(move |x| {
            Array2::from_shape_vec((tokens, inputs), x).expect("as many as the shape holds")
        });
        (x, known(width, inputs), known(width, inputs), known(outputs, width))
    })
}

fn silu(x: f64) -> f64 {
    x / (1.0 + (-x).exp())
}

/// `inner` gives what down reads.
fn compare(
    mlp: &Mlp,
    x: &Array2<f32>,
    down: &Known,
    inner: impl Fn(&[f64]) -> Vec<f64>,
) -> Result<(), TestCaseError> {
    let y = mlp.forward(x.view(), &Backend::serial());
    for (x, y) in x.outer_iter().zip(y.outer_iter()) {
        let inner = inner(&x.iter().map(|&x| f64::from(x)).collect::<Vec<_>>());
        for ((y, expected), size) in y.iter().zip(down.apply(&inner)).zip(down.size(&inner)) {
            prop_assert!(
                (f64::from(*y) - expected).abs() <= 2e-6 * (1.0 + size),
                "{} is not {}",
                y,
                expected
            );
        }
    }
    for threads in [2, 5] {
        prop_assert_eq!(
            &mlp.forward(x.view(), &Backend::new(threads, Compute::F32)),
            &y,
            "{} threads",
            threads
        );
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn gated_equals_the_oracle_on_any_number_of_threads((x, gate, up, down) in blocks()) {
        let layers = Layers::Gated { gate: gate.layer(), up: up.layer(), down: down.layer() };
        let mlp = Mlp::new(layers, Activation::Silu).unwrap();
        compare(&mlp, &x, &down, |x| gate.apply(x).into_iter().zip(up.apply(x)).map(|(g, u)| silu(g) * u).collect())?;
    }

    #[test]
    fn plain_equals_the_oracle_on_any_number_of_threads((x, _, up, down) in blocks()) {
        let mlp = Mlp::new(Layers::Plain { up: up.layer(), down: down.layer() }, Activation::Silu).unwrap();
        compare(&mlp, &x, &down, |x| up.apply(x).into_iter().map(silu).collect())?;
    }
}

#[test]
fn many_tokens_are_activated_in_parts() {
    let (tokens, width) = (5, 4001); // parts of the activation end within rows
    let column = |factor: f32| Array2::from_shape_fn((width, 1), |(row, _)| (row as f32 * factor).sin());
    let [gate, up] = [0.37, 0.11].map(|factor| Known { weight: column(factor), bias: None });
    let down = Known { weight: column(0.7).reversed_axes().as_standard_layout().into_owned(), bias: None };
    let layers = Layers::Gated { gate: gate.layer(), up: up.layer(), down: down.layer() };
    let x = Array2::from_shape_fn((tokens, 1), |(token, _)| token as f32 - 1.5);
    let mlp = Mlp::new(layers, Activation::Silu).unwrap();
    compare(&mlp, &x, &down, |x| {
        gate.apply(x).into_iter().zip(up.apply(x)).map(|(g, u)| silu(g) * u).collect()
    })
    .unwrap();
}

#[test]
fn layers_that_do_not_fit_are_refused() {
    let layer = |rows: usize, cols: usize| Linear {
        weight: Weight::from_f32(rows, cols, &vec![0.0; rows * cols]),
        bias: None,
    };
    let biased = |rows, cols, bias| Linear { bias: Some(vec![0.0; bias]), ..layer(rows, cols) };
    let check = |layers, message: &str| {
        assert_eq!(Mlp::new(layers, Activation::Relu).unwrap_err().to_string(), message);
    };
    let gated = |gate, up, down| Layers::Gated { gate, up, down };
    check(gated(layer(5, 3), layer(6, 3), layer(3, 6)), "gate [5, 3] and up [6, 3] differ in shape");
    check(gated(layer(6, 3), layer(6, 4), layer(3, 6)), "gate [6, 3] and up [6, 4] differ in shape");
    check(gated(layer(6, 3), layer(6, 3), layer(3, 5)), "down [3, 5] can't read the 6 features of up");
    check(gated(biased(6, 3, 7), layer(6, 3), layer(3, 6)), "the bias of gate has 7 elements for 6 rows");
    check(
        Layers::Plain { up: biased(6, 3, 3), down: layer(3, 6) },
        "the bias of up has 3 elements for 6 rows",
    );
    check(
        Layers::Plain { up: layer(6, 3), down: biased(3, 6, 6) },
        "the bias of down has 6 elements for 3 rows",
    );
}
