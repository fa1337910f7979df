//! Products of quantised blocks and of activations rounded to bytes: their definition, their bound, and the same bits
//! everywhere.

use camelid_kernels::{Backend, Blocks, Compute, Isa, Meeting, Rows};
use half::f16;
use proptest::prelude::*;

mod noise;
mod stored;

use noise::noise;
use stored::{bits, random_blocks, scale_places, widened};

/// Activations of one scale.
const RUN: usize = 32;

/// Each activation as it is rounded, and half a step of its run: what it errs by at most, but for the last bits of f32.
fn rounded(x: &[f32], cols: usize) -> (Vec<f64>, Vec<f64>) {
    let runs = x.chunks(cols).flat_map(|row| row.chunks(RUN));
    runs.flat_map(|run| {
        let step = run.iter().fold(0.0_f32, |most, x| most.max(x.abs())) / 127.0;
        let value = move |&x: &f32| {
            let byte = (f64::from(x) / f64::from(step)).round_ties_even();
            (if step > 0.0 { byte * f64::from(step) } else { 0.0 }, f64::from(step) / 2.0)
        };
        run.iter().map(value).collect::<Vec<_>>()
    })
    .unzip()
}

fn with(isa: Isa, threads: usize) -> Backend {
    Backend::new(threads, Compute::Q8).with_isa(isa).expect("it is available")
}

/// Activations of different sizes from run to run.
fn activations(count: usize, seed: u64) -> Vec<f32> {
    let sizes = noise(count.div_ceil(RUN), seed + 7);
    noise(count, seed).iter().enumerate().map(|(at, x)| x * (6.0 * sizes[at / RUN]).exp()).collect()
}

/// Blocks in a row of `long` units of 32 numbers, or of as many 256 as hold these.
fn row_blocks(blocks: Blocks, long: usize) -> usize {
    if blocks.numbers() == 32 { long } else { long.div_ceil(8) }
}

#[test]
fn whole_numbers_are_multiplied_exactly() {
    for (blocks, isa) in
        Blocks::ALL.into_iter().flat_map(|b| Isa::available().into_iter().map(move |isa| (b, isa)))
    {
        let (rows, cols) = (5, 512);
        let bytes = random_blocks(blocks, rows * cols / blocks.numbers(), 11);
        let numbers = widened(blocks, &bytes);
        // With a step of 1 nothing is rounded: 127 in each run sees to that, and one number beside it.
        let x: Vec<f32> =
            (0..cols).map(|i| if i % RUN == 0 { 127.0 } else { (i % 7) as f32 - 3.0 }).collect();
        for tokens in [1, 9] {
            let [y] = with(isa, 1).multiply(&x.repeat(tokens), tokens, [Rows::Blocks(blocks, &bytes)]);
            for (at, y) in y.iter().enumerate() {
                let terms = (0..cols).map(|i| f64::from(x[i]) * f64::from(numbers[at % rows * cols + i]));
                let bound = 1e-6 * terms.clone().map(f64::abs).sum::<f64>();
                let error = (f64::from(*y) - terms.sum::<f64>()).abs();
                assert!(error <= bound, "{isa:?} {blocks:?} row {}: {error:e} over {bound:e}", at % rows);
            }
        }
    }
}

#[test]
fn weights_that_are_no_blocks_are_computed_in_f32() {
    let (x, weight) = (noise(3 * 64, 1), noise(5 * 64, 2));
    let [ours] = Backend::new(1, Compute::Q8).multiply(&x, 3, [Rows::F32(&weight)]);
    let [exact] = Backend::serial().multiply(&x, 3, [Rows::F32(&weight)]);
    assert_eq!(ours, exact);
}

#[test]
fn what_is_not_finite_stays_in_its_row_and_token() {
    for blocks in Blocks::ALL {
        let mut bytes = random_blocks(blocks, 3, 1);
        let at = blocks.bytes() + scale_places(blocks)[0];
        bytes[at..at + 2].copy_from_slice(&f16::NAN.to_le_bytes());
        for (isa, tokens) in Isa::available().into_iter().flat_map(|isa| [(isa, 2), (isa, 9)]) {
            for bad in [f32::NAN, f32::INFINITY] {
                let mut x = vec![0.5; tokens * blocks.numbers()];
                x[blocks.numbers() + 3] = bad;
                let [y] = with(isa, 1).multiply(&x, tokens, [Rows::Blocks(blocks, &bytes)]);
                for (token, y) in y.chunks_exact(3).enumerate() {
                    let finite = [0, 1, 2].map(|row| y[row].is_finite());
                    let expected = if token == 1 { [false; 3] } else { [true, false, true] };
                    assert_eq!(finite, expected, "{isa:?} {blocks:?} token {token} of {tokens}: {y:?}");
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// The product is that of the numbers and of the rounded activations, to 10⁻⁶ Σ |terms|; and so differs from that of
    /// the activations themselves by at most Σ |w| d/2.
    #[test]
    fn a_product_is_that_of_rounded_activations(
        which in 0..Blocks::ALL.len(), tokens in 1..40_usize, rows in 1..70_usize, long in 1..23_usize, seed in 0..1000_u64,
    ) {
        let blocks = Blocks::ALL[which];
        let long = row_blocks(blocks, long);
        let cols = long * blocks.numbers();
        let (x, bytes) = (activations(tokens * cols, seed), random_blocks(blocks, rows * long, seed + 1));
        let (numbers, (near, half_step)) = (widened(blocks, &bytes), rounded(&x, cols));
        for isa in Isa::available() {
            let [y] = with(isa, 1).multiply(&x, tokens, [Rows::Blocks(blocks, &bytes)]);
            for (at, &y) in y.iter().enumerate() {
                let (t, o) = (at / rows, at % rows);
                let weight = numbers[o * cols..(o + 1) * cols].iter().map(|&w| f64::from(w));
                let own = t * cols..(t + 1) * cols;
                let sum = |x: &mut dyn Iterator<Item = f64>| weight.clone().zip(x).map(|(w, x)| w * x).sum::<f64>();
                let size = |x: &mut dyn Iterator<Item = f64>| weight.clone().zip(x).map(|(w, x)| (w * x).abs()).sum::<f64>();
                let product = sum(&mut near[own.clone()].iter().copied());
                let exact = sum(&mut x[own.clone()].iter().map(|&x| f64::from(x)));
                let noise = 1e-6 * size(&mut near[own.clone()].iter().copied());
                let stated = size(&mut half_step[own.clone()].iter().copied());
                // A number that lies halfway, but for f32's last bits, may go either way: by a whole step.
                let tie = 2e-5 * stated + ties(&x[own.clone()], &half_step[own.clone()], weight.clone());
                let error = (f64::from(y) - product).abs();
                prop_assert!(error <= noise + tie, "{isa:?} {blocks:?} ({t}, {o}): {error:e} over {noise:e}");
                let error = (f64::from(y) - exact).abs();
                prop_assert!(error <= 1.0001 * stated + noise, "{isa:?} {blocks:?} ({t}, {o}): {error:e} over {stated:e}");
            }
        }
    }

    /// The same bits with every instruction set and any number of threads; and whatever other tokens there are, as long as
    /// they are as few, or as many.
    #[test]
    fn bits_are_those_of_the_portable_form(
        which in 0..Blocks::ALL.len(), tokens in 1..80_usize, rows in 1..300_usize, long in 1..20_usize, threads in 1..4_usize, seed in 0..1000_u64,
    ) {
        let blocks = Blocks::ALL[which];
        let long = row_blocks(blocks, long);
        let cols = long * blocks.numbers();
        let (x, bytes) = (activations(tokens * cols, seed), random_blocks(blocks, rows * long, seed + 1));
        let weight = [Rows::Blocks(blocks, &bytes)];
        let [portable] = with(Isa::Portable, 1).multiply(&x, tokens, weight);
        for isa in Isa::available() {
            let [y] = with(isa, threads).multiply(&x, tokens, weight);
            prop_assert_eq!(bits(&y), bits(&portable), "{:?} {:?}", isa, blocks);
        }
        let some = if tokens < 8 { 1 } else { 8 };
        let last = &x[(tokens - some) * cols..];
        let [y] = with(Isa::best(), 1).multiply(last, some, weight);
        prop_assert_eq!(bits(&y), bits(&portable[(tokens - some) * rows..]), "{:?} {} of {}", blocks, some, tokens);
    }

    /// Weights of several types share a region, and results that meet on the way are those that meet afterwards.
    #[test]
    fn products_share_a_region(tokens in 1..30_usize, rows in 1..80_usize, seed in 0..1000_u64) {
        let cols = 256;
        let x = activations(tokens * cols, seed);
        let (a, b) = (random_blocks(Blocks::Q6K, rows, seed), random_blocks(Blocks::Q5_0, rows * 8, seed + 1));
        let c = noise(rows * cols, seed + 2);
        let weights = [Rows::Blocks(Blocks::Q6K, &a), Rows::Blocks(Blocks::Q5_0, &b), Rows::F32(&c)];
        let backend = Backend::new(2, Compute::Q8);
        let together = backend.multiply(&x, tokens, weights);
        for (weight, together) in weights.iter().zip(&together) {
            let [alone] = backend.multiply(&x, tokens, [*weight]);
            prop_assert_eq!(&alone, together);
        }
        let y = backend.multiply_gated(&x, tokens, [weights[1]; 2], |Meeting { gate, up, .. }| {
            gate.iter_mut().zip(up.iter()).for_each(|(gate, up)| *gate *= up);
        });
        prop_assert_eq!(y, together[1].iter().map(|y| y * y).collect::<Vec<_>>());
    }
}

/// What may be lost where a number lies so near the middle of two steps that f32 rounds it to the other one.
fn ties(x: &[f32], half_step: &[f64], weight: impl Iterator<Item = f64>) -> f64 {
    let near = |x: f32, half: f64| {
        let place = f64::from(x) / (2.0 * half);
        half > 0.0 && (place - place.floor() - 0.5).abs() < 1e-4
    };
    let lost = x.iter().zip(half_step).zip(weight);
    lost.map(|((&x, &half), w)| if near(x, half) { 2.0 * half * w.abs() } else { 0.0 }).sum()
}
