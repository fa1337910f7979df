//! A problem of attention, its naive f64 answer, and random ones.
#![allow(dead_code, reason = "each test file uses its part")]

use std::ops::Range;

use camelid_attention::{Attention, Cache, Reach, Segment, Settings};
use camelid_kernels::{Backend, Compute};
use half::bf16;
use ndarray::{Array1, Array3, ArrayView3, Axis, Slice};
use proptest::prelude::*;

/// Everything that one call reads: the cache holds `keys` and `values`, the queries are the newest tokens.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    pub(crate) settings: Settings,
    pub(crate) reach: Reach,
    pub(crate) queries: Array3<f32>,
    pub(crate) keys: Array3<f32>,
    pub(crate) values: Array3<f32>,
    pub(crate) compute: Compute,
}

impl Problem {
    /// `tokens` queries after `past` tokens, with numbers from `seed`. Scores spread over several units, so that
    /// softmax is far from flat.
    pub(crate) fn new(settings: Settings, reach: Reach, [past, tokens]: [usize; 2], seed: u64) -> Self {
        let (settings, len) = (Settings { scale: 2.0 * settings.scale, ..settings }, past + tokens);
        let kept = (len, settings.kv_heads, settings.head_dim);
        Self {
            queries: noise(seed, (tokens, settings.heads, settings.head_dim)),
            keys: noise(seed + 1, kept),
            values: noise(seed + 2, kept),
            reach,
            settings,
            compute: Compute::F32,
        }
    }

    pub(crate) fn attention(&self) -> Attention {
        Attention::new(self.settings.clone()).expect("good settings")
    }

    pub(crate) fn cache(&self) -> Cache {
        let mut cache = self.attention().cache(self.compute);
        cache.append(self.keys.view(), self.values.view(), &Backend::new(2, self.compute));
        cache
    }

    /// Position of the first query.
    pub(crate) fn past(&self) -> usize {
        self.keys.len_of(Axis(0)) - self.queries.len_of(Axis(0))
    }

    pub(crate) fn runs(&self) -> Vec<Range<usize>> {
        self.reach.runs(self.past()..self.keys.len_of(Axis(0)))
    }

    pub(crate) fn forward(&self, backend: &Backend) -> Array3<f32> {
        let segment = Segment { queries: self.queries.view(), reach: &self.runs() };
        self.attention().forward(&[segment], &self.cache(), backend)
    }

    /// softmax(s)·v in f64, straight from the definition, with a matrix of who sees whom.
    pub(crate) fn oracle(&self) -> Array3<f64> {
        let Settings { heads, kv_heads, .. } = self.settings;
        let sees = |i: usize, j: usize| match self.reach {
            Reach::Causal => j <= i,
            Reach::Window(keys) => j <= i && i - j < keys,
            Reach::Chunk(size) => j <= i && i / size == j / size,
            Reach::Prefix(prefix) => j <= i || (i < prefix && j < prefix),
        };
        let mut out = Array3::zeros(self.queries.raw_dim());
        for ((token, head, feature), y) in out.indexed_iter_mut() {
            let (i, kv_head) = (self.past() + token, head * kv_heads / heads);
            let seen: Vec<usize> = (0..self.keys.len_of(Axis(0))).filter(|&j| sees(i, j)).collect();
            let scores: Vec<f64> = seen.iter().map(|&j| self.score(token, j, head, kv_head)).collect();
            let sink = self.settings.sinks.as_ref().map(|sinks| f64::from(sinks[head]));
            let max = scores.iter().copied().chain(sink).fold(f64::NEG_INFINITY, f64::max);
            let weights = scores.iter().map(|s| (s - max).exp());
            let sum: f64 = weights.clone().sum::<f64>() + sink.map_or(0.0, |sink| (sink - max).exp());
            *y = seen
                .iter()
                .zip(weights)
                .map(|(&j, w)| w / sum * self.operand(self.values[[j, kv_head, feature]]))
                .sum();
        }
        out
    }

    /// What the cache holds of keys or values.
    pub(crate) fn kept(&self, x: &Array3<f32>) -> Array3<f32> {
        x.mapv(|x| self.operand(x) as f32)
    }

    /// How far two ways of adding the same numbers may lie apart: in bf16 each weight is rounded, by up to
    /// 2⁻⁹ of itself, and a sum may be much smaller than its terms.
    pub(crate) fn rounding(&self) -> f64 {
        match self.compute {
            Compute::F32 | Compute::Q8 => 3e-6,
            Compute::Bf16 => 0.02,
        }
    }

    /// A factor of a product, as it is rounded before.
    fn operand(&self, x: f32) -> f64 {
        match self.compute {
            Compute::F32 | Compute::Q8 => x.into(),
            Compute::Bf16 => bf16::from_f32(x).into(),
        }
    }

    fn score(&self, token: usize, j: usize, head: usize, kv_head: usize) -> f64 {
        let Settings { scale, softcap, slopes, .. } = &self.settings;
        let features = 0..self.settings.head_dim;
        let factor = scale / softcap.unwrap_or(1.0);
        let query = |c| match self.compute {
            Compute::F32 | Compute::Q8 => f64::from(self.queries[[token, head, c]]) * factor,
            Compute::Bf16 => self.operand(self.queries[[token, head, c]] * factor as f32),
        };
        let score = features.map(|c| query(c) * self.operand(self.keys[[j, kv_head, c]])).sum::<f64>();
        let score = softcap.map_or(score, |cap| cap * score.tanh());
        let slope = slopes.as_ref().map_or(0.0, |slopes| f64::from(slopes[head]));
        score - slope * ((self.past() + token) as f64 - j as f64)
    }
}

/// A sliding window of `keys`.
pub(crate) fn window(keys: usize) -> Reach {
    Reach::Window(keys)
}

/// Rows `range` of the first axis.
pub(crate) fn rows(x: &Array3<f32>, range: Range<usize>) -> ArrayView3<'_, f32> {
    x.slice_axis(Axis(0), Slice::from(range))
}

/// Largest difference, against the largest value of the reference.
pub(crate) fn difference(ours: &Array3<f32>, reference: &Array3<f64>) -> f64 {
    assert_eq!(ours.shape(), reference.shape());
    let largest = reference.iter().fold(0.0, |largest: f64, x| largest.max(x.abs()));
    let off = ours.iter().zip(reference).map(|(x, y)| (f64::from(*x) - y).abs());
    // `max` would drop a NaN.
    let worst = off.fold(0.0, |worst: f64, off| if off <= worst { worst } else { off + 0.0 * worst });
    if worst == 0.0 { 0.0 } else { worst / largest }
}

/// Numbers between −2 and 2, bell-shaped, the same for the same seed.
pub(crate) fn noise(seed: u64, shape: (usize, usize, usize)) -> Array3<f32> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) + 1;
    let mut uniform = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1u64 << 24) as f32
    };
    (0..64).for_each(|_| {
        uniform();
    });
    Array1::from_shape_fn(shape.0 * shape.1 * shape.2, |_| (0..4).map(|_| uniform()).sum::<f32>() - 2.0)
        .into_shape_with_order(shape)
        .expect("as many as the shape holds")
}

/// Random settings, masks and shapes, on and off the sizes of tiles and blocks.
pub(crate) fn problems() -> impl Strategy<Value = Problem> {
    let settings =
        (1..4usize, 1..5usize, 1..40usize, proptest::option::of(1.0..20.0f64), any::<bool>(), computes());
    let shape = (prop_oneof![0..40usize, 200..300usize, 500..530usize], prop_oneof![1..4usize, 1..80usize]);
    (settings, shape, reaches(), 0..1000u64).prop_map(|(settings, (past, tokens), reach, seed)| {
        let (kv_heads, group, head_dim, softcap, sloped, compute) = settings;
        let heads = kv_heads * group;
        let slopes = sloped.then(|| (0..heads).map(|head| 0.5f32.powi(head as i32 + 1)).collect());
        let settings = Settings { softcap, slopes, ..Settings::plain(heads, kv_heads, head_dim) };
        // A prefix must be in the cache whole.
        let reach = match reach {
            Reach::Prefix(prefix) => Reach::Prefix(prefix.min(past + tokens)),
            reach => reach,
        };
        Problem { compute, ..Problem::new(settings, reach, [past, tokens], seed) }
    })
}

fn computes() -> impl Strategy<Value = Compute> {
    prop_oneof![Just(Compute::F32), Just(Compute::Bf16), Just(Compute::Q8)]
}

fn reaches() -> impl Strategy<Value = Reach> {
    prop_oneof![
        Just(Reach::Causal),
        (1..300usize).prop_map(window),
        (1..300usize).prop_map(Reach::Chunk),
        (0..100usize).prop_map(Reach::Prefix),
    ]
}
