//! Laws of norms, on random rows.

use camelid_norm::{Kind, Norm, Settings, offset_weight, unit_factor, unit_factors, unit_rows};
use ndarray::{Array1, Array2, Array3, ArrayView2, Axis, Slice, aview1};
use proptest::prelude::*;

/// Half a unit in the last place of an f32, relative, and a little for the f64 arithmetic before it.
const ROUNDED_ONCE: f64 = 6.0e-8;

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![Just(Kind::Rms), Just(Kind::Layer)]
}

/// Numbers of very different sizes.
fn number() -> impl Strategy<Value = f32> {
    (-1.0..1.0_f32, -12..12_i32).prop_map(|(mantissa, exponent)| mantissa * 2.0_f32.powi(exponent))
}

fn row(features: usize) -> impl Strategy<Value = Array1<f32>> {
    prop::collection::vec(number(), features).prop_map(Array1::from)
}

/// A row, a weight, a bias.
fn rows() -> impl Strategy<Value = [Array1<f32>; 3]> {
    (1..=70_usize).prop_flat_map(|features| [row(features), row(features), row(features)])
}

fn norm(kind: Kind, eps: f64, weight: &Array1<f32>, bias: Option<&Array1<f32>>) -> Norm {
    Norm::new(Settings { kind, eps }, weight.clone(), bias.cloned()).unwrap()
}

fn forward(norm: &Norm, x: &Array1<f32>) -> Array1<f32> {
    norm.forward(x.view().insert_axis(Axis(0))).remove_axis(Axis(0))
}

/// By definition, one feature at a time, in f64.
fn oracle(kind: Kind, eps: f64, x: &Array1<f32>, weight: &Array1<f32>) -> Vec<f64> {
    let x = x.mapv(f64::from);
    let center = match kind {
        Kind::Rms => 0.0,
        Kind::Layer => x.sum() / x.len() as f64,
    };
    let variance = x.iter().map(|x| (x - center).powi(2)).sum::<f64>() / x.len() as f64;
    x.iter().zip(weight).map(|(x, &w)| (x - center) / (variance + eps).sqrt() * f64::from(w)).collect()
}

/// How far f64 may move a centred feature: the mean is a sum of `features` numbers as large as the largest.
fn centering(x: &Array1<f32>, spread: f64) -> f64 {
    let largest = x.iter().fold(0.0_f64, |largest, &x| largest.max(x.abs().into()));
    4.0 * x.len() as f64 * f64::EPSILON * largest / spread
}

proptest! {
    #[test]
    fn a_row_is_normed_as_a_view_is(kind in kind(), [x, weight, bias] in rows()) {
        let norm = norm(kind, 1e-6, &weight, Some(&bias));
        let mut row = x.to_vec();
        norm.row(&mut row);
        prop_assert_eq!(Array1::from(row), forward(&norm, &x));
    }

    #[test]
    fn a_norm_equals_its_definition_rounded_once(kind in kind(), [x, weight, bias] in rows(), eps in 1e-7..1e-3_f64) {
        let plain = forward(&norm(kind, eps, &weight, None), &x);
        let shifted = forward(&norm(kind, eps, &weight, Some(&bias)), &x);
        let slack = centering(&x, eps.sqrt());
        for (feature, wanted) in oracle(kind, eps, &x, &weight).into_iter().enumerate() {
            let slack = slack * f64::from(weight[feature].abs());
            let off = (f64::from(plain[feature]) - wanted).abs();
            prop_assert!(off <= ROUNDED_ONCE * wanted.abs() + slack, "{} is not {}", plain[feature], wanted);
            let wanted = wanted + f64::from(bias[feature]);
            let off = (f64::from(shifted[feature]) - wanted).abs();
            prop_assert!(off <= ROUNDED_ONCE * wanted.abs() + slack + 1e-12, "{} is not {}", shifted[feature], wanted);
        }
    }

    #[test]
    fn a_long_row_is_as_exact_as_a_short_one(seed in 0..1000_u64) {
        let x: Array1<f32> = (0..16_384_u64).map(|i| ((i * 2_654_435_761 + seed * 97) % 4096) as f32 / 4096.0).collect();
        let weight = Array1::ones(x.len());
        let found = forward(&norm(Kind::Rms, 0.0, &weight, None), &x);
        for (found, wanted) in found.iter().zip(oracle(Kind::Rms, 0.0, &x, &weight)) {
            prop_assert!((f64::from(*found) - wanted).abs() <= ROUNDED_ONCE * wanted);
        }
    }

    #[test]
    fn rms_norm_is_scale_invariant_without_eps([x, weight, _] in rows(), scale in 1e-6..1e6_f64) {
        prop_assume!(x.iter().any(|&x| x != 0.0));
        let norm = norm(Kind::Rms, 0.0, &weight, None);
        let [once, scaled] = [forward(&norm, &x), forward(&norm, &x.mapv(|x| (f64::from(x) * scale) as f32))];
        for (once, scaled) in once.iter().zip(scaled) {
            // the scaled row is itself rounded, and so is its mean square
            prop_assert!((once - scaled).abs() <= 4.0 * f32::EPSILON * once.abs());
        }
    }

    #[test]
    fn eps_is_what_scale_invariance_lacks([x, weight, _] in rows(), eps in 1e-6..1.0_f64) {
        let large = forward(&norm(Kind::Rms, eps * 16.0, &weight, None), &(&x * 4.0));
        prop_assert_eq!(large, forward(&norm(Kind::Rms, eps, &weight, None), &x)); // powers of two: exactly
    }

    #[test]
    fn rms_norm_of_ones_has_root_mean_square_one([x, ..] in rows()) {
        prop_assume!(x.iter().any(|&x| x != 0.0));
        let y = forward(&norm(Kind::Rms, 0.0, &Array1::ones(x.len()), None), &x).mapv(f64::from);
        prop_assert!(((&y * &y).sum() / y.len() as f64 - 1.0).abs() <= 2.0 * ROUNDED_ONCE);
    }

    #[test]
    fn layer_norm_is_shift_invariant([x, weight, bias] in rows(), shift in -64..64_i32) {
        // Whole numbers of 2⁻¹⁰, so that shifting them rounds nothing.
        let x = x.mapv(|x| (x * 16.0).round() / 1024.0);
        let norm = norm(Kind::Layer, 1e-5, &weight, Some(&bias));
        let [still, shifted] = [forward(&norm, &x), forward(&norm, &(&x + shift as f32))];
        let slack = centering(&x.mapv(|x| x.abs() + 64.0), 1e-5_f64.sqrt());
        for ((still, shifted), w) in still.iter().zip(shifted).zip(&weight) {
            let bound = f64::from(2.0 * f32::EPSILON * still.abs()) + slack * f64::from(w.abs()) + 1e-12;
            prop_assert!(f64::from((still - shifted).abs()) <= bound, "{} is not {}", shifted, still);
        }
    }

    #[test]
    fn a_row_far_from_zero_is_as_exact_as_one_near_it(x in prop::collection::vec(0..32_i32, 2..=70)) {
        prop_assume!(x.iter().any(|&other| other != x[0]));
        let near: Array1<f32> = x.iter().map(|&halves| halves as f32 / 2.0).collect();
        let far = &near + 4_194_304.0; // 2²², beside which f32 still holds halves
        let norm = norm(Kind::Layer, 1e-6, &Array1::ones(x.len()), None);
        for (near, far) in forward(&norm, &near).iter().zip(forward(&norm, &far)) {
            prop_assert!((near - far).abs() <= 1e-6, "{far}, not {near}");
        }
    }

    #[test]
    fn layer_norm_is_rms_norm_of_what_is_centred([x, weight, _] in rows(), eps in 1e-6..1.0_f64) {
        let x: Array1<f32> = x.iter().map(|x| (x * 1024.0).round()).flat_map(|x| [x, -x]).collect();
        let weight: Array1<f32> = weight.iter().chain(&weight).copied().collect();
        let [layer, rms] = [Kind::Layer, Kind::Rms].map(|kind| forward(&norm(kind, eps, &weight, None), &x));
        prop_assert_eq!(layer, rms); // its mean is exactly zero
    }

    #[test]
    fn folding_an_offset_equals_the_definition([x, weight, _] in rows(), offset in -2.0..2.0_f32, eps in 1e-6..1e-3_f64) {
        let found = forward(&norm(Kind::Rms, eps, &Array1::from(offset_weight(weight.clone(), offset)), None), &x);
        let unit = oracle(Kind::Rms, eps, &x, &Array1::ones(x.len()));
        for ((found, unit), w) in found.iter().zip(unit).zip(&weight) {
            let wanted = unit * f64::from(offset + w); // the sum in f32, as the reference has it
            prop_assert!((f64::from(*found) - wanted).abs() <= ROUNDED_ONCE * wanted.abs() + 1e-40);
        }
    }

    #[test]
    fn every_form_gives_the_same_bits(
        kind in kind(),
        (x, weight, own) in (1..=4_usize, 1..=3_usize, 1..=40_usize).prop_flat_map(|(tokens, heads, head_dim)| {
            let x = row(tokens * heads * head_dim)
                .prop_map(move |x| x.into_shape_with_order((tokens, heads, head_dim)).unwrap());
            (x, row(head_dim), row(heads * head_dim))
        }),
    ) {
        let (tokens, heads, head_dim) = x.dim();
        let shared = norm(kind, 1e-5, &weight, Some(&weight));
        let flat = x.view().into_shape_with_order((tokens * heads, head_dim)).unwrap();
        let wanted = shared.forward(flat).into_shape_with_order(x.dim()).unwrap();
        let mut found = x.clone();
        shared.forward_heads(found.view_mut());
        prop_assert_eq!(&found, &wanted);
        let mut found = flat.to_owned();
        shared.forward_in_place(found.view_mut());
        prop_assert_eq!(found.into_shape_with_order(x.dim()).unwrap(), wanted);

        let mut found = x.clone();
        norm(kind, 1e-5, &own, Some(&own)).forward_heads(found.view_mut());
        for head in 0..heads {
            let own: Array1<f32> = own.iter().skip(head * head_dim).take(head_dim).copied().collect();
            let wanted = norm(kind, 1e-5, &own, Some(&own)).forward(x.index_axis(Axis(1), head));
            prop_assert_eq!(found.index_axis(Axis(1), head), wanted);
        }
    }

    #[test]
    fn a_view_is_normalised_as_its_copy_is(kind in kind(), x in (1..=4_usize, 1..=40_usize).prop_flat_map(|(rows, features)| {
        row(rows * 2 * features).prop_map(move |x| x.into_shape_with_order((rows, 2 * features)).unwrap())
    })) {
        let every_second = Slice::new(0, None, 2);
        let strided: ArrayView2<'_, f32> = x.slice_axis(Axis(1), every_second);
        let norm = norm(kind, 1e-5, &Array1::ones(strided.ncols()), None);
        let wanted = norm.forward(strided.as_standard_layout().view());
        prop_assert_eq!(&norm.forward(strided), &wanted);
        let mut whole = x.clone();
        norm.forward_in_place(whole.slice_axis_mut(Axis(1), every_second));
        prop_assert_eq!(whole.slice_axis(Axis(1), every_second), wanted);
        let between = Slice::new(1, None, 2);
        prop_assert_eq!(whole.slice_axis(Axis(1), between), x.slice_axis(Axis(1), between));
        let factors = unit_factors(strided.as_standard_layout().view());
        prop_assert_eq!(unit_factors(strided), factors);
    }

    #[test]
    fn unit_rows_have_length_one([x, ..] in rows()) {
        prop_assume!(x.iter().any(|&x| x != 0.0));
        let y = unit_rows(x.view().insert_axis(Axis(0))).mapv(f64::from);
        prop_assert!(((&y * &y).sum().sqrt() - 1.0).abs() <= 3.0 * ROUNDED_ONCE); // factor, product
    }

    #[test]
    fn unit_rows_point_where_they_pointed([x, ..] in rows()) {
        let factor = unit_factor(&x.to_vec());
        prop_assert!(factor > 0.0);
        prop_assert_eq!(unit_rows(x.view().insert_axis(Axis(0))).remove_axis(Axis(0)), x * factor);
    }
}

#[test]
fn a_row_of_zeros_stays_one_among_unit_rows() {
    assert_eq!(unit_rows(aview1(&[0.0; 3]).insert_axis(Axis(0))), Array2::<f32>::zeros((1, 3)));
    assert_eq!(unit_factor(&[0.0; 3]), 1e12);
    assert_eq!(unit_factor(&[3e-13, 4e-13]), 1e12); // shorter than the least length
    assert_eq!(unit_factor(&[3e30, 4e30]), 2e-31); // its square would be infinite in f32
}

#[test]
fn no_rows_are_normalised_to_no_rows() {
    let norm = norm(Kind::Layer, 1e-5, &Array1::ones(4), None);
    assert_eq!(norm.forward(Array2::zeros((0, 4)).view()), Array2::<f32>::zeros((0, 4)));
    norm.forward_heads(Array3::zeros((0, 2, 4)).view_mut());
}
