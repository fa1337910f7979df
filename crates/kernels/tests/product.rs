//! Products of every instruction set, stored type and compute type against f64, and the laws of their bits.

use camelid_kernels::{Backend, Compute, Dtype, Isa, Meeting, Rows};
use half::{bf16, f16};
use proptest::prelude::*;

mod noise;

use noise::noise;

const DTYPES: [Dtype; 3] = [Dtype::F32, Dtype::Bf16, Dtype::F16];

/// A weight in one of the stored types.
enum Stored {
    F32(Vec<f32>),
    Bf16(Vec<bf16>),
    F16(Vec<f16>),
}

impl Stored {
    fn new(dtype: Dtype, values: &[f32]) -> Self {
        match dtype {
            Dtype::F32 => Self::F32(values.to_vec()),
            Dtype::Bf16 => Self::Bf16(values.iter().map(|&v| bf16::from_f32(v)).collect()),
            Dtype::F16 => Self::F16(values.iter().map(|&v| f16::from_f32(v)).collect()),
            Dtype::Blocks(_) => unreachable!("blocks have tests of their own"),
        }
    }

    fn rows(&self) -> Rows<'_> {
        match self {
            Self::F32(values) => Rows::F32(values),
            Self::Bf16(values) => Rows::Bf16(values),
            Self::F16(values) => Rows::F16(values),
        }
    }

    /// The values as they are after storing.
    fn widened(&self) -> Vec<f32> {
        match self {
            Self::F32(values) => values.clone(),
            Self::Bf16(values) => values.iter().map(|v| v.to_f32()).collect(),
            Self::F16(values) => values.iter().map(|v| v.to_f32()).collect(),
        }
    }
}

fn multiply(backend: &Backend, x: &[f32], tokens: usize, weight: Rows<'_>) -> Vec<f32> {
    let [out] = backend.multiply(x, tokens, [weight]);
    out
}

#[derive(Clone, Copy, Debug)]
struct Shape {
    tokens: usize,
    rows: usize,
    cols: usize,
}

impl Shape {
    fn operands(self, dtype: Dtype) -> (Vec<f32>, Stored) {
        (noise(self.tokens * self.cols, 1), Stored::new(dtype, &noise(self.rows * self.cols, 2)))
    }
}

/// Holds a product to the sum in f64: `relative` of the sum of the terms' sizes.
fn check(backend: &Backend, shape: Shape, dtype: Dtype, relative: f64) {
    let Shape { tokens, rows, cols } = shape;
    let (x, weight) = shape.operands(dtype);
    let (out, weight) = (multiply(backend, &x, tokens, weight.rows()), weight.widened());
    for t in 0..tokens {
        for o in 0..rows {
            let terms = (0..cols).map(|i| f64::from(x[t * cols + i]) * f64::from(weight[o * cols + i]));
            let bound = relative * terms.clone().map(f64::abs).sum::<f64>();
            let error = (f64::from(out[t * rows + o]) - terms.sum::<f64>()).abs();
            assert!(
                error <= bound,
                "{backend:?} {dtype:?} {shape:?} ({t}, {o}): error {error:e} over {bound:e}"
            );
        }
    }
}

fn check_all(shape: Shape) {
    for isa in Isa::available() {
        for dtype in DTYPES {
            let backend = Backend::serial().with_isa(isa).expect("available");
            check(&backend, shape, dtype, 5e-7);
            // A bf16 has 8 bits, so rounding one factor changes a term by 2⁻⁸ of itself at most.
            check(
                &backend.with_compute(Compute::Bf16),
                shape,
                dtype,
                if dtype == Dtype::Bf16 { 0.003_92 } else { 5e-7 },
            );
        }
    }
}

#[test]
fn shapes_off_the_nice_path() {
    for tokens in [1, 2, 3, 11, 12, 13, 61] {
        for (rows, cols) in
            [(1, 1), (1, 600), (3, 7), (5, 16), (31, 33), (32, 64), (33, 95), (70, 17), (193, 2)]
        {
            check_all(Shape { tokens, rows, cols });
        }
    }
}

#[test]
fn the_smallest_of_each_kind() {
    check_all(Shape { tokens: 2, rows: 3, cols: 19 });
    check_all(Shape { tokens: 9, rows: 5, cols: 19 });
}

#[test]
fn several_blocks_of_depth_and_of_rows() {
    check_all(Shape { tokens: 29, rows: 227, cols: 1043 });
    check_all(Shape { tokens: 130, rows: 64, cols: 576 });
}

#[test]
fn more_tokens_than_are_summed_at_a_time() {
    check_all(Shape { tokens: 601, rows: 9, cols: 420 });
}

#[test]
fn few_tokens_by_rows_too_long_to_stay_near() {
    check_all(Shape { tokens: 1, rows: 19, cols: 4500 });
    check_all(Shape { tokens: 2, rows: 9, cols: 8300 });
    check_all(Shape { tokens: 5, rows: 3, cols: 3001 });
}

#[test]
fn empty_shapes_give_nothing() {
    for tokens in [1, 20] {
        for backend in [Backend::serial(), Backend::new(2, Compute::Bf16)] {
            assert_eq!(multiply(&backend, &[], tokens, Rows::Bf16(&[])), []);
            assert_eq!(multiply(&backend, &vec![1.0; tokens * 4], tokens, Rows::F32(&[])), []);
            let none = [Rows::F32(&[]), Rows::F32(&[])];
            assert_eq!(backend.multiply_gated(&vec![1.0; tokens * 4], tokens, none, |_| ()), []);
            assert_eq!(backend.multiply_gated(&[], tokens, none, |_| ()), []);
            let [] = backend.multiply(&vec![1.0; tokens * 4], tokens, []);
        }
    }
    assert_eq!(multiply(&Backend::serial(), &[], 0, Rows::F32(&[1.0; 12])), []);
}

#[test]
#[should_panic(expected = "weight of 5 elements, not rows of 3")]
fn a_weight_of_another_shape_panics() {
    multiply(&Backend::serial(), &[0.0; 3], 1, Rows::F32(&[0.0; 5]));
}

#[test]
#[should_panic(expected = "7 activations for 2 tokens")]
fn activations_that_are_no_matrix_panic() {
    multiply(&Backend::serial(), &[0.0; 7], 2, Rows::F32(&[0.0; 6]));
}

#[test]
#[should_panic(expected = "weights of 2 and 3 rows")]
fn weights_that_cannot_meet_panic() {
    let weights = [Rows::F32(&[0.0; 6]), Rows::F32(&[0.0; 9])];
    Backend::serial().multiply_gated(&[0.0; 3], 1, weights, |_| ());
}

/// g − 2u, seen apart in each: the rows say which bias of theirs to add.
fn combine(Meeting { rows, width, gate, up }: Meeting<'_>) {
    for (gate, up) in gate.chunks_exact_mut(width).zip(up.chunks_exact(width)) {
        for ((row, gate), up) in rows.clone().zip(gate).zip(up) {
            *gate += row as f32 - 2.0 * up;
        }
    }
}

#[test]
fn pairs_round_activations_to_bf16_and_nothing_else() {
    // What bf16 holds is not changed, so the products must be as exact as in f32.
    let shape = Shape { tokens: 30, rows: 40, cols: 70 };
    let (x, weight) = shape.operands(Dtype::Bf16);
    let x: Vec<f32> = x.iter().map(|&x| bf16::from_f32(x).to_f32()).collect();
    for isa in Isa::available() {
        let backend = Backend::serial().with_isa(isa).expect("available");
        let exact = multiply(&backend, &x, shape.tokens, weight.rows());
        let ours = multiply(&backend.with_compute(Compute::Bf16), &x, shape.tokens, weight.rows());
        let far = exact.iter().zip(&ours).find(|(a, b)| (**a - **b).abs() > 1e-5);
        assert_eq!(far, None, "{isa:?}");
    }
}

fn shapes() -> impl Strategy<Value = Shape> {
    (1..70_usize, 1..140_usize, 1..700_usize).prop_map(|(tokens, rows, cols)| Shape { tokens, rows, cols })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_product_is_the_sum_of_products(shape in shapes()) {
        check_all(shape);
    }

    #[test]
    fn any_number_of_threads_gives_the_same_bits(shape in shapes(), compute in prop::sample::select(vec![Compute::F32, Compute::Bf16])) {
        for dtype in DTYPES {
            let (x, weight) = shape.operands(dtype);
            let of = |threads| multiply(&Backend::new(threads, compute), &x, shape.tokens, weight.rows());
            let serial = of(1);
            for threads in [2, 3, 7] {
                prop_assert!(of(threads) == serial, "{threads} threads, {dtype:?}");
            }
        }
    }

    #[test]
    fn half_weights_give_the_bits_of_the_same_values_in_f32(shape in shapes()) {
        for isa in Isa::available() {
            let backend = Backend::serial().with_isa(isa).expect("available");
            for dtype in [Dtype::Bf16, Dtype::F16] {
                let (x, weight) = shape.operands(dtype);
                let widened = weight.widened();
                let ours = multiply(&backend, &x, shape.tokens, weight.rows());
                let wide = multiply(&backend, &x, shape.tokens, Rows::F32(&widened));
                prop_assert!(ours == wide, "{isa:?} {dtype:?}");
            }
        }
    }

    #[test]
    fn a_token_is_the_same_bits_in_any_company(shape in shapes(), others in 8..90_usize) {
        let all = Shape { tokens: shape.tokens.max(8) + others, ..shape };
        for isa in Isa::available() {
            for (dtype, compute) in DTYPES.map(|dtype| (dtype, Compute::F32)).into_iter().chain([(Dtype::Bf16, Compute::Bf16)]) {
                let backend = Backend::serial().with_isa(isa).expect("available").with_compute(compute);
                let (x, weight) = all.operands(dtype);
                let first = multiply(&backend, &x[..others * shape.cols], others, weight.rows());
                let together = multiply(&backend, &x, all.tokens, weight.rows());
                prop_assert!(together[..first.len()] == first, "{isa:?} {dtype:?} {compute:?}");
            }
        }
    }

    #[test]
    fn one_by_one_any_number_of_tokens_gives_the_bits_of_each_alone(shape in shapes(), tokens in 8..70_usize) {
        let all = Shape { tokens, ..shape };
        for isa in Isa::available() {
            for (dtype, compute) in DTYPES.map(|dtype| (dtype, Compute::F32)).into_iter().chain([(Dtype::Bf16, Compute::Bf16)]) {
                let backend = Backend::new(2, compute).with_isa(isa).expect("available");
                let (x, weight) = all.operands(dtype);
                let together = multiply(&backend.one_by_one(), &x, tokens, weight.rows());
                let gated = backend.one_by_one().multiply_gated(&x, tokens, [weight.rows(), weight.rows()], combine);
                for (token, x) in x.chunks_exact(shape.cols).enumerate() {
                    let own = token * shape.rows..(token + 1) * shape.rows;
                    let alone = multiply(&backend, x, 1, weight.rows());
                    prop_assert!(together[own.clone()] == alone, "{isa:?} {dtype:?} {compute:?}");
                    let alone = backend.multiply_gated(x, 1, [weight.rows(), weight.rows()], combine);
                    prop_assert!(gated[own] == alone, "gated {isa:?} {dtype:?} {compute:?}");
                }
            }
        }
    }

    #[test]
    fn two_products_meet_as_they_would_afterwards(shape in shapes(), dtypes in prop::array::uniform2(prop::sample::select(&DTYPES))) {
        let x = noise(shape.tokens * shape.cols, 3);
        let weights = [4, 5].map(|seed| noise(shape.rows * shape.cols, seed));
        let [gate, up] = [0, 1].map(|i| Stored::new(dtypes[i], &weights[i]));
        for (isa, compute) in Isa::available().into_iter().flat_map(|isa| [(isa, Compute::F32), (isa, Compute::Bf16)]) {
            let backend = Backend::new(2, compute).with_isa(isa).expect("available");
            let [mut expected, mut other] = backend.multiply(&x, shape.tokens, [gate.rows(), up.rows()]);
            combine(Meeting { rows: 0..shape.rows, width: shape.rows, gate: &mut expected, up: &mut other });
            let ours = backend.multiply_gated(&x, shape.tokens, [gate.rows(), up.rows()], combine);
            prop_assert!(ours == expected, "{isa:?} {compute:?}");
        }
    }

    #[test]
    fn products_that_share_x_equal_each_by_itself(shape in shapes(), others: [(u8, prop::sample::Index); 3]) {
        for compute in [Compute::F32, Compute::Bf16] {
            let backend = Backend::new(2, compute);
            let x = noise(shape.tokens * shape.cols, 3);
            let weights = others.map(|(rows, dtype)| {
                Stored::new(*dtype.get(&DTYPES), &noise(usize::from(rows) / 3 * shape.cols, 4))
            });
            let [a, b, c] = &weights;
            let together = backend.multiply(&x, shape.tokens, [a.rows(), b.rows(), c.rows()]);
            for (weight, out) in weights.iter().zip(together) {
                prop_assert!(out == multiply(&backend, &x, shape.tokens, weight.rows()));
            }
        }
    }
}
