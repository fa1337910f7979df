//! The slice functions of every instruction set against f64, over whole ranges and every short length.

use camelid_kernels::{Backend, DeltaStep, Isa};
use proptest::prelude::*;

fn backends() -> impl Iterator<Item = Backend> {
    Isa::available().into_iter().map(|isa| Backend::serial().with_isa(isa).expect("available"))
}

/// Holds `ours` to `exact` within `relative` of the value, or `absolute`, whichever is larger.
fn check(
    ours: fn(&Backend, &mut [f32]),
    exact: fn(f64) -> f64,
    points: &[f32],
    (relative, absolute): (f64, f64),
) {
    for backend in backends() {
        let mut values = points.to_vec();
        ours(&backend, &mut values);
        for (&x, &y) in points.iter().zip(&values) {
            let wanted = exact(f64::from(x));
            let error = (f64::from(y) - wanted).abs();
            assert!(error <= absolute.max(relative * wanted.abs()), "{backend:?} f({x}) = {y}, not {wanted}");
        }
    }
}

/// 200,001 points from `low` to `high`, both within, and the same ones squeezed towards 0.
fn points(low: f32, high: f32) -> Vec<f32> {
    let line = (0..=200_000).map(|i| low + (high - low) * (i as f32 / 200_000.0));
    line.clone().chain(line.map(|x| x * x * x * 1e-4)).collect()
}

#[test]
fn exp_is_within_1e_7() {
    check(Backend::exp, f64::exp, &points(-87.3, 88.7), (1e-7, 0.0));
}

#[test]
fn exp_of_what_is_subnormal_or_beyond() {
    check(Backend::exp, f64::exp, &points(-104.0, -87.3)[..200_001], (1e-7, 1.5e-45));
    for backend in backends() {
        let mut x = [f32::NEG_INFINITY, -1e30, -110.0, 0.0, -0.0, 89.0, 1e30, f32::INFINITY, f32::NAN];
        backend.exp(&mut x);
        assert_eq!(
            x[..8],
            [0.0, 0.0, 0.0, 1.0, 1.0, f32::INFINITY, f32::INFINITY, f32::INFINITY],
            "{backend:?}"
        );
        assert!(x[8].is_nan(), "{backend:?}");
    }
}

#[test]
fn sigmoid_tanh_and_erf_are_within_3e_7() {
    check(Backend::sigmoid, |x| 1.0 / (1.0 + (-x).exp()), &points(-80.0, 100.0), (3e-7, 0.0));
    check(Backend::tanh, f64::tanh, &points(-20.0, 20.0), (3e-7, 0.0));
    check(Backend::erf, erf, &points(-6.0, 6.0), (3e-7, 0.0));
}

#[test]
fn sigmoid_tanh_and_erf_reach_their_limits_and_keep_nan() {
    let check = |f: fn(&Backend, &mut [f32]), limits: [f32; 2]| {
        for backend in backends() {
            let mut x = [f32::NEG_INFINITY, f32::INFINITY, f32::NAN];
            f(&backend, &mut x);
            assert_eq!(x[..2], limits, "{backend:?}");
            assert!(x[2].is_nan(), "{backend:?}");
        }
    };
    check(Backend::sigmoid, [0.0, 1.0]);
    check(Backend::tanh, [-1.0, 1.0]);
    check(Backend::erf, [-1.0, 1.0]);
}

#[test]
fn gates_are_within_4e_6() {
    fn sigmoid(x: f64) -> f64 {
        1.0 / (1.0 + (-x).exp())
    }
    // Beyond ±20 the sigmoid is 0 or 1 to f32, and the rounding of its argument would be what is measured.
    let x = points(-20.0, 20.0);
    check(|backend, x| backend.sigmoid_gate(x, 1.702, 0.0), |x| x * sigmoid(1.702 * x), &x, (4e-6, 0.0));
    let cubic = |x: f64| x * sigmoid(1.5 * (x + 0.05 * x * x * x));
    check(|backend, x| backend.sigmoid_gate(x, 1.5, 0.05), cubic, &points(-4.0, 20.0), (4e-6, 0.0));
}

/// 2/√π e^(−x²) Σ 2ⁿ x^(2n+1) / (2n+1)!!
fn erf(x: f64) -> f64 {
    let (mut term, mut sum, mut n) = (x, x, 1.0);
    while term.abs() > 1e-18 * sum.abs() {
        term *= 2.0 * x * x / (2.0 * n + 1.0);
        sum += term;
        n += 1.0;
    }
    std::f64::consts::FRAC_2_SQRT_PI * (-x * x).exp() * sum
}

fn pairs() -> impl Strategy<Value = (Vec<f32>, Vec<f32>)> {
    (0..150_usize).prop_flat_map(|length| {
        let values = || prop::collection::vec(-4.0_f32..4.0, length);
        (values(), values())
    })
}

proptest! {
    #[test]
    fn times_is_the_product_of_each((a, b) in pairs()) {
        for backend in backends() {
            let mut x = a.clone();
            backend.times(&mut x, &b);
            prop_assert_eq!(x, a.iter().zip(&b).map(|(a, b)| a * b).collect::<Vec<_>>());
        }
    }

    #[test]
    fn dot_is_the_sum_of_products((a, b) in pairs()) {
        let wide = || a.iter().zip(&b).map(|(a, b)| f64::from(*a) * f64::from(*b));
        let bound = 1e-6 * wide().map(f64::abs).sum::<f64>();
        for backend in backends() {
            let error = (f64::from(backend.dot(&a, &b)) - wide().sum::<f64>()).abs();
            prop_assert!(error <= bound, "{backend:?} {error} > {bound}");
        }
    }

    #[test]
    fn axpy_and_scale_round_each_element_once_or_twice((x, y) in pairs(), factor in -3.0_f32..3.0) {
        for backend in backends() {
            let (mut sum, mut scaled) = (y.clone(), x.clone());
            backend.axpy(factor, &x, &mut sum);
            backend.scale(factor, &mut scaled);
            for i in 0..x.len() {
                let product = f64::from(factor) * f64::from(x[i]);
                prop_assert_eq!(scaled[i], factor * x[i]);
                let error = (f64::from(sum[i]) - (product + f64::from(y[i]))).abs();
                prop_assert!(error <= 1.2e-7 * (product.abs() + f64::from(y[i].abs())), "{:?}", backend);
            }
        }
    }

    #[test]
    fn max_is_the_largest_and_exp_sum_the_softmax_weights((x, _) in pairs()) {
        for backend in backends() {
            let largest = x.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            prop_assert_eq!(backend.max(&x), largest);
            let (mut weights, mut exps) = (x.clone(), x.iter().map(|x| x - largest).collect::<Vec<_>>());
            let sum = backend.exp_sum(&mut weights, largest);
            backend.exp(&mut exps);
            prop_assert_eq!(&weights, &exps);
            let exact: f64 = weights.iter().copied().map(f64::from).sum();
            prop_assert!((f64::from(sum) - exact).abs() <= 1e-6 * exact, "{:?} {} {}", backend, sum, exact);
        }
    }
}

#[test]
#[should_panic(expected = "slices of 3 and 2 elements")]
fn dot_of_unequal_lengths_panics() {
    Backend::serial().dot(&[1.0; 3], &[1.0; 2]);
}

fn steps() -> impl Strategy<Value = (usize, Vec<f32>, Vec<f32>, Vec<f32>)> {
    (0..40_usize, 0..7_usize).prop_flat_map(|(keys, values)| {
        let numbers = |count: usize| prop::collection::vec(-1.0_f32..1.0, count);
        (Just(keys), numbers(keys * values), numbers(3 * keys), numbers(values + 1))
    })
}

proptest! {
    #[test]
    fn a_step_is_the_delta_rule((count, state, of_keys, of_values) in steps()) {
        let (decay, rest) = of_keys.split_at(count);
        let (key, query) = rest.split_at(count);
        let (rate, values) = of_values.split_first().expect("at least the rate");
        for backend in backends() {
            let (mut ours, mut out) = (state.clone(), vec![f32::NAN; values.len()]);
            let step = DeltaStep { decay, key, query, values, rate: *rate };
            backend.delta_step(step, &mut ours, &mut out);
            for (row, value) in values.iter().enumerate() {
                let at = |i: usize| row * count + i;
                let kept: Vec<f64> =
                    (0..count).map(|i| f64::from(state[at(i)]) * f64::from(decay[i])).collect();
                let told: f64 = (0..count).map(|i| kept[i] * f64::from(key[i])).sum();
                let lacks = f64::from(*rate) * (f64::from(*value) - told);
                let mut read = 0.0;
                for i in 0..count {
                    let wanted = kept[i] + lacks * f64::from(key[i]);
                    read += wanted * f64::from(query[i]);
                    prop_assert!((f64::from(ours[at(i)]) - wanted).abs() < 2e-5, "{backend:?}");
                }
                prop_assert!((f64::from(out[row]) - read).abs() < 1e-4, "{backend:?} {} {read}", out[row]);
            }
        }
    }
}
