//! Layers and weights: against f64, over every stored type, aligned or not, whole or in parts.

use bytes::Bytes;
use camelid_kernels::{Backend, Blocks, Compute, Dtype, Rows};
use camelid_linear::{Error, Linear, Weight, forward_all, forward_gated};
use half::{bf16, f16};
use ndarray::{Array2, Axis, Slice};
use proptest::prelude::*;

const DTYPES: [Dtype; 3] = [Dtype::F32, Dtype::Bf16, Dtype::F16];

/// The little-endian bytes of `values` in a stored type, after `offset` bytes of something else.
fn stored(values: &[f32], dtype: Dtype, offset: usize) -> Bytes {
    let mut bytes = vec![0xAA; offset];
    for &value in values {
        match dtype {
            Dtype::F32 => bytes.extend(value.to_le_bytes()),
            Dtype::Bf16 => bytes.extend(bf16::from_f32(value).to_le_bytes()),
            Dtype::F16 => bytes.extend(f16::from_f32(value).to_le_bytes()),
            Dtype::Blocks(_) => unreachable!("blocks are made by `quantised`"),
        }
    }
    Bytes::from(bytes).slice(offset..)
}

/// Small multiples of 1/8, which every stored type holds and whose sums f32 holds.
fn exact(count: usize, seed: usize) -> Vec<f32> {
    (0..count).map(|i| ((i * 31 + seed * 17 + i * i) % 33) as f32 / 8.0 - 2.0).collect()
}

fn weight(dtype: Dtype, rows: usize, cols: usize, offset: usize) -> Weight {
    Weight::new(stored(&exact(rows * cols, 1), dtype, offset), dtype, rows, cols).expect("length fits")
}

fn rows_of(weight: &Weight) -> Vec<Vec<f32>> {
    let row = |index| {
        let mut row = vec![f32::NAN; weight.cols()];
        weight.row(index, &mut row);
        row
    };
    (0..weight.rows()).map(row).collect()
}

/// x Wᵀ + b by the definition; exact for `exact` values.
fn naive(x: &Array2<f32>, weight: &Weight, bias: Option<&[f32]>) -> Array2<f32> {
    let rows = rows_of(weight);
    Array2::from_shape_fn((x.nrows(), rows.len()), |(t, o)| {
        let terms = x.row(t).iter().zip(&rows[o]).map(|(x, w)| f64::from(*x) * f64::from(*w)).sum::<f64>();
        (terms + bias.map_or(0.0, |bias| f64::from(bias[o]))) as f32
    })
}

proptest! {
    #[test]
    fn a_layer_is_x_times_w_transposed_plus_b(
        tokens in 0..20_usize, rows in 0..40_usize, cols in 0..50_usize, offset in 0..8_usize,
    ) {
        let x = Array2::from_shape_vec((tokens, cols), exact(tokens * cols, 2)).expect("length fits");
        for dtype in DTYPES {
            for bias in [None, Some(exact(rows, 3))] {
                let layer = Linear { weight: weight(dtype, rows, cols, offset), bias };
                let expected = naive(&x, &layer.weight, layer.bias.as_deref());
                for backend in [Backend::serial(), Backend::new(2, Compute::Bf16)] {
                    prop_assert_eq!(&layer.forward(x.view(), &backend), &expected);
                }
            }
        }
    }

    /// With values whose sums are rounded: a token is the same bits for any threads, in any company of the same kind, and one by
    /// one in any company at all.
    #[test]
    fn a_token_has_the_same_bits_for_any_threads_and_in_any_company_of_its_kind(
        tokens in 1..30_usize, rows in 1..40_usize, cols in 1..300_usize, place: prop::sample::Index,
    ) {
        let rounded = |count: usize, seed: usize| exact(count, seed).into_iter().map(|value| value / 3.0).collect::<Vec<_>>();
        let x = Array2::from_shape_vec((tokens, cols), rounded(tokens * cols, 2)).expect("length fits");
        let at = place.index(tokens);
        let one = x.slice_axis(Axis(0), Slice::from(at..at + 1));
        for dtype in DTYPES {
            let weight = Weight::new(stored(&rounded(rows * cols, 1), dtype, 0), dtype, rows, cols).expect("length fits");
            let layer = Linear { weight, bias: None };
            let serial = Backend::serial();
            let all = layer.forward(x.view(), &serial);
            prop_assert_eq!(&layer.forward(x.view(), &Backend::new(3, Compute::F32)), &all);
            let alone = layer.forward(one, &serial);
            let one_by_one = layer.forward(x.view(), &serial.one_by_one());
            prop_assert_eq!(one_by_one.row(at), alone.row(0));
            if tokens < Backend::MANY {
                prop_assert_eq!(all.row(at), alone.row(0));
            } else {
                let first = layer.forward(x.slice_axis(Axis(0), Slice::from(..Backend::MANY)), &serial);
                prop_assert_eq!(&first, &all.slice_axis(Axis(0), Slice::from(..Backend::MANY)));
            }
        }
    }

    #[test]
    fn layers_that_share_x_equal_each_by_itself(
        tokens in 0..20_usize, rows in prop::array::uniform3(0..30_usize), cols in 1..40_usize,
    ) {
        let backend = Backend::new(2, Compute::F32);
        let x = Array2::from_shape_vec((tokens, cols), exact(tokens * cols, 2)).expect("length fits");
        let layer = |i| Linear { weight: weight(DTYPES[i], rows[i], cols, i), bias: Some(exact(rows[i], i)) };
        let layers = [0, 1, 2].map(layer);
        let together = forward_all([&layers[0], &layers[1], &layers[2]], x.view(), &backend);
        for (layer, y) in layers.iter().zip(together) {
            prop_assert_eq!(y, layer.forward(x.view(), &backend));
        }
    }

    #[test]
    fn gated_layers_are_combined_as_they_would_be_afterwards(
        tokens in 0..20_usize, rows in 0..70_usize, cols in 0..40_usize, biases: [bool; 2], dtype in prop::sample::select(&DTYPES),
    ) {
        let backend = Backend::new(2, Compute::F32);
        let x = Array2::from_shape_vec((tokens, cols), exact(tokens * cols, 2)).expect("length fits");
        let layer = |i: usize| Linear { weight: weight(dtype, rows, cols, i), bias: biases[i].then(|| exact(rows, i + 5)) };
        let [gate, up] = [0, 1].map(layer);
        let expected = gate.forward(x.view(), &backend) * up.forward(x.view(), &backend);
        let ours = forward_gated([&gate, &up], x.view(), &backend, |gate, up| backend.times(gate, up));
        prop_assert_eq!(ours, expected);
    }

    #[test]
    fn gathered_rows_are_the_rows_in_that_order(
        ranges in prop::collection::vec((0..12_usize, 0..12_usize), 0..5), offset in 0..4_usize,
    ) {
        let ranges: Vec<_> = ranges.into_iter().map(|(a, b)| a.min(b)..a.max(b)).collect();
        for dtype in DTYPES {
            let weight = weight(dtype, 12, 5, offset);
            let gathered = weight.gather_rows(&ranges);
            let all = rows_of(&weight);
            let expected: Vec<_> = ranges.iter().flat_map(|range| all[range.clone()].to_vec()).collect();
            prop_assert_eq!(rows_of(&gathered), expected);
            prop_assert_eq!((gathered.cols(), gathered.dtype()), (5, dtype));
        }
    }
}

#[test]
fn x_of_any_layout_gives_the_same() {
    let layer = Linear { weight: weight(Dtype::Bf16, 7, 6, 0), bias: None };
    let wide = Array2::from_shape_vec((6, 10), exact(60, 4)).expect("length fits");
    let view = wide.slice_axis(Axis(1), Slice::new(1, None, 2)).reversed_axes();
    assert_eq!(layer.forward(view, &Backend::serial()), naive(&view.to_owned(), &layer.weight, None));
}

fn address(rows: Rows<'_>) -> usize {
    match rows {
        Rows::F32(values) => values.as_ptr().addr(),
        Rows::Bf16(values) => values.as_ptr().addr(),
        Rows::F16(values) => values.as_ptr().addr(),
        Rows::Blocks(_, bytes) => bytes.as_ptr().addr(),
    }
}

#[test]
fn aligned_bytes_are_used_in_place_and_others_copied() {
    for dtype in DTYPES {
        let bytes = stored(&exact(12, 1), dtype, 0);
        assert_eq!(bytes.as_ptr().align_offset(4), 0, "the allocator aligns more than this");
        let whole = Weight::new(bytes.clone(), dtype, 3, 4).expect("length fits");
        assert_eq!(address(whole.values()), bytes.as_ptr().addr());
        let odd = weight(dtype, 3, 4, 1);
        assert_eq!(rows_of(&odd), rows_of(&whole));
        assert_eq!(address(odd.values()) % dtype.block().1, 0);
    }
}

#[test]
fn neighbouring_rows_share_the_bytes() {
    for dtype in DTYPES {
        let whole = weight(dtype, 6, 4, 0);
        let row_bytes = 4 * dtype.block().1;
        let part = whole.slice_rows(2..5);
        assert_eq!(address(part.values()), address(whole.values()) + 2 * row_bytes);
        assert_eq!(rows_of(&part), rows_of(&whole)[2..5]);
        let gathered = whole.gather_rows(&[1..2, 4..4, 2..5]);
        assert_eq!(address(gathered.values()), address(whole.values()) + row_bytes);
        assert_eq!(rows_of(&gathered), rows_of(&whole)[1..5]);
        assert_eq!(rows_of(&whole.slice_rows(3..3)), Vec::<Vec<f32>>::new());
    }
}

#[test]
fn transposed_rows_are_columns() {
    for dtype in DTYPES {
        let whole = weight(dtype, 3, 5, 0);
        let (rows, columns) = (rows_of(&whole), rows_of(&whole.transposed()));
        assert_eq!(columns, (0..5).map(|c| rows.iter().map(|row| row[c]).collect()).collect::<Vec<Vec<_>>>());
    }
}

/// Rows of one Q8_0 block each: d = 1/8, and q as exact values ask; then what it holds.
fn quantised(rows: usize) -> (Bytes, Vec<Vec<f32>>) {
    let mut bytes = Vec::new();
    let mut held = Vec::new();
    for row in 0..rows {
        let q: Vec<i8> = (0..32).map(|i| ((i * 31 + row * 17 + i * i) % 255) as u8 as i8).collect();
        bytes.extend(f16::from_f32(0.125).to_le_bytes());
        bytes.extend(q.iter().map(|q| *q as u8));
        held.push(q.iter().map(|q| f32::from(*q) / 8.0).collect());
    }
    (bytes.into(), held)
}

#[test]
fn quantised_blocks_are_used_in_place_sliced_gathered_and_transposed() {
    let dtype = Dtype::Blocks(Blocks::Q8_0);
    let (bytes, held) = quantised(6);
    // An odd address is as good as any.
    let odd = Bytes::from([&[0xAA], &bytes[..]].concat()).slice(1..);
    for bytes in [bytes, odd] {
        let whole = Weight::new(bytes.clone(), dtype, 6, 32).expect("length fits");
        assert_eq!(address(whole.values()), bytes.as_ptr().addr());
        assert_eq!(rows_of(&whole), held);
        assert_eq!(rows_of(&whole.slice_rows(2..5)), held[2..5]);
        assert_eq!(address(whole.slice_rows(2..5).values()), bytes.as_ptr().addr() + 2 * 34);
        let gathered = whole.gather_rows(&[4..5, 0..2]);
        assert_eq!(rows_of(&gathered), [&held[4..5], &held[..2]].concat());
        assert_eq!(gathered.dtype(), dtype);
        let columns = rows_of(&whole.transposed());
        assert!(columns.iter().enumerate().all(|(c, column)| (0..6).all(|r| column[r] == held[r][c])));
        let layer = Linear { weight: whole, bias: None };
        for tokens in [1, 3, 20] {
            let x = Array2::from_shape_vec((tokens, 32), exact(tokens * 32, 2)).expect("length fits");
            assert_eq!(layer.forward(x.view(), &Backend::serial()), naive(&x, &layer.weight, None));
        }
    }
}

#[test]
fn a_row_of_broken_blocks_is_refused() {
    let error = Weight::new(Bytes::from(vec![0; 51]), Dtype::Blocks(Blocks::Q8_0), 1, 48);
    let message = "a row of 48 elements is no whole number of blocks of Blocks(Q8_0), which hold 32 each";
    assert_eq!(error.expect_err("must be refused").to_string(), message);
}

#[test]
fn bytes_of_another_length_are_refused() {
    let check = |bytes, dtype, rows, cols, message: &str| {
        let error = Weight::new(Bytes::from(vec![0; bytes]), dtype, rows, cols).expect_err("must be refused");
        assert_eq!(error.to_string(), message);
    };
    check(11, Dtype::Bf16, 2, 3, "11 bytes for a matrix [2, 3] of Bf16, which takes 12");
    check(12, Dtype::F32, 2, 3, "12 bytes for a matrix [2, 3] of F32, which takes 24");
    check(0, Dtype::F32, 1 << 40, 1 << 40, "a matrix [1099511627776, 1099511627776] of F32 is too large");
    let half_too_large =
        Weight::new(Bytes::new(), Dtype::F16, usize::MAX / 2, 1).expect_err("must be refused");
    assert!(matches!(half_too_large, Error::Overflow { .. }));
}

#[test]
#[should_panic(expected = "x [2, 3] for a weight [4, 5]")]
fn x_of_another_width_panics() {
    let layer = Linear { weight: weight(Dtype::F32, 4, 5, 0), bias: None };
    layer.forward(Array2::zeros((2, 3)).view(), &Backend::serial());
}

#[test]
#[should_panic(expected = "bias of 3 elements for a weight [4, 5]")]
fn a_bias_of_another_length_panics() {
    let layer = Linear { weight: weight(Dtype::F32, 4, 5, 0), bias: Some(vec![0.0; 3]) };
    layer.forward(Array2::zeros((2, 5)).view(), &Backend::serial());
}

#[test]
#[should_panic(expected = "rows 3..6 of a matrix [5, 2]")]
fn rows_beyond_the_last_panic() {
    weight(Dtype::F32, 5, 2, 0).slice_rows(3..6);
}

#[test]
fn a_matrix_of_our_own_holds_its_values() {
    let weight = Weight::from_f32(2, 3, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    assert_eq!(rows_of(&weight), [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]);
}

#[test]
#[should_panic(expected = "5 values for a matrix [2, 3]")]
fn too_few_values_for_a_matrix() {
    let _ = Weight::from_f32(2, 3, &[0.0; 5]);
}
