//! The laws of attention, on random shapes and values.

mod common;

use std::ops::Range;

use camelid_attention::{Attention, Partial, Reach, Segment, Settings};
use camelid_kernels::{Backend, Compute};
use common::{Problem, difference, noise, problems, rows};
use ndarray::{Array3, Axis};
use proptest::prelude::*;

fn serial() -> Backend {
    Backend::serial()
}

fn close(problem: &Problem, a: &Array3<f32>, b: &Array3<f32>) -> Result<(), TestCaseError> {
    let found = difference(a, &b.mapv(f64::from));
    prop_assert!(found <= problem.rounding(), "differ by {found:.1e}");
    Ok(())
}

/// The problem with every query seeing every key.
fn unmasked(problem: &Problem) -> (Problem, Vec<Range<usize>>) {
    let (tokens, len) = (problem.queries.len_of(Axis(0)), problem.keys.len_of(Axis(0)));
    (problem.clone(), vec![0..len; tokens])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn equals_the_oracle_for_every_mask(problem in problems()) {
        let found = difference(&problem.forward(&serial()), &problem.oracle());
        prop_assert!(found <= problem.rounding(), "{found:.1e} from the oracle");
    }

    #[test]
    fn any_number_of_threads_gives_the_same_bits(problem in problems()) {
        let one = problem.forward(&serial());
        for threads in [2, 5] {
            prop_assert_eq!(&problem.forward(&Backend::new(threads, Compute::F32)), &one, "{} threads", threads);
        }
    }

    #[test]
    fn unmasked_is_invariant_under_permutation_of_keys_with_their_values(problem in problems(), shift in 0..1000usize) {
        let (mut problem, all) = unmasked(&problem);
        problem.settings.slopes = None; // distance is no property of a set
        let (attention, len) = (problem.attention(), problem.keys.len_of(Axis(0)));
        let before = attention.forward(&[Segment { queries: problem.queries.view(), reach: &all }], &problem.cache(), &serial());
        let order: Vec<usize> = (0..len).rev().map(|j| (j + shift) % len).collect();
        problem.keys = problem.keys.select(Axis(0), &order);
        problem.values = problem.values.select(Axis(0), &order);
        let after = attention.forward(&[Segment { queries: problem.queries.view(), reach: &all }], &problem.cache(), &serial());
        close(&problem, &after, &before)?;
    }

    #[test]
    fn rows_sum_to_one(mut problem in problems()) {
        problem.values.fill(1.0);
        let ones = Array3::ones(problem.queries.raw_dim());
        close(&problem, &problem.forward(&serial()), &ones)?;
    }

    #[test]
    fn grouped_heads_equal_repeated_keys_and_values(problem in problems()) {
        let repeat = |x: &Array3<f32>| {
            let head_of = |head| head / problem.settings.group();
            x.select(Axis(1), &(0..problem.settings.heads).map(head_of).collect::<Vec<_>>())
        };
        let settings = Settings { kv_heads: problem.settings.heads, ..problem.settings.clone() };
        let repeated = Problem { settings, keys: repeat(&problem.keys), values: repeat(&problem.values), ..problem.clone() };
        close(&problem, &problem.forward(&serial()), &repeated.forward(&serial()))?;
    }

    #[test]
    fn a_window_no_shorter_than_the_text_is_causal(mut problem in problems(), more in 0..100usize) {
        problem.reach = Reach::Causal;
        let causal = problem.forward(&serial());
        problem.reach = Reach::Window(problem.keys.len_of(Axis(0)) + more);
        prop_assert_eq!(problem.forward(&serial()), causal);
    }

    #[test]
    fn a_window_of_one_gives_the_value(mut problem in problems()) {
        problem.reach = Reach::Window(1);
        let (out, values) = (problem.forward(&serial()), problem.kept(&problem.values));
        for ((token, head, feature), y) in out.indexed_iter() {
            prop_assert_eq!(*y, values[[problem.past() + token, head / problem.settings.group(), feature]]);
        }
    }

    #[test]
    fn any_partition_of_the_keys_into_segments_equals_the_whole(problem in problems(), cuts in prop::collection::vec(0.0..1.0f64, 0..4)) {
        let whole = problem.forward(&serial());
        let mut bounds: Vec<f64> = [vec![0.0, 1.0], cuts].concat();
        bounds.sort_by(f64::total_cmp);
        let parts: Vec<Vec<Range<usize>>> = bounds.windows(2).map(|pair| {
            let cut = |run: &Range<usize>, part: f64| run.start + (run.len() as f64 * part) as usize;
            problem.runs().iter().map(|run| cut(run, pair[0])..cut(run, pair[1])).collect()
        }).collect();
        let segments: Vec<_> = parts.iter().map(|reach| Segment { queries: problem.queries.view(), reach }).collect();
        close(&problem, &problem.attention().forward(&segments, &problem.cache(), &serial()), &whole)?;
    }

    #[test]
    fn any_chunking_of_the_queries_gives_the_same_bits(mut problem in problems(), sizes in prop::collection::vec(1..50usize, 1..6)) {
        if let Reach::Prefix(_) = problem.reach {
            problem.reach = Reach::Causal; // a prefix arrives whole: no law for it
        }
        let (attention, past) = (problem.attention(), problem.past());
        let mut cache = attention.cache(problem.compute);
        cache.append(rows(&problem.keys, 0..past), rows(&problem.values, 0..past), &serial());
        let mut chunks = Vec::new();
        let (mut start, mut sizes) = (past, sizes.into_iter().cycle());
        while start < problem.keys.len_of(Axis(0)) {
            let end = problem.keys.len_of(Axis(0)).min(start + sizes.next().unwrap());
            cache.append(rows(&problem.keys, start..end), rows(&problem.values, start..end), &serial());
            let queries = rows(&problem.queries, start - past..end - past);
            chunks.push(attention.forward(&[Segment { queries, reach: &problem.reach.runs(start..end) }], &cache, &serial()));
            start = end;
        }
        let views: Vec<_> = chunks.iter().map(|chunk| chunk.view()).collect();
        prop_assert_eq!(ndarray::concatenate(Axis(0), &views).unwrap(), problem.forward(&serial()));
    }

    #[test]
    fn a_truncated_or_forked_cache_equals_a_fresh_one(problem in problems(), other in problems()) {
        let past = problem.past();
        let mut cache = problem.cache();
        let mut fork = cache.clone();
        // The fork takes another way after `past`, and both must be as if nobody else were there.
        fork.truncate(past);
        let [_, kv_heads, head_dim] = problem.keys.shape() else { unreachable!() };
        let detour = noise(other.queries.len() as u64, (other.keys.len_of(Axis(0)), *kv_heads, *head_dim));
        fork.append(detour.view(), detour.view(), &serial());
        prop_assert_eq!(cache.keys(), problem.kept(&problem.keys));
        prop_assert_eq!(cache.values(), problem.kept(&problem.values));
        let taken = fork.keys();
        prop_assert_eq!(rows(&taken, past..fork.len()).to_owned(), problem.kept(&detour));
        fork.truncate(past);
        cache.truncate(past);
        for cache in [&mut cache, &mut fork] {
            cache.append(rows(&problem.keys, past..past + problem.queries.len_of(Axis(0))), rows(&problem.values, past..past + problem.queries.len_of(Axis(0))), &serial());
            let segment = Segment { queries: problem.queries.view(), reach: &problem.runs() };
            prop_assert_eq!(problem.attention().forward(&[segment], cache, &serial()), problem.forward(&serial()));
        }
    }

    #[test]
    fn sums_merge_in_any_grouping(problem in problems(), cuts in prop::collection::vec(0.0..1.0f64, 2)) {
        let (attention, cache, backend) = (problem.attention(), problem.cache(), serial());
        let query = problem.queries.index_axis(Axis(0), 0);
        let run = problem.runs()[0].clone();
        let mut bounds = [0, run.len(), (run.len() as f64 * cuts[0]) as usize, (run.len() as f64 * cuts[1]) as usize];
        bounds.sort_unstable();
        let part = |k: usize| attention.sums(query, run.start + bounds[k]..run.start + bounds[k + 1], &cache, &backend);
        let finish = |sums: Partial| {
            let mut out = Array3::zeros((1, problem.settings.heads, problem.settings.head_dim));
            for (row, out) in out.index_axis_mut(Axis(0), 0).outer_iter_mut().enumerate() {
                sums.finish(row, out.into_slice().expect("contiguous"), &backend);
            }
            out
        };
        let (mut left, mut right) = (part(0), part(1));
        left.merge(&part(1), &backend);
        left.merge(&part(2), &backend);
        right.merge(&part(2), &backend);
        let mut nested = part(0);
        nested.merge(&right, &backend);
        let whole = finish(attention.sums(query, run, &cache, &backend));
        close(&problem, &finish(left), &whole)?;
        close(&problem, &finish(nested), &whole)?;
    }
}

#[test]
fn a_query_that_sees_nothing_gets_zeros() {
    let problem = Problem::new(Settings::plain(4, 2, 6), Reach::Causal, [3, 2], 1);
    let segment = Segment { queries: problem.queries.view(), reach: &[0..0, 1..3] };
    let out = problem.attention().forward(&[segment], &problem.cache(), &serial());
    assert!(out.index_axis(Axis(0), 0).iter().all(|&y| y == 0.0));
    assert!(out.index_axis(Axis(0), 1).iter().all(|&y| y != 0.0));
}

#[test]
fn no_queries_give_an_empty_result() {
    let attention = Attention::new(Settings::plain(2, 1, 4)).unwrap();
    let queries = Array3::zeros((0, 2, 4));
    let out = attention.forward(
        &[Segment { queries: queries.view(), reach: &[] }],
        &attention.cache(Compute::F32),
        &serial(),
    );
    assert_eq!(out.shape(), [0, 2, 4]);
}
