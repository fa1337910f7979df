//! Laws of rotary embedding, on random settings, positions and heads.

use camelid_rope::{Frequencies, Pairing, Rope, Scaling, Settings, Table};
use ndarray::{Array1, Array3, ArrayView3, Axis, Slice};
use proptest::prelude::*;

/// Each feature is rounded four times (cos, sin, two products and a sum), each by half of 2⁻²³ of at most |x|.
const FEATURE: f64 = 4e-7;

fn settings() -> impl Strategy<Value = Settings> {
    let theta = prop_oneof![Just(1e4), Just(5e5), 2.0..1e7_f64];
    (theta, 1..=32_usize, 0..=7_usize, 1..=10_000_usize).prop_map(|(theta, pairs, rest, context)| Settings {
        theta,
        head_dim: 2 * pairs + rest,
        rotary_dim: 2 * pairs,
        context: Some(context),
    })
}

fn pairing() -> impl Strategy<Value = Pairing> {
    prop_oneof![Just(Pairing::Half), Just(Pairing::Adjacent)]
}

/// Settings, and two heads of their size.
fn heads() -> impl Strategy<Value = (Settings, Array1<f32>, Array1<f32>)> {
    settings().prop_flat_map(|settings| {
        let head = || prop::collection::vec(-4.0..4.0_f32, settings.head_dim).prop_map(Array1::from);
        (Just(settings), head(), head())
    })
}

fn plain(settings: Settings) -> Frequencies {
    Rope::new(settings, Scaling::default()).unwrap().frequencies(1)
}

/// One head at one position, turned.
fn turned(head: &Array1<f32>, position: usize, frequencies: &Frequencies, pairing: Pairing) -> Array1<f32> {
    let mut x = head.clone().into_shape_with_order((1, 1, head.len())).unwrap();
    Table::new(frequencies, &[position]).turn(x.view_mut(), pairing);
    x.into_shape_with_order(head.len()).unwrap()
}

fn dot(a: &Array1<f32>, b: &Array1<f32>) -> f64 {
    a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum()
}

fn length(a: &Array1<f32>) -> f64 {
    dot(a, a).sqrt()
}

#[track_caller]
fn assert_features_close(found: &Array1<f32>, wanted: &Array1<f32>, bound: f64) {
    for (index, (found, wanted)) in found.iter().zip(wanted).enumerate() {
        let off = (f64::from(*found) - f64::from(*wanted)).abs();
        assert!(off <= bound, "feature {index}: {found:e}, not {wanted:e}");
    }
}

proptest! {
    #[test]
    fn a_slice_turns_as_a_view_does((settings, q, k) in heads(), first in 0..100_000_usize, pairing in pairing()) {
        let table = Table::new(&plain(settings), &[first, first + 1]);
        let rows = [&q, &k, &k, &q].map(|head| head.to_vec()).concat(); // two tokens of two heads
        let mut view = Array3::from_shape_vec((2, 2, q.len()), rows.clone()).unwrap();
        let mut slice = rows;
        table.turn(view.view_mut(), pairing);
        table.turn_slice(&mut slice, 2, pairing);
        prop_assert_eq!(view.as_slice().unwrap(), slice);
    }

    #[test]
    fn what_is_moved_is_as_if_turned_elsewhere((settings, q, _) in heads(), from in 0..5_000_usize, to in 0..5_000_usize, factor in 0.5..2.0_f64, pairing in pairing()) {
        let frequencies = Frequencies { factor, ..plain(settings) };
        let mut moved = turned(&q, from, &frequencies, pairing).to_vec();
        Table::moving(&frequencies, &[to as isize - from as isize]).turn_slice(&mut moved, 1, pairing);
        assert_features_close(&Array1::from(moved), &turned(&q, to, &frequencies, pairing), 40.0 * FEATURE);
    }

    #[test]
    fn a_turn_is_orthogonal((settings, q, k) in heads(), position in 0..1_000_000_usize, pairing in pairing()) {
        let frequencies = plain(settings);
        let [qt, kt] = [&q, &k].map(|head| turned(head, position, &frequencies, pairing));
        prop_assert!((dot(&qt, &kt) - dot(&q, &k)).abs() <= 2.0 * FEATURE * length(&q) * length(&k));
    }

    #[test]
    fn a_turn_preserves_the_length_of_every_pair((settings, q, _) in heads(), position in 0..1_000_000_usize) {
        let qt = turned(&q, position, &plain(settings), Pairing::Adjacent);
        for (pair, pair_t) in q.exact_chunks(2).into_iter().zip(qt.exact_chunks(2)) {
            let [length, length_t] = [pair, pair_t].map(|pair| length(&pair.to_owned()));
            prop_assert!((length - length_t).abs() <= FEATURE * length);
        }
    }

    #[test]
    fn scores_are_relative(
        (settings, q, k) in heads(),
        [i, j] in [0..5_000_usize, 0..5_000],
        shift in 0..100_000_usize,
        pairing in pairing(),
    ) {
        let frequencies = plain(settings);
        let score = |i, j| dot(&turned(&q, i, &frequencies, pairing), &turned(&k, j, &frequencies, pairing));
        prop_assert!((score(i, j) - score(i + shift, j + shift)).abs() <= 4.0 * FEATURE * length(&q) * length(&k));
    }

    #[test]
    fn turns_compose((settings, q, _) in heads(), [i, j] in [0..100_000_usize, 0..100_000], pairing in pairing()) {
        let frequencies = plain(settings);
        let twice = turned(&turned(&q, i, &frequencies, pairing), j, &frequencies, pairing);
        assert_features_close(&twice, &turned(&q, i + j, &frequencies, pairing), 3.0 * FEATURE * 6.0);
    }

    #[test]
    fn position_zero_is_the_identity((settings, q, _) in heads(), pairing in pairing()) {
        prop_assert_eq!(turned(&q, 0, &plain(settings), pairing), q);
    }

    #[test]
    fn features_beyond_rotary_dim_pass_through((settings, q, _) in heads(), position in 1..9_999_usize, pairing in pairing()) {
        let qt = turned(&q, position, &plain(settings), pairing);
        prop_assert_eq!(&qt.to_vec()[settings.rotary_dim..], &q.to_vec()[settings.rotary_dim..]);
    }

    #[test]
    fn pairings_are_the_same_up_to_a_permutation((settings, q, _) in heads(), position in 0..100_000_usize) {
        let frequencies = plain(settings);
        let pairs = settings.rotary_dim / 2;
        // Feature 2i of the adjacent order is i of the half order, 2i + 1 is i + pairs.
        let place = |feature: usize| match feature {
            f if f < 2 * pairs => f / 2 + f % 2 * pairs,
            f => f,
        };
        let adjacent: Array1<f32> = (0..q.len()).map(|feature| q[place(feature)]).collect();
        let half = turned(&q, position, &frequencies, Pairing::Half);
        let adjacent = turned(&adjacent, position, &frequencies, Pairing::Adjacent);
        prop_assert_eq!(adjacent, (0..q.len()).map(|feature| half[place(feature)]).collect::<Array1<f32>>());
    }

    #[test]
    fn a_factor_multiplies_what_turns((settings, q, _) in heads(), position in 0..100_000_usize, pairing in pairing()) {
        let unit = plain(settings);
        let double = Frequencies { factor: 2.0, ..unit.clone() };
        let [once, twice] = [unit, double].map(|frequencies| turned(&q, position, &frequencies, pairing));
        let once = (0..q.len()).map(|feature| if feature < settings.rotary_dim { 2.0 } else { 1.0 } * once[feature]);
        prop_assert_eq!(twice, once.collect::<Array1<f32>>());
    }

    #[test]
    fn a_view_turns_as_its_copy_does(
        x in (1..=4_usize, 1..=3_usize, 1..=6_usize).prop_flat_map(|(tokens, heads, pairs)| {
            let shape = (2 * tokens, heads, 4 * pairs);
            prop::collection::vec(-4.0..4.0_f32, shape.0 * shape.1 * shape.2)
                .prop_map(move |values| Array3::from_shape_vec(shape, values).unwrap())
        }),
        pairing in pairing(),
    ) {
        let (tokens, _, head_dim) = x.dim();
        let half = plain(Settings { theta: 1e4, head_dim, rotary_dim: head_dim / 2, context: None });
        let positions: Vec<usize> = (0..tokens).map(|token| 7 * token % 5).collect();
        let copy_turned = |view: ArrayView3<'_, f32>, positions: &[usize]| {
            let mut copy = view.as_standard_layout().into_owned();
            Table::new(&half, positions).turn(copy.view_mut(), pairing);
            copy
        };
        // The second half of each head; every second feature; every second token.
        let parts = [(Axis(2), Slice::from(head_dim / 2..)), (Axis(2), Slice::new(0, None, 2)), (Axis(0), Slice::new(0, None, 2))];
        for (axis, part) in parts {
            let mut whole = x.clone();
            let before = x.slice_axis(axis, part);
            let rows = positions[..before.dim().0].to_vec();
            let wanted = copy_turned(before, &rows);
            Table::new(&half, &rows).turn(whole.slice_axis_mut(axis, part), pairing);
            prop_assert_eq!(whole.slice_axis(axis, part), wanted);
            whole.slice_axis_mut(axis, part).assign(&before);
            prop_assert_eq!(&whole, &x, "what lies outside the view has changed");
        }
    }

    #[test]
    fn linear_scaling_divides_positions((settings, q, _) in heads(), position in 0..1_000_usize, factor in 1..=64_usize) {
        let scaled = Rope::new(settings, Scaling::Linear { factor: factor as f64 }).unwrap().frequencies(1);
        let found = turned(&q, position * factor, &scaled, Pairing::Half);
        assert_features_close(&found, &turned(&q, position, &plain(settings), Pairing::Half), FEATURE * 6.0);
    }

    #[test]
    fn dynamic_ntk_within_the_trained_length_is_the_identity(settings in settings(), factor in 1.0..16.0_f64, part in 0.0..=1.0_f64) {
        let scaling = Scaling::Dynamic { factor, original_max_position_embeddings: None };
        let length = (settings.context.unwrap() as f64 * part) as usize;
        let found = Rope::new(settings, scaling).unwrap().frequencies(length);
        let wanted = plain(settings);
        prop_assert_eq!(found.factor, 1.0);
        for (found, wanted) in found.inverse.iter().zip(wanted.inverse) {
            prop_assert!((found - wanted).abs() <= 1e-13 * wanted); // factor · 1 − (factor − 1) is 1 but for rounding
        }
    }

    /// It is what the exponent d/(d−2) is for.
    #[test]
    fn dynamic_ntk_keeps_the_fastest_pair_and_stretches_the_slowest(settings in settings(), factor in 1.0..16.0_f64, length in 1..100_000_usize) {
        prop_assume!(settings.rotary_dim > 2);
        let scaling = Scaling::Dynamic { factor, original_max_position_embeddings: settings.context };
        let found = Rope::new(settings, scaling).unwrap().frequencies(length).inverse;
        let plain = plain(settings).inverse;
        let ratio = (length as f64 / settings.context.unwrap() as f64).max(1.0);
        let stretch = 1.0 + factor * (ratio - 1.0);
        prop_assert_eq!(found[0], 1.0);
        let slowest = plain.len() - 1;
        prop_assert!((plain[slowest] / found[slowest] / stretch - 1.0).abs() <= 1e-11);
    }

    #[test]
    fn stepped_ntk_moves_just_beyond_each_doubling(settings in settings(), doublings in 0..20_u32) {
        let rope = Rope::new(settings, Scaling::Stepped {}).unwrap();
        let at = |length| rope.frequencies(length);
        let edge = settings.context.unwrap() << doublings;
        prop_assert_eq!(at(edge), at(edge / 2 + 1));
        if settings.rotary_dim > 2 {
            prop_assert!(at(edge + 1).inverse.last() < at(edge).inverse.last());
        }
        prop_assert_eq!(at(settings.context.unwrap()).inverse, settings.inverse());
    }

    #[test]
    fn llama3_scaling_inside_the_high_band_is_the_identity(
        settings in settings(),
        factor in 1.0..64.0_f64,
        (low, wider) in (0.0..8.0_f64, 0.1..8.0_f64),
        trained in 1..200_000_usize,
    ) {
        let high = low + wider;
        let scaling = Scaling::Llama3 {
            factor,
            low_freq_factor: low,
            high_freq_factor: high,
            original_max_position_embeddings: trained,
        };
        let found = Rope::new(settings, scaling).unwrap().frequencies(1).inverse;
        for (found, plain) in found.into_iter().zip(settings.inverse()) {
            let turns = trained as f64 * plain / std::f64::consts::TAU;
            if turns >= high * (1.0 + 1e-14) {
                prop_assert_eq!(found, plain);
            } else if turns <= low * (1.0 - 1e-14) {
                prop_assert_eq!(found, plain / factor);
            } else {
                prop_assert!(found <= plain * (1.0 + 1e-15) && found >= plain / factor * (1.0 - 1e-15));
            }
        }
    }

    #[test]
    fn longrope_with_factors_of_one_is_the_identity(settings in settings(), length in 1..20_000_usize) {
        let ones = vec![1.0; settings.rotary_dim / 2];
        let scaling = Scaling::LongRope {
            short_factor: ones.clone(),
            long_factor: ones,
            factor: Some(1.0),
            attention_factor: None,
            original_max_position_embeddings: Some(2),
        };
        prop_assert_eq!(Rope::new(settings, scaling).unwrap().frequencies(length), plain(settings));
    }

    #[test]
    fn longrope_changes_lists_just_beyond_the_trained_length(settings in settings(), trained in 2..20_000_usize) {
        let pairs = settings.rotary_dim / 2;
        let scaling = Scaling::LongRope {
            short_factor: vec![2.0; pairs],
            long_factor: vec![4.0; pairs],
            factor: Some(trained as f64), // √(1 + ln n / ln n)
            attention_factor: None,
            original_max_position_embeddings: Some(trained),
        };
        let rope = Rope::new(settings, scaling).unwrap();
        prop_assert_eq!(rope.frequencies(trained).inverse[0], 0.5);
        prop_assert_eq!(rope.frequencies(trained + 1).inverse[0], 0.25);
        prop_assert!((rope.frequencies(1).factor - 2.0_f64.sqrt()).abs() <= 1e-15);
    }

    #[test]
    fn lengths_matter_only_where_it_is_said(settings in settings(), factor in 1.5..8.0_f64, length in 1..100_000_usize) {
        let llama3 = Scaling::Llama3 {
            factor, low_freq_factor: 1.0, high_freq_factor: 4.0, original_max_position_embeddings: 64,
        };
        let lists = |long: f64| Scaling::LongRope {
            short_factor: vec![factor; settings.rotary_dim / 2],
            long_factor: vec![long; settings.rotary_dim / 2],
            factor: Some(4.0),
            attention_factor: None,
            original_max_position_embeddings: Some(64),
        };
        prop_assert!(Rope::new(settings, lists(2.0 * factor)).unwrap().depends_on_length());
        for scaling in [Scaling::default(), Scaling::Linear { factor }, llama3, lists(factor)] {
            let rope = Rope::new(settings, scaling.clone()).unwrap();
            prop_assert_eq!(rope.scaling(), &scaling);
            prop_assert!(!rope.depends_on_length());
            prop_assert_eq!(rope.frequencies(length), rope.frequencies(1));
        }
    }
}
