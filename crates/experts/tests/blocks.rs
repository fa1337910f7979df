//! The whole block against the definition in f64, for every word of its settings, and every layout of the same experts.

use camelid_experts::{
    Expert, Experts, GroupBy, Lies, Over, Packing, Router, Score, Settings, Shared, Side, Sides, Weigh,
};
use camelid_kernels::{Backend, Compute};
use camelid_linear::{Linear, Weight};
use camelid_mlp::{Activation, Glu, Layers, Mlp};
use ndarray::{Array2, Axis, Slice, concatenate};
use proptest::prelude::*;

/// One expert in plain numbers.
#[derive(Clone, Debug)]
struct Known {
    gate: Array2<f32>,
    up: Array2<f32>,
    down: Array2<f32>,
    biases: Option<[Vec<f32>; 3]>,
}

#[derive(Clone, Debug)]
struct Block {
    settings: Settings,
    glu: Glu,
    router: Array2<f32>,
    correction: Vec<f32>,
    factors: Vec<f32>,
    experts: Vec<Known>,
    shared: Known,
    shared_gate: Option<Vec<f32>>,
    x: Array2<f32>,
}

/// Numbers that look random, so that no two experts are alike and no choice is a near tie.
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

fn known(width: usize, features: usize, biased: bool, seed: u64) -> Known {
    Known {
        gate: matrix(width, features, seed),
        up: matrix(width, features, seed + 1),
        down: matrix(features, width, seed + 2),
        biases: biased
            .then(|| [numbers(width, seed + 3), numbers(width, seed + 4), numbers(features, seed + 5)]),
    }
}

fn settings() -> impl Strategy<Value = Settings> {
    let words = (
        prop::sample::select(vec![Score::Softmax, Score::Sigmoid, Score::SqrtSoftplus]),
        prop::sample::select(vec![Over::All, Over::Chosen]),
        prop::sample::select(vec![GroupBy::Best, GroupBy::BestTwo]),
        prop::sample::select(vec![Weigh::Output, Weigh::Input]),
        any::<bool>(),
    );
    (1..=4usize, 2..=4usize, words).prop_flat_map(|(groups, size, words)| {
        (1..=groups).prop_flat_map(move |groups_kept| {
            (1..=groups_kept * size).prop_map(move |chosen| {
                let (score, over, group_by, weigh, normalise) = words;
                let experts = groups * size;
                Settings {
                    experts,
                    chosen,
                    score,
                    over,
                    groups,
                    groups_kept,
                    group_by,
                    normalise,
                    scale: 1.7,
                    weigh,
                }
            })
        })
    })
}

fn blocks() -> impl Strategy<Value = Block> {
    let glus = prop::sample::select(vec![
        Glu::from(Activation::Silu),
        Glu::from(Activation::GeluTanh),
        Glu { limit: Some(0.4), ..Glu::from(Activation::Silu) },
        Glu { alpha: Some(1.702), limit: Some(0.6), shift: 1.0, ..Glu::from(Activation::Silu) },
    ]);
    (settings(), glus, 1..=7usize, 1..=9usize, 0..=6usize, any::<u64>(), any::<[bool; 3]>()).prop_map(
        |(settings, glu, features, width, tokens, seed, [biased, corrected, gated])| {
            let seed = seed >> 8;
            let count = settings.experts;
            Block {
                router: matrix(count, features, seed + 11),
                correction: if corrected { numbers(count, seed + 12) } else { vec![0.0; count] },
                factors: numbers(count, seed + 13),
                experts: (0..count as u64)
                    .map(|e| known(width, features, biased, seed + 100 * (e + 1)))
                    .collect(),
                shared: known(width + 1, features, false, seed + 14),
                shared_gate: gated.then(|| numbers(features, seed + 20)),
                x: matrix(tokens, features, seed + 21) * 2.0,
                settings,
                glu,
            }
        },
    )
}

fn linear(weight: &Array2<f32>, bias: Option<&Vec<f32>>) -> Linear {
    let weight = weight.as_standard_layout();
    let [rows, cols] = *weight.shape() else { unreachable!() };
    let weight = Weight::from_f32(rows, cols, weight.as_slice().expect("standard layout"));
    Linear { weight, bias: bias.cloned() }
}

fn side(weight: &Array2<f32>, bias: Option<&Vec<f32>>, lies: Lies) -> Side {
    let turned = weight.t();
    let Linear { weight, bias } = match lies {
        Lies::OutIn => linear(weight, bias),
        Lies::InOut => linear(&turned.to_owned(), bias),
    };
    Side { weight, bias, lies }
}

impl Known {
    fn apart(&self) -> Expert {
        let bias = |index: usize| self.biases.as_ref().map(|biases| &biases[index]);
        let own = |weight, index| side(weight, bias(index), Lies::OutIn);
        Expert::new(Sides::Apart { gate: own(&self.gate, 0), up: own(&self.up, 1) }, own(&self.down, 2))
    }

    fn packed(&self, packing: Packing) -> (Array2<f32>, Option<Vec<f32>>) {
        let (rows, cols) = self.gate.dim();
        let row = |row: usize| match packing {
            Packing::Halves => (row / rows, row % rows),
            Packing::Turns => (row % 2, row / 2),
        };
        let both = Array2::from_shape_fn((2 * rows, cols), |(at, col)| {
            let (which, row) = row(at);
            [&self.gate, &self.up][which][[row, col]]
        });
        let bias =
            self.biases.as_ref().map(|biases| (0..2 * rows).map(|at| biases[row(at).0][row(at).1]).collect());
        (both, bias)
    }

    fn evaluate(&self, glu: Glu, x: &[f64]) -> Vec<f64> {
        let apply = |weight: &Array2<f32>, x: &[f64], bias: usize| -> Vec<f64> {
            weight
                .outer_iter()
                .enumerate()
                .map(|(row, w)| {
                    let bias = self.biases.as_ref().map_or(0.0, |biases| f64::from(biases[bias][row]));
                    w.iter().zip(x).map(|(w, x)| f64::from(*w) * x).sum::<f64>() + bias
                })
                .collect()
        };
        let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
        let act = |g: f64| match glu.activation {
            Activation::Silu => g * sigmoid(glu.alpha.unwrap_or(1.0) * g),
            _ => 0.5 * g * (1.0 + ((2.0 / std::f64::consts::PI).sqrt() * (g + 0.044715 * g * g * g)).tanh()),
        };
        let limit = glu.limit.unwrap_or(f64::INFINITY);
        let inner: Vec<f64> = apply(&self.gate, x, 0)
            .into_iter()
            .zip(apply(&self.up, x, 1))
            .map(|(g, u)| act(g.min(limit)) * (u.clamp(-limit, limit) + glu.shift))
            .collect();
        apply(&self.down, &inner, 2)
    }
}

impl Block {
    fn router(&self) -> Router {
        let router = Router::new(self.settings.clone(), linear(&self.router, None)).expect("it fits");
        let router = router.with_correction(self.correction.clone()).expect("it fits");
        router.with_factors(self.factors.clone()).expect("it fits")
    }

    fn built(&self, experts: Vec<Expert>) -> Experts {
        let [gate, up, down] =
            [&self.shared.gate, &self.shared.up, &self.shared.down].map(|w| linear(w, None));
        let mlp = Mlp::new(Layers::Gated { gate, up, down }, self.glu).expect("it fits");
        let gate = self
            .shared_gate
            .as_ref()
            .map(|gate| Linear { weight: Weight::from_f32(1, gate.len(), gate), bias: None });
        Experts::new(self.router(), experts, self.glu, Some(Shared { mlp, gate })).expect("it fits")
    }

    /// The definition, token by token.
    fn evaluate(&self, x: &[f64]) -> Vec<f64> {
        let Settings { experts, chosen, score, over, groups, groups_kept, group_by, normalise, scale, weigh } =
            self.settings.clone();
        let z: Vec<f64> =
            self.router.outer_iter().map(|w| w.iter().zip(x).map(|(w, x)| f64::from(*w) * x).sum()).collect();
        let scored = |z: &[f64]| -> Vec<f64> {
            match score {
                Score::Softmax => {
                    z.iter().map(|a| a.exp() / z.iter().map(|b| b.exp()).sum::<f64>()).collect()
                }
                Score::Sigmoid => z.iter().map(|a| 1.0 / (1.0 + (-a).exp())).collect(),
                Score::SqrtSoftplus => z.iter().map(|a| (1.0 + a.exp()).ln().sqrt()).collect(),
            }
        };
        let plain = if over == Over::All { scored(&z) } else { z.clone() };
        let judged: Vec<f64> = (0..experts).map(|e| plain[e] + f64::from(self.correction[e])).collect();
        let size = experts / groups;
        let worth = |group: usize| {
            let mut own: Vec<f64> = judged[group * size..(group + 1) * size].to_vec();
            own.sort_by(|a, b| b.total_cmp(a));
            if group_by == GroupBy::Best { own[0] } else { own[0] + own[1] }
        };
        let mut order: Vec<usize> = (0..groups).collect();
        order.sort_by(|a, b| worth(*b).total_cmp(&worth(*a)));
        let open = |e: &usize| order[..groups_kept].contains(&(e / size));
        let mut picks: Vec<usize> = (0..experts).filter(open).collect();
        picks.sort_by(|a, b| judged[*b].total_cmp(&judged[*a]));
        picks.truncate(chosen);
        let mut p: Vec<f64> = picks.iter().map(|e| plain[*e]).collect();
        if over == Over::Chosen {
            p = scored(&p);
        }
        let sum: f64 = p.iter().sum();
        let mut y = vec![0.0; x.len()];
        for (e, p) in picks.iter().zip(p) {
            let p = if normalise { p / sum } else { p } * scale * f64::from(self.factors[*e]);
            let read: Vec<f64> = x.iter().map(|x| if weigh == Weigh::Input { p * x } else { *x }).collect();
            let by = if weigh == Weigh::Input { 1.0 } else { p };
            let out = self.experts[*e].evaluate(self.glu, &read);
            y.iter_mut().zip(out).for_each(|(y, out)| *y += by * out);
        }
        let gate = self.shared_gate.as_ref().map_or(1.0, |w| {
            let z: f64 = w.iter().zip(x).map(|(w, x)| f64::from(*w) * x).sum();
            1.0 / (1.0 + (-z).exp())
        });
        let out = self.shared.evaluate(self.glu, x);
        y.iter_mut().zip(out).for_each(|(y, out)| *y += gate * out);
        y
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn the_block_is_its_definition_for_every_word(block in blocks()) {
        let experts = block.built(block.experts.iter().map(Known::apart).collect());
        let y = experts.forward(block.x.view(), &Backend::serial());
        for (x, y) in block.x.outer_iter().zip(y.outer_iter()) {
            let expected = block.evaluate(&x.iter().map(|x| f64::from(*x)).collect::<Vec<_>>());
            let size = 1.0 + expected.iter().fold(0.0, |most: f64, y| most.max(y.abs()));
            for (y, expected) in y.iter().zip(expected) {
                prop_assert!((f64::from(*y) - expected).abs() <= 4e-5 * size, "{} is not {}", y, expected);
            }
        }
    }

    #[test]
    fn any_cut_of_the_tokens_and_any_number_of_threads_give_the_same_bits(block in blocks(), at in 0..=6usize) {
        let experts = block.built(block.experts.iter().map(Known::apart).collect());
        let y = experts.forward(block.x.view(), &Backend::serial());
        for threads in [2, 5] {
            prop_assert_eq!(&experts.forward(block.x.view(), &Backend::new(threads, Compute::F32)), &y);
        }
        let at = at.min(block.x.nrows());
        let [a, b] = [Slice::from(..at), Slice::from(at..)].map(|part| {
            experts.forward(block.x.slice_axis(Axis(0), part), &Backend::serial())
        });
        prop_assert_eq!(concatenate(Axis(0), &[a.view(), b.view()]).expect("one width"), y);
    }

    #[test]
    fn every_layout_of_the_same_experts_gives_the_same_bits(block in blocks()) {
        let y = block.built(block.experts.iter().map(Known::apart).collect()).forward(block.x.view(), &Backend::serial());
        for packing in [Packing::Halves, Packing::Turns] {
            for lies in [Lies::OutIn, Lies::InOut] {
                let sides = |known: &Known| {
                    let (both, bias) = known.packed(packing);
                    let down_bias = known.biases.as_ref().map(|biases| &biases[2]);
                    (side(&both, bias.as_ref(), lies), side(&known.down, down_bias, lies))
                };
                let each = block.experts.iter().map(|known| {
                    let (both, down) = sides(known);
                    Expert::new(Sides::Packed { both, packing }, down)
                });
                prop_assert_eq!(&block.built(each.collect()).forward(block.x.view(), &Backend::serial()), &y);
                let (both, down): (Vec<_>, Vec<_>) = block.experts.iter().map(sides).unzip();
                let stacked = Expert::stacked(both.len(), &stack(&both), packing, &stack(&down));
                prop_assert_eq!(&block.built(stacked).forward(block.x.view(), &Backend::serial()), &y);
            }
        }
    }
}

/// The same matrices behind one another.
fn stack(sides: &[Side]) -> Side {
    let [rows, cols] = [sides[0].weight.rows(), sides[0].weight.cols()];
    let mut values = vec![0.0; sides.len() * rows * cols];
    for (index, row) in values.chunks_exact_mut(cols.max(1)).enumerate() {
        sides[index / rows].weight.row(index % rows, row);
    }
    let bias: Option<Vec<Vec<f32>>> = sides.iter().map(|side| side.bias.clone()).collect();
    Side {
        weight: Weight::from_f32(sides.len() * rows, cols, &values),
        bias: bias.map(|all| all.concat()),
        lies: sides[0].lies,
    }
}
