//! How long tables and turns take, for one token and for a prompt, at the size of a 7B model.

use camelid_rope::{Frequencies, Pairing, Settings, Table};
use divan::{Bencher, black_box, counter::ItemsCount};
use ndarray::Array3;

const HEADS: usize = 32;
const HEAD_DIM: usize = 128;

fn main() {
    divan::main();
}

fn frequencies() -> Frequencies {
    let settings = Settings { theta: 1e4, head_dim: HEAD_DIM, rotary_dim: HEAD_DIM, context: None };
    Frequencies { inverse: settings.inverse(), factor: 1.0 }
}

/// Counts pairs.
#[divan::bench(args = [1, 512])]
fn table(bencher: Bencher<'_, '_>, tokens: usize) {
    let (frequencies, positions) = (frequencies(), (1000..1000 + tokens).collect::<Vec<_>>());
    let counter = ItemsCount::new(tokens * HEAD_DIM / 2);
    bencher.counter(counter).bench_local(|| Table::new(black_box(&frequencies), black_box(&positions)));
}

/// Counts features.
#[divan::bench(args = [1, 512])]
fn half(bencher: Bencher<'_, '_>, tokens: usize) {
    turn(bencher, tokens, Pairing::Half);
}

/// Counts features.
#[divan::bench(args = [1, 512])]
fn adjacent(bencher: Bencher<'_, '_>, tokens: usize) {
    turn(bencher, tokens, Pairing::Adjacent);
}

fn turn(bencher: Bencher<'_, '_>, tokens: usize, pairing: Pairing) {
    let table = Table::new(&frequencies(), &(1000..1000 + tokens).collect::<Vec<_>>());
    let mut x = Array3::<f32>::ones((tokens, HEADS, HEAD_DIM));
    let counter = ItemsCount::new(x.len());
    bencher.counter(counter).bench_local(|| table.turn(black_box(x.view_mut()), pairing));
}
