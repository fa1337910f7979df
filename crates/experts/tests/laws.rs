//! What holds of every router.

use camelid_experts::{Choice, GroupBy, Over, Router, Score, Settings};
use camelid_kernels::Backend;
use camelid_linear::{Linear, Weight};
use ndarray::Array2;
use proptest::prelude::*;

const EXPERTS: usize = 8;

fn routed(settings: Settings, results: &[f32], correction: Option<Vec<f32>>) -> Choice {
    let linear = Linear { weight: Weight::from_f32(EXPERTS, 1, results), bias: None };
    let mut router = Router::new(settings, linear).expect("it fits");
    if let Some(correction) = correction {
        router = router.with_correction(correction).expect("it fits");
    }
    router.route(Array2::ones((1, 1)).view(), &Backend::serial())
}

fn results() -> impl Strategy<Value = Vec<f32>> {
    prop::collection::vec(-4.0..4.0f32, EXPERTS)
}

fn scores() -> impl Strategy<Value = Score> {
    prop::sample::select(vec![Score::Softmax, Score::Sigmoid, Score::SqrtSoftplus])
}

fn close(a: &Choice, b: &Choice) -> bool {
    a.experts == b.experts && a.weights.iter().zip(&b.weights).all(|(a, b)| (a - b).abs() <= 1e-6)
}

proptest! {
    #[test]
    fn a_correction_chooses_and_never_weighs(z in results(), score in scores(), chosen in 1..=EXPERTS) {
        let settings = Settings { score, ..Settings::plain(EXPERTS, chosen) };
        let all = routed(Settings::plain(EXPERTS, EXPERTS), &z, None);
        prop_assert_eq!(all.experts.len(), EXPERTS);
        let correction: Vec<f32> = (0..EXPERTS).map(|e| if e < chosen { 10.0 } else { 0.0 }).collect();
        let forced = routed(settings.clone(), &z, Some(correction));
        prop_assert_eq!(forced.experts.iter().copied().collect::<Vec<_>>(), (0..chosen).collect::<Vec<_>>());
        let free = routed(Settings { chosen: EXPERTS, ..settings }, &z, None);
        for place in 0..chosen {
            prop_assert_eq!(forced.weights[[0, place]], free.weights[[0, place]]);
        }
    }

    #[test]
    fn one_number_added_to_every_correction_changes_nothing(z in results(), score in scores(), chosen in 1..=EXPERTS) {
        let settings = Settings { score, groups: 4, groups_kept: 4, ..Settings::plain(EXPERTS, chosen) };
        prop_assert_eq!(routed(settings.clone(), &z, Some(vec![0.5; EXPERTS])), routed(settings, &z, None));
    }

    #[test]
    fn groups_that_are_all_kept_are_no_groups(z in results(), score in scores(), chosen in 1..=EXPERTS) {
        for group_by in [GroupBy::Best, GroupBy::BestTwo] {
            let grouped = Settings { score, groups: 4, groups_kept: 4, group_by, ..Settings::plain(EXPERTS, chosen) };
            prop_assert_eq!(routed(grouped, &z, None), routed(Settings { score, ..Settings::plain(EXPERTS, chosen) }, &z, None));
        }
    }

    #[test]
    fn softmax_over_the_chosen_is_softmax_over_all_normalised(z in results(), chosen in 1..=EXPERTS) {
        let over = routed(Settings { over: Over::Chosen, ..Settings::plain(EXPERTS, chosen) }, &z, None);
        let all = routed(Settings { normalise: true, ..Settings::plain(EXPERTS, chosen) }, &z, None);
        prop_assert!(close(&over, &all), "{over:?} {all:?}");
    }

    #[test]
    fn normalised_weights_sum_to_the_scale(z in results(), score in scores(), chosen in 1..=EXPERTS, scale in 0.5..3.0f64) {
        let choice = routed(Settings { score, normalise: true, scale, ..Settings::plain(EXPERTS, chosen) }, &z, None);
        prop_assert!((f64::from(choice.weights.sum()) - scale).abs() <= 1e-5 * scale);
    }

    #[test]
    fn only_experts_of_the_kept_groups_are_chosen(z in results(), score in scores(), kept in 1..=4usize) {
        let settings = Settings { score, groups: 4, groups_kept: kept, ..Settings::plain(EXPERTS, kept) };
        let choice = routed(settings, &z, None);
        let mut groups: Vec<usize> = choice.experts.iter().map(|expert| expert / 2).collect();
        groups.dedup();
        prop_assert!(groups.len() <= kept, "{choice:?}");
        let best = (0..EXPERTS).max_by(|a, b| z[*a].total_cmp(&z[*b])).expect("some");
        prop_assert!(choice.experts.iter().any(|expert| *expert == best), "the best expert is in the best group");
    }
}

#[test]
fn far_results_neither_overflow_nor_vanish() {
    for score in [Score::Softmax, Score::Sigmoid, Score::SqrtSoftplus] {
        for z in [1e30f32, -1e30] {
            let settings = Settings { score, normalise: true, ..Settings::plain(EXPERTS, 2) };
            let choice = routed(settings, &[z; EXPERTS], None);
            assert!(choice.weights.iter().all(|weight| weight.is_finite()), "{score:?} of {z}: {choice:?}");
            assert_eq!(choice.experts.as_slice(), Some(&[0, 1][..]), "of equals the lower numbers");
        }
    }
}
