//! Laws of ALiBi, on random counts of heads and random positions.

use camelid_alibi::{bias, slopes};
use proptest::prelude::*;

/// Whether each slope is the one before times one ratio, as far as f32 tells.
fn geometric(run: &[f32]) -> bool {
    run.windows(3).all(|three| {
        let [a, b, c] = [three[0], three[1], three[2]].map(f64::from);
        (b * b / (a * c) - 1.0).abs() <= 2.5e-7
    })
}

proptest! {
    #[test]
    fn slopes_are_geometric_in_two_interleaved_runs(heads in 1..=300_usize) {
        let slopes = slopes(heads);
        prop_assert_eq!(slopes.len(), heads);
        let lower = 1 << heads.ilog2();
        let (own, between) = slopes.split_at(lower);
        prop_assert!(geometric(own) && geometric(between));
        prop_assert_eq!(own[lower - 1], 1.0 / 256.0); // the last of a full run is 2⁻⁸ at any count
        for (index, slope) in between.iter().enumerate() {
            prop_assert!(*slope > own[index]);
            prop_assert!(index == 0 || *slope < own[index - 1]);
        }
    }

    #[test]
    fn slopes_are_positive_below_one_and_distinct(heads in 1..=300_usize) {
        let mut slopes = slopes(heads);
        prop_assert!(slopes.iter().all(|slope| (0.0..1.0).contains(slope) && *slope > 0.0));
        slopes.sort_by(f32::total_cmp);
        prop_assert!(slopes.windows(2).all(|pair| pair[0] < pair[1]));
    }

    #[test]
    fn bias_is_translation_invariant(slope in 1e-4..1.0_f32, query in 0..1_usize << 40, key in 0..1_usize << 40, shift in 0..1_usize << 40) {
        prop_assert_eq!(bias(slope, query, key).to_bits(), bias(slope, query + shift, key + shift).to_bits());
    }

    #[test]
    fn bias_falls_strictly_with_the_distance(slope in 1e-4..1.0_f32, key in 0..100_000_usize, near in 0..100_000_usize, further in 1..100_000_usize) {
        prop_assert!(bias(slope, key + near + further, key) < bias(slope, key + near, key));
        prop_assert_eq!(bias(slope, key, key), 0.0);
    }

    #[test]
    fn bias_is_linear_in_the_distance(slope in 1e-4..1.0_f32, key in 0..100_000_usize, distance in 0..100_000_usize) {
        let wanted = -f64::from(slope) * distance as f64;
        let found = f64::from(bias(slope, key + distance, key));
        prop_assert!((found - wanted).abs() <= 6e-8 * wanted.abs());
        prop_assert_eq!(bias(slope, key, key + distance), -bias(slope, key + distance, key));
    }

    #[test]
    fn softmax_cannot_tell_it_from_the_released_mask(slope in 1e-3..1.0_f32, scores in prop::collection::vec(-4.0..4.0_f64, 1..40)) {
        let query = scores.len() - 1;
        let weights = |bias: &dyn Fn(usize) -> f64| {
            let powers: Vec<f64> = scores.iter().enumerate().map(|(key, score)| (score + bias(key)).exp()).collect();
            let total: f64 = powers.iter().sum();
            powers.into_iter().map(|power| power / total).collect::<Vec<_>>()
        };
        let ours = weights(&|key| f64::from(bias(slope, query, key)));
        let released = weights(&|key| f64::from(slope) * key as f64);
        for (ours, released) in ours.iter().zip(released) {
            prop_assert!((ours - released).abs() <= 1e-5 * released);
        }
    }
}

#[test]
fn no_heads_have_no_slopes() {
    assert!(slopes(0).is_empty());
}
