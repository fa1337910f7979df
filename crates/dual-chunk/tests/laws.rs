//! The laws of dual chunk attention, on random shapes and values.

use std::ops::Range;

use camelid_attention::{Attention, Reach, Segment, Settings as Shape};
use camelid_dual_chunk::{DualChunk, Settings};
use camelid_kernels::{Backend, Compute};
use camelid_rope::{Frequencies, Pairing, Table};
use ndarray::{Array3, Axis, Slice, concatenate};
use proptest::prelude::*;

#[derive(Clone, Debug)]
struct Problem {
    settings: Settings,
    shape: Shape,
    pairing: Pairing,
    frequencies: Frequencies,
    queries: Array3<f32>,
    keys: Array3<f32>,
    values: Array3<f32>,
}

impl Problem {
    fn tokens(&self) -> usize {
        self.queries.len_of(Axis(0))
    }

    /// The whole text in one pass.
    fn whole(&self) -> Range<usize> {
        0..self.tokens()
    }

    fn dual(&self) -> DualChunk {
        DualChunk::new(self.settings).expect("good settings")
    }

    fn attention(&self) -> Attention {
        Attention::new(self.shape.clone()).expect("good settings")
    }

    /// The text in passes of these tokens, each over the cache that the ones before it left.
    fn run(&self, passes: &[Range<usize>], backend: &Backend) -> Array3<f32> {
        let (attention, mut cache) = (self.attention(), self.attention().cache(Compute::F32));
        let part = |x: &Array3<f32>, tokens: &Range<usize>| {
            x.slice_axis(Axis(0), Slice::from(tokens.clone())).to_owned()
        };
        let parts: Vec<_> = passes
            .iter()
            .map(|tokens| {
                let pass = self.dual().pass(tokens.clone(), &self.frequencies, self.pairing);
                let mut keys = part(&self.keys, tokens);
                pass.turn_keys(keys.view_mut());
                cache.append(keys.view(), part(&self.values, tokens).view(), backend);
                pass.attend(&attention, part(&self.queries, tokens).view(), &cache, backend)
            })
            .collect();
        let views: Vec<_> = parts.iter().map(|part| part.view()).collect();
        concatenate(Axis(0), &views).expect("passes of one shape")
    }

    /// One softmax in f64 over all keys, each pair of tokens at the places that the paper's formulas give.
    fn oracle(&self, passes: &[Range<usize>]) -> Array3<f64> {
        let Settings { chunk_size, local_size, original_max_position_embeddings } = self.settings;
        let c = chunk_size - local_size;
        let scale = |token: usize| {
            let length = passes.iter().find(|pass| pass.contains(&token)).expect("a pass for each token").end;
            let trained = original_max_position_embeddings.unwrap_or(usize::MAX);
            f64::max(1.0, 0.1 * (length as f64 / trained as f64).ln() + 1.0)
        };
        let mut out = Array3::zeros(self.queries.raw_dim());
        for ((i, head, feature), y) in out.indexed_iter_mut() {
            let kv_head = head / self.shape.group();
            let place = |j: usize| match i / c - j / c {
                0 => i % c,
                1 => (i % c + c).min(chunk_size),
                _ => (2 * c - 1).min(chunk_size),
            };
            let score = |j: usize| {
                let product = self.product(
                    self.turned(&self.queries, [i, head], place(j)),
                    self.turned(&self.keys, [j, kv_head], j % c),
                );
                product * self.shape.scale * scale(i) * scale(j)
            };
            let scores: Vec<f64> = (0..=i).map(score).collect();
            let max = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let weights = scores.iter().map(|s| (s - max).exp());
            let sum: f64 = weights.clone().sum();
            *y = weights
                .enumerate()
                .map(|(j, w)| w / sum * f64::from(self.values[[j, kv_head, feature]]))
                .sum();
        }
        out
    }

    fn product(&self, a: Vec<f64>, b: Vec<f64>) -> f64 {
        a.into_iter().zip(b).map(|(a, b)| a * b).sum()
    }

    fn turned(&self, x: &Array3<f32>, [token, head]: [usize; 2], position: usize) -> Vec<f64> {
        let mut features: Vec<f64> =
            (0..self.shape.head_dim).map(|feature| f64::from(x[[token, head, feature]])).collect();
        let pairs = self.frequencies.inverse.len();
        for (pair, inverse) in self.frequencies.inverse.iter().enumerate() {
            let [a, b] = match self.pairing {
                Pairing::Half => [pair, pair + pairs],
                Pairing::Adjacent => [2 * pair, 2 * pair + 1],
            };
            let (sin, cos) = (position as f64 * inverse).sin_cos();
            let (x, y) = (features[a] * self.frequencies.factor, features[b] * self.frequencies.factor);
            (features[a], features[b]) = (x * cos - y * sin, x * sin + y * cos);
        }
        features
    }
}

fn settings() -> impl Strategy<Value = Settings> {
    (1..12usize, 1..12usize, proptest::option::of(1..40usize)).prop_map(
        |(chunk, local_size, original_max_position_embeddings)| Settings {
            chunk_size: chunk + local_size,
            local_size,
            original_max_position_embeddings,
        },
    )
}

fn problems() -> impl Strategy<Value = Problem> {
    let shape = (1..3usize, 1..4usize, 1..6usize, 0..3usize);
    let pairing = prop_oneof![Just(Pairing::Half), Just(Pairing::Adjacent)];
    (settings(), shape, 1..60usize, pairing, 0.8..1.2f64).prop_flat_map(
        |(settings, shape, tokens, pairing, factor)| {
            let (kv_heads, group, pairs, rest) = shape;
            let (heads, head_dim) = (kv_heads * group, 2 * pairs + rest);
            let numbers = move |heads: usize| {
                let numbers = prop::collection::vec(-2.0..2.0f32, tokens * heads * head_dim);
                numbers.prop_map(move |x| {
                    Array3::from_shape_vec((tokens, heads, head_dim), x).expect("as many as the shape holds")
                })
            };
            let inverse = (0..pairs).map(|pair| 10_f64.powf(-(pair as f64) / pairs as f64)).collect();
            let frequencies = Frequencies { inverse, factor };
            (numbers(heads), numbers(kv_heads), numbers(kv_heads)).prop_map(move |(queries, keys, values)| {
                Problem {
                    settings,
                    shape: Shape::plain(heads, kv_heads, head_dim),
                    pairing,
                    frequencies: frequencies.clone(),
                    queries,
                    keys,
                    values,
                }
            })
        },
    )
}

fn close(ours: &Array3<f32>, exact: &Array3<f64>) -> Result<(), TestCaseError> {
    for (ours, exact) in ours.iter().zip(exact) {
        prop_assert!((f64::from(*ours) - exact).abs() <= 2e-5, "{} is not {}", ours, exact);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn equals_one_softmax_over_remapped_positions(problem in problems()) {
        let passes = [problem.whole()];
        close(&problem.run(&passes, &Backend::serial()), &problem.oracle(&passes))?;
    }

    #[test]
    fn a_cached_key_keeps_the_scale_of_its_pass(problem in problems(), size in 1..20usize) {
        let starts = (0..problem.tokens()).step_by(size);
        let passes: Vec<_> = starts.map(|start| start..problem.tokens().min(start + size)).collect();
        close(&problem.run(&passes, &Backend::serial()), &problem.oracle(&passes))?;
    }

    #[test]
    fn without_scaling_any_chunking_of_the_tokens_equals_one_call(mut problem in problems(), size in 1..20usize) {
        problem.settings.original_max_position_embeddings = None;
        let starts = (0..problem.tokens()).step_by(size);
        let passes: Vec<_> = starts.map(|start| start..problem.tokens().min(start + size)).collect();
        let whole = problem.run(&[problem.whole()], &Backend::serial());
        close(&problem.run(&passes, &Backend::serial()), &whole.mapv(f64::from))?;
    }

    #[test]
    fn a_text_of_one_chunk_is_plain_attention(mut problem in problems()) {
        problem.settings = Settings { chunk_size: problem.tokens() + 3, local_size: 3, original_max_position_embeddings: Some(problem.tokens()) };
        let positions: Vec<_> = (0..problem.tokens()).collect();
        let (attention, mut cache) = (problem.attention(), problem.attention().cache(Compute::F32));
        let (mut queries, mut keys) = (problem.queries.clone(), problem.keys.clone());
        let table = Table::new(&problem.frequencies, &positions);
        table.turn(queries.view_mut(), problem.pairing);
        table.turn(keys.view_mut(), problem.pairing);
        cache.append(keys.view(), problem.values.view(), &Backend::serial());
        let reach = Reach::Causal.runs(0..problem.tokens());
        let plain = attention.forward(&[Segment { queries: queries.view(), reach: &reach }], &cache, &Backend::serial());
        prop_assert_eq!(problem.run(&[problem.whole()], &Backend::serial()), plain);
    }

    #[test]
    fn any_number_of_threads_gives_the_same_bits(problem in problems()) {
        let passes = [problem.whole()];
        let one = problem.run(&passes, &Backend::serial());
        for threads in [2, 5] {
            prop_assert_eq!(&problem.run(&passes, &Backend::new(threads, Compute::F32)), &one, "{} threads", threads);
        }
    }

    #[test]
    fn the_three_runs_are_all_keys_and_no_distance_is_beyond_the_chunk_size(settings in settings(), i in 0..200usize) {
        let dual = DualChunk::new(settings).unwrap();
        let [own, previous, older] = dual.runs(i);
        prop_assert_eq!((older.start, older.end, previous.end, own.end), (0, previous.start, own.start, i + 1));
        for (run, query) in [own, previous, older].into_iter().zip(dual.query_positions(i)) {
            for j in run {
                let distance = query.checked_sub(dual.key_position(j));
                prop_assert!(distance.is_some_and(|distance| distance <= settings.chunk_size), "{} sees {} at {:?}", i, j, distance);
                // Near keys keep their true distance.
                if i - j < settings.local_size.min(dual.chunk()) {
                    prop_assert_eq!(distance, Some(i - j));
                }
            }
        }
    }
}

#[test]
fn many_queries_are_turned_in_blocks() {
    let tokens = 1100;
    let numbers = |seed: usize| {
        Array3::from_shape_fn((tokens, 1, 2), |(t, _, c)| ((t * 7 + c * 3 + seed) % 11) as f32 / 5.0 - 1.0)
    };
    let problem = Problem {
        settings: Settings { chunk_size: 400, local_size: 100, original_max_position_embeddings: Some(256) },
        shape: Shape::plain(1, 1, 2),
        pairing: Pairing::Half,
        frequencies: Frequencies { inverse: vec![0.3], factor: 1.0 },
        queries: numbers(0),
        keys: numbers(1),
        values: numbers(2),
    };
    let passes = [problem.whole()];
    close(&problem.run(&passes, &Backend::serial()), &problem.oracle(&passes)).unwrap();
}

#[test]
fn settings_are_checked_once() {
    let check = |chunk_size, local_size, message: &str| {
        let settings = Settings { chunk_size, local_size, original_max_position_embeddings: None };
        assert_eq!(DualChunk::new(settings).unwrap_err().to_string(), message);
    };
    check(0, 1, "chunk_size is 0, but must be at least 1");
    check(8, 0, "local_size is 0, but must be at least 1");
    check(8, 8, "chunk_size 8 must be larger than local_size 8");
    check(8, 9, "chunk_size 8 must be larger than local_size 9");
}

#[test]
fn absurd_sizes_do_not_overflow() {
    let settings = Settings { chunk_size: usize::MAX, local_size: 1, original_max_position_embeddings: None };
    let dual = DualChunk::new(settings).unwrap();
    assert_eq!(dual.query_positions(7), [7, usize::MAX, usize::MAX]);
    assert_eq!(dual.runs(7), [0..8, 0..0, 0..0]);
}

#[test]
fn upstreams_zero_means_no_scaling() {
    let dual = |trained| {
        let settings = Settings { chunk_size: 8, local_size: 4, original_max_position_embeddings: trained };
        DualChunk::new(settings).unwrap()
    };
    assert_eq!([dual(None).scale(99), dual(Some(0)).scale(99), dual(Some(99)).scale(99)], [1.0; 3]);
    assert_eq!(dual(Some(10)).scale(100), 1.2302585);
}

#[test]
fn the_config_has_upstreams_keys_and_no_others() {
    let read = serde_json::from_str::<Settings>;
    let released =
        r#"{"chunk_size": 262144, "local_size": 8192, "original_max_position_embeddings": 262144}"#;
    let expected =
        Settings { chunk_size: 262_144, local_size: 8192, original_max_position_embeddings: Some(262_144) };
    assert_eq!(read(released).unwrap(), expected);
    assert!(read(r#"{"chunk_size": 8, "local_size": 4}"#).is_ok());
    let error = read(r#"{"chunk_size": 8, "local_size": 4, "sparse_attention_enabled": true}"#)
        .unwrap_err()
        .to_string();
    assert!(error.contains("unknown field `sparse_attention_enabled`"), "{error}");
}
