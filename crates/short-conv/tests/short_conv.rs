//! The convolution against its definition in f64, and the laws of its state.

use camelid_kernels::{Backend, Compute};
use camelid_short_conv::{Error, ShortConv};
use ndarray::{Array2, Axis, Slice, concatenate};
use proptest::prelude::*;

fn arrays() -> impl Strategy<Value = (Array2<f32>, Array2<f32>, Option<Vec<f32>>, usize)> {
    (1..=9usize, 1..=6usize, 0..=20usize).prop_flat_map(|(channels, width, tokens)| {
        let numbers = |count: usize| prop::collection::vec(-2.0f32..2.0, count);
        let bias = proptest::option::of(numbers(channels));
        (numbers(channels * width), numbers(tokens * channels), bias, 0..=tokens).prop_map(
            move |(weight, x, bias, cut)| {
                let weight = Array2::from_shape_vec((channels, width), weight).expect("as many");
                let x = Array2::from_shape_vec((tokens, channels), x).expect("as many");
                (weight, x, bias, cut)
            },
        )
    })
}

fn defined(weight: &Array2<f32>, x: &Array2<f32>, bias: Option<&Vec<f32>>) -> Array2<f64> {
    Array2::from_shape_fn(x.dim(), |(token, channel)| {
        let width = weight.ncols();
        let taps = (0..width).filter(|tap| token + tap + 1 >= width);
        let sum: f64 = taps
            .map(|tap| f64::from(weight[(channel, tap)]) * f64::from(x[(token + tap + 1 - width, channel)]))
            .sum();
        sum + bias.map_or(0.0, |bias| f64::from(bias[channel]))
    })
}

proptest! {
    #[test]
    fn it_is_its_definition((weight, x, bias, _) in arrays()) {
        let conv = ShortConv::new(weight.view(), bias.clone()).expect("it fits");
        let y = conv.forward(x.view(), &mut conv.state(), &Backend::serial());
        for (y, wanted) in y.iter().zip(&defined(&weight, &x, bias.as_ref())) {
            prop_assert!((f64::from(*y) - wanted).abs() <= 1e-5, "{y} is not {wanted}");
        }
    }

    #[test]
    fn any_cut_and_any_threads_give_the_same_bits((weight, x, bias, cut) in arrays()) {
        let conv = ShortConv::new(weight.view(), bias).expect("it fits");
        let backend = Backend::new(3, Compute::F32);
        let mut whole = conv.state();
        let y = conv.forward(x.view(), &mut whole, &Backend::serial());
        let mut state = conv.state();
        let parts = [x.slice_axis(Axis(0), Slice::from(..cut)), x.slice_axis(Axis(0), Slice::from(cut..))];
        let parts = parts.map(|part| conv.forward(part, &mut state, &backend));
        let joined = concatenate(Axis(0), &[parts[0].view(), parts[1].view()]).expect("as wide");
        prop_assert_eq!(joined, y);
        prop_assert_eq!(state, whole);
    }

    #[test]
    fn a_fork_goes_its_own_way((weight, x, bias, _) in arrays()) {
        let conv = ShortConv::new(weight.view(), bias).expect("it fits");
        let backend = Backend::serial();
        let mut state = conv.state();
        let bytes = state.bytes();
        let mut fork = state.clone();
        let _ = conv.forward(x.view(), &mut fork, &backend);
        prop_assert_eq!(&state, &conv.state());
        let _ = conv.forward(x.view(), &mut state, &backend);
        prop_assert_eq!(&state, &fork);
        prop_assert_eq!(state.bytes(), bytes);
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let empty = ShortConv::new(Array2::zeros((3, 0)).view(), None).expect_err("no tap");
    assert_eq!(
        empty.to_string(),
        "a convolution of 3 channels and width 0: there must be at least one of each"
    );
    let bias = ShortConv::new(Array2::zeros((3, 4)).view(), Some(vec![0.0; 2]));
    assert_eq!(bias.expect_err("another length"), Error::Bias { bias: 2, channels: 3 });
}
