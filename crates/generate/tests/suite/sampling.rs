//! Sampling against its definition, computed the naive way, and its draws against their distribution.

use camelid_generate::{Error, Sampler, Sampling};
use proptest::prelude::*;

/// The definition, in transformers' order, over all ids in f64.
fn naive(logits: &[f32], seen: &[u32], sampling: Sampling) -> Vec<(u32, f64)> {
    let mut scores: Vec<f64> = logits.iter().map(|l| f64::from(*l)).collect();
    for id in 0..scores.len() {
        if seen.contains(&(id as u32)) {
            let penalised = logits[id];
            let r = sampling.repetition_penalty;
            scores[id] = f64::from(if penalised < 0.0 { penalised * r } else { penalised / r });
        }
    }
    for score in &mut scores {
        *score = f64::from(*score as f32 / sampling.temperature);
    }
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]).then(a.cmp(b)));
    if sampling.top_k > 0 {
        let kth = scores[order[sampling.top_k.min(order.len()) - 1]];
        order.retain(|id| scores[*id] >= kth);
    }
    let probabilities = |order: &[usize]| {
        let sum: f64 = order.iter().map(|id| scores[*id].exp()).sum();
        order.iter().map(|id| scores[*id].exp() / sum).collect::<Vec<_>>()
    };
    if sampling.top_p < 1.0 {
        let mut before = 0.0;
        let all = probabilities(&order);
        let count = all
            .iter()
            .take_while(|p| {
                let stays = before < f64::from(sampling.top_p);
                before += **p;
                stays
            })
            .count();
        order.truncate(count.max(1));
    }
    let kept = probabilities(&order);
    let count = kept.iter().filter(|p| **p >= f64::from(sampling.min_p) * kept[0]).count();
    order.truncate(count.max(1));
    order.iter().zip(probabilities(&order)).map(|(id, p)| (*id as u32, p)).collect()
}

prop_compose! {
    fn samplings()(
        temperature in 0.2f32..3.0, top_k in 0usize..12, top_p in prop_oneof![Just(1.0f32), 0.0f32..1.0],
        min_p in prop_oneof![Just(0.0f32), 0.0f32..0.5], repetition_penalty in prop_oneof![Just(1.0f32), 0.5f32..2.0], seed: u64,
    ) -> Sampling {
        Sampling { temperature, top_k, top_p, min_p, repetition_penalty, seed }
    }
}

proptest! {
    /// At a threshold rounding decides, so the sets may differ there by ids of that very probability.
    #[test]
    fn the_distribution_is_the_definition_s(
        logits in proptest::collection::vec(-8.0f32..8.0, 1..40), seen in proptest::collection::vec(0u32..40, 0..6), sampling in samplings()
    ) {
        let mut sampler = Sampler::new(sampling)?;
        sampler.see(&seen);
        let (ours, theirs) = (sampler.distribution(&logits), naive(&logits, &seen, sampling));
        prop_assert_eq!(ours.iter().map(|(id, _)| *id).collect::<Vec<_>>(), theirs.iter().map(|(id, _)| *id).collect::<Vec<_>>());
        for ((_, a), (_, b)) in ours.iter().zip(&theirs) {
            prop_assert!((a - b).abs() < 1e-9, "{a} {b}");
        }
    }

    #[test]
    fn probabilities_sum_to_one_and_fall(logits in proptest::collection::vec(-50.0f32..50.0, 1..2000), sampling in samplings()) {
        let kept = Sampler::new(sampling)?.distribution(&logits);
        let sum: f64 = kept.iter().map(|(_, p)| p).sum();
        prop_assert!((sum - 1.0).abs() < 1e-9);
        prop_assert!(kept.windows(2).all(|pair| pair[0].1 >= pair[1].1));
    }

    #[test]
    fn greedy_takes_the_first_of_the_largest(logits in proptest::collection::vec((-3i8..3).prop_map(f32::from), 1..30)) {
        let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let first = logits.iter().position(|l| *l == largest).expect("there is one");
        prop_assert_eq!(Sampler::new(Sampling::default())?.choose(&logits), first as u32);
    }

    #[test]
    fn equal_seeds_draw_equal_tokens(logits in proptest::collection::vec(-2.0f32..2.0, 2..20), seed: u64) {
        let sampling = Sampling { temperature: 1.0, seed, ..Sampling::default() };
        let draws = || -> Result<Vec<u32>, Error> {
            let mut sampler = Sampler::new(sampling)?;
            Ok((0..32).map(|_| sampler.choose(&logits)).collect())
        };
        prop_assert_eq!(draws()?, draws()?);
    }
}

/// χ² = Σ (observed − expected)² / expected over the kept ids; its mean is the degrees of freedom, its deviation √(2 · those).
#[test]
fn draws_follow_their_distribution() {
    let logits: Vec<f32> = (0..30).map(|i| ((i * 7919 + 13) % 31) as f32 / 6.0).collect();
    for sampling in [
        Sampling { temperature: 1.0, ..Sampling::default() },
        Sampling { temperature: 0.7, top_k: 8, seed: 1, ..Sampling::default() },
        Sampling { temperature: 1.5, top_p: 0.8, seed: 2, ..Sampling::default() },
        Sampling { temperature: 1.0, min_p: 0.1, seed: 3, ..Sampling::default() },
    ] {
        let mut sampler = Sampler::new(sampling).expect("settings in range");
        let expected = sampler.distribution(&logits);
        let draws = 40_000;
        let mut observed = vec![0usize; logits.len()];
        for _ in 0..draws {
            observed[sampler.choose(&logits) as usize] += 1;
        }
        let kept: usize = expected.iter().map(|(id, _)| observed[*id as usize]).sum();
        assert_eq!(kept, draws, "{sampling:?} draws what it does not keep");
        let chi: f64 = expected
            .iter()
            .map(|(id, p)| (observed[*id as usize] as f64 - p * draws as f64).powi(2) / (p * draws as f64))
            .sum();
        let freedom = (expected.len() - 1) as f64;
        assert!(
            chi < freedom + 4.0 * (2.0 * freedom).sqrt(),
            "{sampling:?}: χ² = {chi} with {freedom} degrees of freedom"
        );
    }
}

#[test]
fn settings_out_of_range_are_refused() {
    #[track_caller]
    fn check(sampling: Sampling, expected: &str) {
        let error = Sampler::new(sampling).expect_err("it is out of range");
        assert_eq!(error.to_string(), expected);
    }
    let plain = Sampling::default();
    check(Sampling { temperature: -1.0, ..plain }, "temperature = -1: a number from 0 (greedy) upwards");
    check(Sampling { temperature: f32::NAN, ..plain }, "temperature = NaN: a number from 0 (greedy) upwards");
    check(Sampling { top_p: 1.5, ..plain }, "top_p = 1.5: a probability, from 0 to 1");
    check(Sampling { min_p: -0.1, ..plain }, "min_p = -0.1: a probability, from 0 to 1");
    check(
        Sampling { repetition_penalty: 0.0, ..plain },
        "repetition_penalty = 0: a number above 0; 1 is none",
    );
}
