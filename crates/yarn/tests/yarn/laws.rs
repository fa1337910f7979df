//! Laws of YaRN, on random settings.

use camelid_rope::{Frequencies, Settings};
use camelid_yarn::Yarn;
use proptest::prelude::*;

fn settings() -> impl Strategy<Value = Settings> {
    let theta = prop_oneof![Just(1e4), Just(5e5), Just(1e6), 2.0..1e7_f64];
    (theta, 1..=128_usize, 0..=64_usize, 1..=200_000_usize).prop_map(|(theta, pairs, rest, context)| {
        Settings { theta, head_dim: 2 * pairs + rest, rotary_dim: 2 * pairs, context: Some(context) }
    })
}

fn yarn() -> impl Strategy<Value = Yarn> {
    (1.0..128.0_f64, 0.5..8.0_f64, 0.0..64.0_f64, any::<bool>()).prop_map(
        |(factor, slow, wider, truncate)| Yarn {
            beta_fast: slow + wider,
            beta_slow: slow,
            truncate,
            ..Yarn::new(factor)
        },
    )
}

proptest! {
    #[test]
    fn factor_one_is_the_identity(settings in settings(), yarn in yarn()) {
        let Frequencies { inverse, factor } = Yarn { factor: 1.0, ..yarn }.frequencies(&settings).unwrap();
        prop_assert_eq!(factor, 1.0);
        for (found, plain) in inverse.iter().zip(settings.inverse()) {
            // r · f + (1 − r) · f rounds up to three times
            prop_assert!((found - plain).abs() <= 4.0 * f64::EPSILON * plain, "{} is not {}", found, plain);
        }
    }

    #[test]
    fn every_frequency_lies_between_its_own_and_the_interpolated(settings in settings(), yarn in yarn()) {
        let found = yarn.frequencies(&settings).unwrap().inverse;
        for (found, plain) in found.iter().zip(settings.inverse()) {
            prop_assert!(*found <= plain * (1.0 + 1e-15));
            prop_assert!(*found >= plain / yarn.factor * (1.0 - 1e-15));
        }
    }

    /// Whatever the rounding to whole pairs, the band's ends stay where the turns are counted.
    #[test]
    fn fast_pairs_stay_and_slow_pairs_are_interpolated(
        pairs in 8..=128_usize,
        trained in 4_096..=200_000_usize,
        yarn in yarn(),
    ) {
        let settings = Settings {
            theta: 1e4, head_dim: 2 * pairs, rotary_dim: 2 * pairs, context: Some(trained),
        };
        let yarn = Yarn { truncate: false, ..yarn };
        let found = yarn.frequencies(&settings).unwrap().inverse;
        for (found, plain) in found.iter().zip(settings.inverse()) {
            let turns = trained as f64 * plain / std::f64::consts::TAU;
            if turns > yarn.beta_fast * 1.000_001 {
                prop_assert_eq!(*found, plain);
            } else if turns < yarn.beta_slow * 0.9 {
                prop_assert!((found * yarn.factor / plain - 1.0).abs() <= 1e-15);
            }
        }
    }

    #[test]
    fn attention_factor_grows_with_the_logarithm(settings in settings(), yarn in yarn()) {
        let factor = |factor| Yarn { factor, ..yarn.clone() }.frequencies(&settings).unwrap().factor;
        prop_assert!((factor(yarn.factor * 10.0) - factor(yarn.factor) - 0.1 * 10.0_f64.ln()).abs() <= 1e-14);
    }

    #[test]
    fn equal_mscales_cancel(settings in settings(), yarn in yarn(), mscale in 0.1..2.0_f64) {
        let yarn = Yarn { mscale: Some(mscale), mscale_all_dim: Some(mscale), ..yarn };
        prop_assert_eq!(yarn.frequencies(&settings).unwrap().factor, 1.0);
    }
}

const SETTINGS: Settings = Settings { theta: 1e4, head_dim: 64, rotary_dim: 64, context: Some(4096) };

/// Six tokens are just less than one turn of the fastest pair: both ends of the band fall on pair 0.
#[test]
fn a_band_of_no_width_is_a_step() {
    let settings = Settings { context: Some(6), ..SETTINGS };
    let found = Yarn::new(4.0).frequencies(&settings).unwrap().inverse;
    assert_eq!(found[0], 1.0);
    for (found, plain) in found.iter().zip(settings.inverse()).skip(1) {
        assert_eq!(*found, plain / 4.0);
    }
}

#[test]
fn an_mscale_of_zero_is_as_good_as_absent() {
    let plain = Yarn::new(4.0);
    for (mscale, all) in
        [(Some(0.0), Some(0.5)), (Some(0.5), Some(0.0)), (Some(0.5), None), (None, Some(0.5))]
    {
        let yarn = Yarn { mscale, mscale_all_dim: all, ..plain.clone() };
        assert_eq!(yarn.frequencies(&SETTINGS), plain.frequencies(&SETTINGS));
    }
}

#[test]
fn a_given_attention_factor_wins() {
    let yarn =
        Yarn { attention_factor: Some(1.5), mscale: Some(1.0), mscale_all_dim: Some(0.5), ..Yarn::new(4.0) };
    assert_eq!(yarn.frequencies(&SETTINGS).unwrap().factor, 1.5);
}

/// With a base this small, slow pairs would lie far behind the last: the band ends at rotary_dim − 1 = 7.
#[test]
fn a_band_that_would_end_behind_the_last_pair_ends_at_rotary_dim_less_one() {
    let settings = Settings { theta: 2.0, head_dim: 8, rotary_dim: 8, context: Some(1_000_000) };
    let found = Yarn { beta_fast: 1e6, ..Yarn::new(4.0) }.frequencies(&settings).unwrap().inverse;
    for (pair, (found, plain)) in found.iter().zip(settings.inverse()).enumerate() {
        let share = pair as f64 / 7.0;
        let wanted = plain * (share / 4.0 + 1.0 - share);
        assert!((found - wanted).abs() <= 1e-15, "pair {pair}: {found}, not {wanted}");
    }
}

#[test]
fn a_band_from_a_number_of_turns_to_the_same_is_allowed() {
    let yarn = Yarn { beta_fast: 2.0, beta_slow: 2.0, ..Yarn::new(4.0) };
    assert_eq!(yarn.check(&SETTINGS), Ok(()));
}
