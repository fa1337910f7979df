//! Both forms against the definition in f64, from the stream on, and against each other.

use camelid_kernels::{Backend, Compute};
use camelid_latent::{Cache, Compression, Form, Latent, Queries, Settings};
use camelid_linear::{Linear, Weight};
use camelid_norm::{Kind, Norm};
use camelid_rope::{Frequencies, Pairing, Table};
use ndarray::{Array1, Array2, Array3, Axis, Slice, concatenate};
use proptest::prelude::*;

#[derive(Clone, Debug)]
struct Layer {
    settings: Settings,
    query_rank: Option<usize>,
    width: usize,
    pairing: Pairing,
    seed: u64,
}

const EPS: f64 = 1e-3;

fn numbers(count: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

fn matrix(rows: usize, cols: usize, seed: u64) -> Array2<f32> {
    Array2::from_shape_vec((rows, cols), numbers(rows * cols, seed)).expect("as many as the shape holds")
}

fn linear(weight: &Array2<f32>) -> Linear {
    let (rows, cols) = weight.dim();
    Linear { weight: Weight::from_f32(rows, cols, weight.as_slice().expect("row-major")), bias: None }
}

fn layers() -> impl Strategy<Value = Layer> {
    let pairings = prop::sample::select(vec![Pairing::Half, Pairing::Adjacent]);
    let sizes = (1..=3usize, 1..=20usize, 1..=9usize, 0..=3usize, 1..=11usize);
    (sizes, proptest::option::of(1..=9usize), 1..=9usize, pairings, any::<u64>()).prop_map(
        |((heads, rank, unturned, pairs, value_dim), query_rank, width, pairing, seed)| Layer {
            settings: Settings { heads, rank, unturned, turned: 2 * pairs, value_dim, scale: 0.7 },
            query_rank,
            width,
            pairing,
            seed: seed >> 8,
        },
    )
}

struct Weights {
    query: Vec<Array2<f32>>,
    query_norm: Vec<f32>,
    down: Array2<f32>,
    norm: Vec<f32>,
    up: Array2<f32>,
}

impl Layer {
    fn weights(&self) -> Weights {
        let Settings { heads, rank, unturned, turned, value_dim, .. } = self.settings;
        let queries = heads * (unturned + turned);
        let query = match self.query_rank {
            None => vec![matrix(queries, self.width, self.seed)],
            Some(rank) => vec![matrix(rank, self.width, self.seed), matrix(queries, rank, self.seed + 1)],
        };
        Weights {
            query,
            query_norm: numbers(self.query_rank.unwrap_or(1), self.seed + 2),
            down: matrix(rank + turned, self.width, self.seed + 3),
            norm: numbers(rank, self.seed + 4),
            up: matrix(heads * (unturned + value_dim), rank, self.seed + 5),
        }
    }

    fn frequencies(&self) -> Frequencies {
        Frequencies {
            inverse: (0..self.settings.turned / 2).map(|p| 0.5f64.powi(p as i32)).collect(),
            factor: 1.0,
        }
    }

    fn latent(&self, weights: &Weights) -> Latent {
        Latent::new(self.settings.clone(), linear(&weights.up)).expect("it fits")
    }

    /// Queries, turned, of x; c and k_r go to the cache.
    fn project(
        &self,
        weights: &Weights,
        x: &Array2<f32>,
        cache: &mut Cache,
        backend: &Backend,
    ) -> Array3<f32> {
        let Settings { heads, rank, unturned, .. } = self.settings;
        let norm = |weight: &[f32]| {
            let settings = camelid_norm::Settings { kind: Kind::Rms, eps: EPS };
            Norm::new(settings, Array1::from(weight.to_vec()), None).expect("it fits")
        };
        let queries = match weights.query.as_slice() {
            [one] => Queries::Straight(linear(one)),
            [down, up] => {
                Queries::Latent { down: linear(down), norm: norm(&weights.query_norm), up: linear(up) }
            }
            _ => unreachable!(),
        };
        let compression = Compression { down: linear(&weights.down), norm: norm(&weights.norm), rank };
        let queries = queries.forward(x.view(), backend);
        let (c, k_r) = compression.forward(x.view(), backend);
        let shape = (x.nrows(), heads, self.settings.key_dim());
        let mut queries = queries.into_shape_with_order(shape).expect("contiguous");
        let mut k_r = k_r.insert_axis(Axis(1));
        let places: Vec<usize> = (cache.len()..cache.len() + x.nrows()).collect();
        let table = Table::new(&self.frequencies(), &places);
        table.turn(queries.slice_axis_mut(Axis(2), Slice::from(unturned..)), self.pairing);
        table.turn(k_r.view_mut(), self.pairing);
        cache.append(c.view(), k_r.remove_axis(Axis(1)).view(), backend);
        queries
    }

    /// The definition, `[tokens, heads · value_dim]`, each token seeing the last `window` positions.
    #[expect(clippy::too_many_lines, reason = "the definition, step by step")]
    fn evaluate(&self, weights: &Weights, x: &Array2<f32>, window: usize) -> Vec<Vec<f64>> {
        let Settings { heads, rank, unturned, turned, value_dim, scale } = self.settings;
        let apply = |w: &Array2<f32>, x: &[f64]| -> Vec<f64> {
            w.outer_iter().map(|row| row.iter().zip(x).map(|(w, x)| f64::from(*w) * x).sum()).collect()
        };
        let norm = |weight: &[f32], x: &[f64]| -> Vec<f64> {
            let square = x.iter().map(|x| x * x).sum::<f64>() / x.len() as f64;
            x.iter().zip(weight).map(|(x, w)| x / (square + EPS).sqrt() * f64::from(*w)).collect()
        };
        let turn = |x: &[f64], place: usize| -> Vec<f64> {
            let mut y = x.to_vec();
            for (p, f) in self.frequencies().inverse.iter().enumerate() {
                let (a, b) = match self.pairing {
                    Pairing::Half => (p, p + turned / 2),
                    Pairing::Adjacent => (2 * p, 2 * p + 1),
                };
                let (sin, cos) = (place as f64 * f).sin_cos();
                (y[a], y[b]) = (x[a] * cos - x[b] * sin, x[b] * cos + x[a] * sin);
            }
            y
        };
        let rows: Vec<Vec<f64>> = x.outer_iter().map(|x| x.iter().map(|x| f64::from(*x)).collect()).collect();
        let kept: Vec<(Vec<f64>, Vec<f64>)> = rows
            .iter()
            .enumerate()
            .map(|(place, x)| {
                let both = apply(&weights.down, x);
                (apply(&weights.up, &norm(&weights.norm, &both[..rank])), turn(&both[rank..], place))
            })
            .collect();
        rows.iter()
            .enumerate()
            .map(|(i, x)| {
                let q = match weights.query.as_slice() {
                    [one] => apply(one, x),
                    [down, up] => apply(up, &norm(&weights.query_norm, &apply(down, x))),
                    _ => unreachable!(),
                };
                (0..heads)
                    .flat_map(|head| {
                        let q = &q[head * (unturned + turned)..][..unturned + turned];
                        let turned_q = turn(&q[unturned..], i);
                        let seen: Vec<usize> = ((i + 1).saturating_sub(window)..=i).collect();
                        let score = |j: &usize| -> f64 {
                            let k = &kept[*j].0[head * (unturned + value_dim)..][..unturned];
                            let plain: f64 = q.iter().zip(k).map(|(q, k)| q * k).sum();
                            let place: f64 = turned_q.iter().zip(&kept[*j].1).map(|(q, k)| q * k).sum();
                            (plain + place) * scale
                        };
                        let powers: Vec<f64> = seen.iter().map(|j| score(j).exp()).collect();
                        let whole: f64 = powers.iter().sum();
                        (0..value_dim)
                            .map(|d| {
                                let value =
                                    |j: &usize| kept[*j].0[head * (unturned + value_dim) + unturned + d];
                                seen.iter().zip(&powers).map(|(j, p)| p * value(j)).sum::<f64>() / whole
                            })
                            .collect::<Vec<f64>>()
                    })
                    .collect()
            })
            .collect()
    }
}

fn windowed(tokens: std::ops::Range<usize>, window: usize) -> Vec<std::ops::Range<usize>> {
    tokens.map(|i| (i + 1).saturating_sub(window)..i + 1).collect()
}

fn near(ours: &Array3<f32>, expected: &[Vec<f64>], within: f64) -> Result<(), TestCaseError> {
    for (ours, expected) in ours.outer_iter().zip(expected) {
        let size = 1.0 + expected.iter().fold(0.0, |most: f64, y| most.max(y.abs()));
        for (ours, expected) in ours.iter().zip(expected) {
            prop_assert!(
                (f64::from(*ours) - expected).abs() <= within * size,
                "{} is not {}",
                ours,
                expected
            );
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn both_forms_are_the_definition(layer in layers(), tokens in 1..=12usize, window in 1..=12usize) {
        let (weights, backend) = (layer.weights(), Backend::serial());
        let latent = layer.latent(&weights);
        let mut cache = latent.cache(Compute::F32);
        let x = matrix(tokens, layer.width, layer.seed + 9);
        let queries = layer.project(&weights, &x, &mut cache, &backend);
        let expected = layer.evaluate(&weights, &x, window);
        let reach = windowed(0..tokens, window);
        for form in [Form::Expanded, Form::Absorbed] {
            let y = latent.forward_as(form, queries.view(), &reach, &cache, &backend);
            near(&y, &expected, 3e-5)?;
            for threads in [2, 5] {
                let threads = Backend::new(threads, Compute::F32);
                prop_assert_eq!(&latent.forward_as(form, queries.view(), &reach, &cache, &threads), &y);
            }
        }
    }

    #[test]
    fn tokens_one_by_one_are_tokens_together(layer in layers(), tokens in 1..=12usize) {
        let (weights, backend) = (layer.weights(), Backend::serial());
        let latent = layer.latent(&weights);
        let mut cache = latent.cache(Compute::F32);
        let x = matrix(tokens, layer.width, layer.seed + 9);
        let mut rows = Vec::new();
        for token in 0..tokens {
            let own = x.slice_axis(Axis(0), Slice::from(token..token + 1)).to_owned();
            let queries = layer.project(&weights, &own, &mut cache, &backend);
            rows.push(latent.forward(queries.view(), &[0..token + 1], &cache, &backend));
        }
        let views: Vec<_> = rows.iter().map(|row| row.view()).collect();
        near(&concatenate(Axis(0), &views).expect("one shape"), &layer.evaluate(&weights, &x, tokens), 3e-5)?;
    }
}

fn sizeable(tokens: usize) -> (Layer, Weights, Latent, Array2<f32>) {
    let settings = Settings { heads: 3, rank: 8, unturned: 5, turned: 4, value_dim: 6, scale: 0.4 };
    let layer = Layer { settings, query_rank: Some(4), width: 7, pairing: Pairing::Half, seed: 41 };
    let weights = layer.weights();
    let latent = layer.latent(&weights);
    (layer, weights, latent, matrix(tokens, 7, 50))
}

#[test]
fn over_many_blocks_the_forms_agree_and_forks_and_truncation_lose_nothing() {
    let (layer, weights, latent, x) = sizeable(600);
    let backend = Backend::new(2, Compute::F32);
    let mut cache = latent.cache(Compute::F32);
    let queries = layer.project(&weights, &x, &mut cache, &backend);
    assert_eq!(cache.bytes(), 3 * 256 * 12 * 4, "three blocks of rank + turned numbers");
    let reach = windowed(0..600, 300);
    let [a, b] = [Form::Expanded, Form::Absorbed]
        .map(|form| latent.forward_as(form, queries.view(), &reach, &cache, &backend));
    assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 1e-5));
    let last = queries.slice_axis(Axis(0), Slice::from(599..));
    let one = latent.forward_as(Form::Absorbed, last, &reach[599..], &cache, &backend);
    let company = b.index_axis(Axis(0), 599);
    assert!(one.iter().zip(&company).all(|(one, many)| (one - many).abs() < 1e-6), "alone as in company");
    let mut fork = cache.clone();
    fork.truncate(300);
    let rest = cache.rows(300..600);
    let part = |which: Slice| rest.slice_axis(Axis(1), which);
    fork.append(part(Slice::from(..8)), part(Slice::from(8..)), &backend);
    assert_eq!(fork.rows(0..600), cache.rows(0..600));
    fork.truncate(10);
    fork.append(Array2::zeros((1, 8)).view(), Array2::zeros((1, 4)).view(), &backend);
    assert_ne!(cache.rows(10..11), fork.rows(10..11), "a fork that writes leaves the other alone");
    assert_eq!(cache.rows(9..10), fork.rows(9..10));
}

#[test]
fn in_bf16_half_the_memory_and_its_rounding() {
    let (layer, weights, latent, x) = sizeable(40);
    let backend = Backend::new(1, Compute::Bf16);
    let mut cache = latent.cache(Compute::Bf16);
    let queries = layer.project(&weights, &x, &mut cache, &backend);
    assert_eq!(cache.bytes(), 256 * 12 * 2);
    let expected = layer.evaluate(&weights, &x, 40);
    for form in [Form::Expanded, Form::Absorbed] {
        let y = latent.forward_as(form, queries.view(), &windowed(0..40, 40), &cache, &backend);
        near(&y, &expected, 2e-2).expect("within the rounding of bf16");
    }
}
