//! How long a norm takes, for one token and for a prompt, at the width of a 7B model.

use camelid_norm::{Kind, Norm, Settings, unit_factor};
use divan::{Bencher, black_box, counter::ItemsCount};
use ndarray::{Array1, Array2};

const HIDDEN: usize = 4096;

fn main() {
    divan::main();
}

fn rows(tokens: usize) -> Array2<f32> {
    Array2::from_shape_fn((tokens, HIDDEN), |(token, i)| ((token + i) % 17) as f32 - 8.0)
}

/// Counts features.
#[divan::bench(args = [1, 512])]
fn rms(bencher: Bencher<'_, '_>, tokens: usize) {
    bench(bencher, Kind::Rms, tokens);
}

/// Counts features.
#[divan::bench(args = [1, 512])]
fn layer(bencher: Bencher<'_, '_>, tokens: usize) {
    bench(bencher, Kind::Layer, tokens);
}

fn bench(bencher: Bencher<'_, '_>, kind: Kind, tokens: usize) {
    let x = rows(tokens);
    let Ok(norm) = Norm::new(Settings { kind, eps: 1e-5 }, Array1::ones(HIDDEN), None) else { return };
    bencher.counter(ItemsCount::new(tokens * HIDDEN)).bench_local(|| norm.forward(black_box(x.view())));
}

/// Counts features.
#[divan::bench]
fn factor_of_a_row(bencher: Bencher<'_, '_>) {
    let row = rows(1).into_raw_vec_and_offset().0;
    bencher.counter(ItemsCount::new(HIDDEN)).bench_local(|| unit_factor(black_box(&row)));
}
