//! Both forms against the definition in f64, and against each other.

use camelid_delta_net::{Decay, DeltaNet, Forget, Form, Settings, Share, State, Tokens};
use camelid_kernels::{Backend, Compute};
use ndarray::{Array2, Array3, Axis, Slice, concatenate};
use proptest::prelude::*;

#[derive(Clone, Debug)]
struct Text {
    settings: Settings,
    queries: Array3<f32>,
    keys: Array3<f32>,
    values: Array3<f32>,
    decay: Array2<f32>,
    rate: Array2<f32>,
}

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

/// `fastest` is the most that a step fades by, as a power of e.
fn texts(tokens: impl Strategy<Value = usize>) -> impl Strategy<Value = Text> {
    let decays = prop::sample::select(vec![Decay::Head, Decay::Feature]);
    let fastest = prop::sample::select(vec![0.0f32, 0.01, 1.0, 30.0, 1e4]);
    let most_rate = prop::sample::select(vec![1.0f32, 2.0]);
    let sizes = (1..=3usize, 1..=3usize, 1..=20usize, 1..=20usize);
    (sizes, decays, tokens, fastest, most_rate, any::<u64>()).prop_map(
        |((key_heads, ratio, key_dim, value_dim), decay, tokens, fastest, most_rate, seed)| {
            let value_heads = key_heads * ratio;
            let share = if seed % 2 == 0 { Share::Groups } else { Share::Turns };
            let settings = Settings { key_heads, value_heads, share, key_dim, value_dim, decay, eps: 1e-6 };
            let seed = seed >> 8;
            let heads = |heads: usize, dim: usize, seed: u64| {
                let numbers = numbers(tokens * heads * dim, seed);
                Array3::from_shape_vec((tokens, heads, dim), numbers).expect("as many")
            };
            let flat = |columns: usize, seed: u64| {
                Array2::from_shape_vec((tokens, columns), numbers(tokens * columns, seed)).expect("as many")
            };
            Text {
                queries: heads(key_heads, key_dim, seed),
                keys: heads(key_heads, key_dim, seed + 1),
                values: heads(value_heads, value_dim, seed + 2),
                decay: flat(settings.decays(), seed + 3).mapv(|x| -fastest * x.abs()),
                rate: flat(value_heads, seed + 4).mapv(|x| most_rate * x.abs()),
                settings,
            }
        },
    )
}

impl Text {
    fn net(&self) -> DeltaNet {
        DeltaNet::new(self.settings.clone()).expect("it fits")
    }

    fn len(&self) -> usize {
        self.queries.shape()[0]
    }

    fn run(&self, places: std::ops::Range<usize>, form: Form, state: &mut State) -> Array3<f32> {
        self.run_as(&self.net(), places, form, state, &Backend::serial())
    }

    fn run_as(
        &self,
        net: &DeltaNet,
        places: std::ops::Range<usize>,
        form: Form,
        state: &mut State,
        backend: &Backend,
    ) -> Array3<f32> {
        let places = Slice::from(places);
        let tokens = Tokens {
            queries: self.queries.slice_axis(Axis(0), places),
            keys: self.keys.slice_axis(Axis(0), places),
            values: self.values.slice_axis(Axis(0), places),
            decay: self.decay.slice_axis(Axis(0), places),
            rate: self.rate.slice_axis(Axis(0), places),
        };
        net.forward_as(form, &tokens, state, backend)
    }

    /// The rule as it is written, in f64.
    fn defined(&self) -> (Array3<f64>, Array3<f64>) {
        let Settings { key_heads, value_heads, share, key_dim, value_dim, decay, eps } = self.settings;
        let mut s = Array3::<f64>::zeros((value_heads, value_dim, key_dim));
        let mut o = Array3::zeros((self.len(), value_heads, value_dim));
        for token in 0..self.len() {
            for head in 0..value_heads {
                let key_head = match share {
                    Share::Groups => head / (value_heads / key_heads),
                    Share::Turns => head - head / key_heads * key_heads,
                };
                let unit = |x: &Array3<f32>, length: f64| -> Vec<f64> {
                    let row: Vec<f64> = (0..key_dim).map(|i| f64::from(x[(token, key_head, i)])).collect();
                    let root = (row.iter().map(|x| x * x).sum::<f64>() + eps).sqrt();
                    row.iter().map(|x| x / root * length).collect()
                };
                let (q, k) = (unit(&self.queries, (key_dim as f64).powf(-0.5)), unit(&self.keys, 1.0));
                let beta = f64::from(self.rate[(token, head)]);
                for value in 0..value_dim {
                    for feature in 0..key_dim {
                        let g = match decay {
                            Decay::Head => self.decay[(token, head)],
                            Decay::Feature => self.decay[(token, head * key_dim + feature)],
                        };
                        s[(head, value, feature)] *= f64::from(g).exp();
                    }
                    let told: f64 = (0..key_dim).map(|i| s[(head, value, i)] * k[i]).sum();
                    let lacks = beta * (f64::from(self.values[(token, head, value)]) - told);
                    (0..key_dim).for_each(|i| s[(head, value, i)] += lacks * k[i]);
                    o[(token, head, value)] = (0..key_dim).map(|i| s[(head, value, i)] * q[i]).sum();
                }
            }
        }
        (o, s)
    }
}

/// Within `bound` of the largest.
fn close<'a>(ours: impl Iterator<Item = &'a f32>, wanted: &Array3<f64>, bound: f64) -> Result<(), String> {
    let largest = wanted.iter().fold(1e-3f64, |most, x| most.max(x.abs()));
    for (at, (ours, wanted)) in ours.zip(wanted).enumerate() {
        let error = (f64::from(*ours) - wanted).abs();
        if error.is_nan() || error > bound * largest {
            return Err(format!("{ours} at {at} is not {wanted}"));
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn both_forms_are_the_definition(text in texts(0..=150usize)) {
        let (o, s) = text.defined();
        for form in [Form::Stepwise, Form::Chunked] {
            let mut state = text.net().state();
            let ours = text.run(0..text.len(), form, &mut state);
            let held = close(ours.iter(), &o, 1e-4).and(close(state.view().iter(), &s, 1e-4));
            prop_assert!(held.is_ok(), "{form:?}: {held:?}");
        }
    }

    #[test]
    fn any_cut_and_any_form_is_the_whole(text in texts(0..=150usize), cut in 0.0..=1.0f64, second in any::<bool>()) {
        let cut = (text.len() as f64 * cut) as usize;
        let (o, s) = text.defined();
        let forms = if second { [Form::Chunked, Form::Stepwise] } else { [Form::Stepwise, Form::Chunked] };
        let mut state = text.net().state();
        let first = text.run(0..cut, forms[0], &mut state);
        let rest = text.run(cut..text.len(), forms[1], &mut state);
        let ours = concatenate(Axis(0), &[first.view(), rest.view()]).expect("as wide");
        let held = close(ours.iter(), &o, 1e-4).and(close(state.view().iter(), &s, 1e-4));
        prop_assert!(held.is_ok(), "{held:?}");
    }

    #[test]
    fn chunks_of_any_size_agree(text in texts(1..=90usize), chunk in 1..=100usize) {
        let (o, _) = text.defined();
        let net = text.net().with_chunk(chunk).expect("above 0");
        let ours = text.run_as(&net, 0..text.len(), Form::Chunked, &mut net.state(), &Backend::serial());
        let held = close(ours.iter(), &o, 1e-4);
        prop_assert!(held.is_ok(), "{held:?}");
    }

    #[test]
    fn any_number_of_threads_gives_the_same_bits(text in texts(1..=90usize)) {
        for form in [Form::Stepwise, Form::Chunked] {
            let mut alone = text.net().state();
            let wanted = text.run(0..text.len(), form, &mut alone);
            for threads in [2, 5] {
                let backend = Backend::new(threads, Compute::F32);
                let mut state = text.net().state();
                let ours = text.run_as(&text.net(), 0..text.len(), form, &mut state, &backend);
                prop_assert_eq!(&ours, &wanted);
                prop_assert_eq!(&state, &alone);
            }
        }
    }

    #[test]
    fn a_fork_goes_its_own_way(text in texts(1..=40usize)) {
        let mut state = text.net().state();
        let bytes = state.bytes();
        let _ = text.run(0..text.len() / 2, Form::Chunked, &mut state);
        let before = state.clone();
        let mut fork = state.clone();
        let theirs = text.run(text.len() / 2..text.len(), Form::Stepwise, &mut fork);
        prop_assert_eq!(&state, &before);
        let ours = text.run(text.len() / 2..text.len(), Form::Stepwise, &mut state);
        prop_assert_eq!(ours, theirs);
        prop_assert_eq!(&state, &fork);
        prop_assert_eq!(state.bytes(), bytes);
    }

    #[test]
    fn a_decay_for_each_feature_that_is_one_for_all_is_one_for_the_head(text in texts(1..=90usize)) {
        let Settings { value_heads, key_dim, .. } = text.settings;
        let of_heads = text.decay.slice_axis(Axis(1), Slice::from(..value_heads)).to_owned();
        let spread = Array2::from_shape_fn((text.len(), value_heads * key_dim), |(t, i)| of_heads[(t, i / key_dim)]);
        let with = |decay, g| Text { settings: Settings { decay, ..text.settings.clone() }, decay: g, ..text.clone() };
        let (head, feature) = (with(Decay::Head, of_heads), with(Decay::Feature, spread));
        let wanted = head.run(0..text.len(), Form::Chunked, &mut head.net().state()).mapv(f64::from);
        let ours = feature.run(0..text.len(), Form::Chunked, &mut feature.net().state());
        let held = close(ours.iter(), &wanted, 1e-4);
        prop_assert!(held.is_ok(), "{held:?}");
    }

    #[test]
    fn forgetting_is_its_formula(
        logs in prop::collection::vec(-3.0f32..3.0, 1..4), each in 1..4usize, a in -30.0f32..30.0, floor in prop::option::of(-9.0..-0.1f64),
    ) {
        let bias: Vec<f32> = (0..logs.len() * each).map(|i| i as f32 * 0.3 - 1.0).collect();
        let forget = Forget::new(&logs, &bias, floor).expect("it fits");
        let g = forget.of(Array2::from_elem((2, bias.len()), a).view(), &Backend::serial());
        for (at, g) in g.row(1).iter().enumerate() {
            let (rate, x) = (f64::from(logs[at / each]).exp(), f64::from(a) + f64::from(bias[at]));
            let wanted = match floor {
                None => -rate * x.exp().ln_1p(),
                Some(floor) => floor / (1.0 + (-rate * x).exp()),
            };
            prop_assert!((f64::from(*g) - wanted).abs() <= 1e-6 * wanted.abs() + 1e-30, "{g} is not {wanted}");
            prop_assert!(*g <= 0.0);
        }
    }
}
