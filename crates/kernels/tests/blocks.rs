//! Quantised blocks: unpacked as their definition says, bit by bit, and products of them as of the numbers they hold.

use camelid_kernels::{Backend, Blocks, Compute, Isa, Meeting, Rows};
use half::f16;
use proptest::prelude::*;

mod noise;
mod stored;

use noise::noise;
use stored::{bits, random_blocks, scale_places, widened};

#[test]
fn numbers_are_those_of_the_definition_to_the_bit() {
    for blocks in Blocks::ALL {
        let bytes = random_blocks(blocks, 7, 3);
        let mut out = vec![0.0; 7 * blocks.numbers()];
        blocks.unpack(&bytes, &mut out);
        assert_eq!(bits(&out), bits(&widened(blocks, &bytes)), "{blocks:?}");
    }
}

#[test]
fn every_instruction_set_unpacks_them_alike_for_few_and_for_many_tokens() {
    for blocks in Blocks::ALL {
        let (rows, cols) = (3, 2 * blocks.numbers());
        let bytes = random_blocks(blocks, rows * 2, 5);
        let numbers = widened(blocks, &bytes);
        for isa in Isa::available() {
            let backend = Backend::serial().with_isa(isa).expect("it is available");
            // Row t of x takes number t of each row of the weight, to the bit: what is added is 0.
            let mut x = vec![0.0; cols * cols];
            (0..cols).for_each(|t| x[t * cols + t] = 1.0);
            for tokens in [1, 2, 3, 5, cols] {
                let [y] = backend.multiply(&x[..tokens * cols], tokens, [Rows::Blocks(blocks, &bytes)]);
                for (at, y) in y.iter().enumerate() {
                    let (t, o) = (at / rows, at % rows);
                    let expected = numbers[o * cols + t];
                    assert_eq!(*y, expected, "{isa:?} {blocks:?}: number {t} of row {o}, {tokens} tokens");
                }
            }
        }
    }
}

#[test]
fn a_scale_that_is_not_finite_makes_its_own_row_so_and_no_other() {
    for blocks in Blocks::ALL {
        let mut bytes = random_blocks(blocks, 3, 1);
        let at = blocks.bytes() + scale_places(blocks)[0];
        bytes[at..at + 2].copy_from_slice(&f16::NAN.to_le_bytes());
        for tokens in [1, 9] {
            let x = vec![0.5; tokens * blocks.numbers()];
            let [y] = Backend::serial().multiply(&x, tokens, [Rows::Blocks(blocks, &bytes)]);
            for token in y.chunks_exact(3) {
                assert!(
                    token[0].is_finite() && token[1].is_nan() && token[2].is_finite(),
                    "{blocks:?} {token:?}"
                );
            }
        }
    }
}

#[test]
#[should_panic(expected = "rows of 48 elements are no whole blocks of Q8_0")]
fn rows_that_are_no_whole_blocks_are_the_callers_fault() {
    let bytes = vec![0; 3 * 34];
    let _ = Backend::serial().multiply(&[0.0; 48], 1, [Rows::Blocks(Blocks::Q8_0, &bytes)]);
}

/// |error| ≤ 5·10⁻⁷ Σ |terms| + what is allowed for a row of x and one of the weight, on every instruction set.
fn near(
    blocks: Blocks,
    bytes: &[u8],
    x: &[f32],
    cols: usize,
    allowed: impl Fn(&[f32], &[f32]) -> f64,
) -> Result<(), TestCaseError> {
    let numbers = widened(blocks, bytes);
    let rows = numbers.len() / cols;
    for isa in Isa::available() {
        let backend = Backend::serial().with_isa(isa).expect("it is available");
        let [y] = backend.multiply(x, x.len() / cols, [Rows::Blocks(blocks, bytes)]);
        for (at, y) in y.iter().enumerate() {
            let (t, o) = (at / rows, at % rows);
            let (x, weight) = (&x[t * cols..(t + 1) * cols], &numbers[o * cols..(o + 1) * cols]);
            let terms = x.iter().zip(weight).map(|(&x, &w)| f64::from(x) * f64::from(w));
            let bound = 5e-7 * terms.clone().map(f64::abs).sum::<f64>() + allowed(x, weight);
            let error = (f64::from(*y) - terms.sum::<f64>()).abs();
            prop_assert!(error <= bound, "{isa:?} {blocks:?} ({t}, {o}): {error:e} over {bound:e}");
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// |error| ≤ 5·10⁻⁷ Σ |terms|, as of the same numbers stored as f32, on every instruction set.
    #[test]
    fn a_product_is_that_of_the_numbers(
        which in 0..Blocks::ALL.len(), tokens in 1..20_usize, rows in 1..70_usize, long in 1..23_usize, seed in 0..1000_u64,
    ) {
        let blocks = Blocks::ALL[which];
        // Whole groups of 256 numbers, and what is left of one.
        let long = if blocks.numbers() == 32 { long } else { long.div_ceil(8) };
        let cols = long * blocks.numbers();
        let (x, bytes) = (noise(tokens * cols, seed), random_blocks(blocks, rows * long, seed + 1));
        near(blocks, &bytes, &x, cols, |_, _| 0.0)?;
    }

    /// Activations of very different sizes: what is more, few tokens' may err by 1 / 8,355,711 of the largest of their 32.
    #[test]
    fn a_product_errs_by_the_largest_of_its_run(
        which in 0..Blocks::ALL.len(), tokens in 1..12_usize, rows in 1..20_usize, long in 1..23_usize, seed in 0..1000_u64,
    ) {
        let blocks = Blocks::ALL[which];
        let long = if blocks.numbers() == 32 { long } else { long.div_ceil(8) };
        let cols = long * blocks.numbers();
        let sizes = noise(tokens * cols, seed + 7);
        let x: Vec<f32> = noise(tokens * cols, seed).iter().zip(sizes).map(|(x, size)| x * (20.0 * size).exp()).collect();
        let bytes = random_blocks(blocks, rows * long, seed + 1);
        near(blocks, &bytes, &x, cols, |x, weight| {
            let run = |(x, w): (&[f32], &[f32])| {
                let most = x.iter().fold(0.0, |most: f64, x| most.max(f64::from(x.abs())));
                most * w.iter().map(|w| f64::from(w.abs())).sum::<f64>() / 8_355_711.0
            };
            x.chunks(32).zip(weight.chunks(32)).map(run).sum()
        })?;
    }

    /// Of every type, on every instruction set, for any number of threads.
    #[test]
    fn bits_do_not_depend_on_threads(
        which in 0..Blocks::ALL.len(), tokens in 1..20_usize, rows in 1..300_usize, threads in 2..6_usize, seed in 0..1000_u64,
    ) {
        let (blocks, cols) = (Blocks::ALL[which], if Blocks::ALL[which].numbers() == 32 { 352 } else { 512 });
        let (x, bytes) = (noise(tokens * cols, seed), random_blocks(blocks, rows * cols / blocks.numbers(), seed + 1));
        for isa in Isa::available() {
            let results = [1, threads].map(|threads| {
                let backend = Backend::new(threads, Compute::F32).with_isa(isa).expect("it is available");
                let [y] = backend.multiply(&x, tokens, [Rows::Blocks(blocks, &bytes)]);
                bits(&y)
            });
            prop_assert_eq!(&results[0], &results[1], "{:?} {:?}", isa, blocks);
        }
    }

    /// The bits do not depend on the threads, nor on the other tokens of a call as long as they are few, or one by one; weights of several
    /// types share a region.
    #[test]
    fn bits_do_not_depend_on_threads_or_company(
        tokens in 1..24_usize, rows in 1..200_usize, seed in 0..1000_u64,
    ) {
        let cols = 256;
        let x = noise(tokens * cols, seed);
        let a = random_blocks(Blocks::Q4K, rows, seed);
        let b = random_blocks(Blocks::Q8_0, rows * 8, seed + 1);
        let c = random_blocks(Blocks::Q6K, rows, seed + 2);
        let weights = [Rows::Blocks(Blocks::Q4K, &a), Rows::Blocks(Blocks::Q8_0, &b), Rows::Blocks(Blocks::Q6K, &c)];
        let one = Backend::serial().multiply(&x, tokens, weights);
        let three = Backend::new(3, Compute::F32).multiply(&x, tokens, weights);
        prop_assert_eq!(&one, &three);
        for backend in [Backend::serial(), Backend::serial().with_compute(Compute::Q8)] {
            let one = backend.one_by_one().multiply(&x, tokens, weights);
            for (token, x) in x.chunks_exact(cols).enumerate() {
                let alone = backend.multiply(x, 1, weights);
                for (alone, all) in alone.iter().zip(&one) {
                    prop_assert_eq!(&alone[..], &all[token * rows..(token + 1) * rows]);
                }
            }
        }
        if tokens < Backend::MANY {
            prop_assert_eq!(&one, &Backend::serial().one_by_one().multiply(&x, tokens, weights));
        }
    }

    /// Results that meet on the way are those that meet afterwards.
    #[test]
    fn gated_products_meet_as_whole_results_do(
        which in 0..Blocks::ALL.len(), tokens in 1..20_usize, rows in 1..80_usize, seed in 0..1000_u64,
    ) {
        let blocks = Blocks::ALL[which];
        let cols = 256;
        let x = noise(tokens * cols, seed);
        let per_row = cols / blocks.numbers();
        let (gate, up) = (random_blocks(blocks, rows * per_row, seed), random_blocks(blocks, rows * per_row, seed + 1));
        let weights = [Rows::Blocks(blocks, &gate), Rows::Blocks(blocks, &up)];
        let backend = Backend::new(2, Compute::F32);
        let y = backend.multiply_gated(&x, tokens, weights, |Meeting { gate, up, .. }| {
            gate.iter_mut().zip(up.iter()).for_each(|(gate, up)| *gate *= up);
        });
        let [gate, up] = backend.multiply(&x, tokens, weights);
        let expected: Vec<f32> = gate.iter().zip(&up).map(|(gate, up)| gate * up).collect();
        prop_assert_eq!(y, expected);
    }
}
