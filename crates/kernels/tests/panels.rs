//! The products of attention, on every instruction set of this machine, against f64.

use camelid_kernels::{Backend, Isa, LANES, Lane, PANEL, PANEL_ROWS, Tile};

/// Between −1 and 1, the same for the same place.
fn number(place: usize) -> f32 {
    (place.wrapping_mul(0x9E37_79B9) % 1000) as f32 / 500.0 - 1.0
}

fn lanes(count: usize) -> Vec<Lane> {
    (0..count).map(|lane| Lane(std::array::from_fn(|place| number(lane * LANES + place + 77)))).collect()
}

#[track_caller]
fn close(ours: f32, exact: f64, depth: usize, what: &str) {
    let bound = (depth + 1) as f64 * f64::from(f32::EPSILON);
    assert!((f64::from(ours) - exact).abs() <= bound, "{what}: {ours} is not {exact}");
}

fn each_isa(body: impl Fn(&Backend, Isa)) {
    for isa in Isa::available() {
        body(&Backend::serial().with_isa(isa).expect("available"), isa);
    }
}

#[test]
fn scores_equal_f64_on_every_instruction_set() {
    each_isa(|backend, isa| {
        for rows in 1..=PANEL_ROWS {
            for (head_dim, width) in [(1, 1_usize), (3, 2), (64, 5), (80, 16), (17, 0), (0, 2)] {
                let stride = head_dim + 1;
                let queries: Vec<f32> = (0..rows * stride).map(number).collect();
                let keys = lanes(width.div_ceil(PANEL) * head_dim * PANEL);
                let mut scores = vec![Lane([7.0; LANES]); rows * width];
                backend.key_scores(
                    Tile { values: &queries, rows, cols: head_dim, stride },
                    &keys,
                    &mut scores,
                );
                for (index, &score) in scores.iter().flat_map(|lane| &lane.0).enumerate() {
                    let (row, position) = (index / (width * LANES), index % (width * LANES));
                    let term = |c: usize| {
                        let (panel, lane) = (position / LANES / PANEL, position / LANES % PANEL);
                        let key = keys[(panel * head_dim + c) * PANEL + lane].0[position % LANES];
                        f64::from(queries[row * stride + c]) * f64::from(key)
                    };
                    close(
                        score,
                        (0..head_dim).map(term).sum(),
                        head_dim,
                        &format!("{isa:?} {rows} × {head_dim}"),
                    );
                }
            }
        }
    });
}

#[test]
fn value_sums_equal_f64_on_every_instruction_set() {
    each_isa(|backend, isa| {
        for rows in 1..=PANEL_ROWS {
            for (keys, width) in [(1, 1), (5, 3), (256, 4), (33, 5), (0, 2), (4, 0)] {
                let stride = keys + 3;
                let weights: Vec<f32> = (0..rows * stride).map(number).collect();
                let (from, positions) = (keys % 3, keys + 5);
                let values = lanes(positions * width);
                let mut sums = vec![Lane([7.0; LANES]); rows * width];
                backend.value_sums(
                    Tile { values: &weights, rows, cols: keys, stride },
                    &values,
                    from,
                    &mut sums,
                );
                for (index, &sum) in sums.iter().flat_map(|lane| &lane.0).enumerate() {
                    let (row, feature) = (index / (width * LANES), index % (width * LANES));
                    let term = |j: usize| {
                        let (lane, position) = (feature / LANES, from + j);
                        let column = lane - lane % PANEL;
                        let apart = PANEL.min(width - column);
                        let value =
                            values[column * positions + position * apart + lane % PANEL].0[feature % LANES];
                        f64::from(weights[row * stride + j]) * f64::from(value)
                    };
                    close(sum, (0..keys).map(term).sum(), keys, &format!("{isa:?} {rows} × {keys}"));
                }
            }
        }
    });
}

#[test]
fn a_row_is_the_same_bits_in_any_company() {
    each_isa(|backend, isa| {
        let (head_dim, keys) = (24, lanes(2 * 24 * PANEL));
        let queries: Vec<f32> = (0..8 * head_dim).map(number).collect();
        let tile = |rows: std::ops::Range<usize>| Tile {
            values: &queries[rows.start * head_dim..rows.end * head_dim],
            rows: rows.len(),
            cols: head_dim,
            stride: head_dim,
        };
        let (mut alone, mut scores) = (vec![Lane::ZERO; 3], vec![Lane::ZERO; 8 * 3]);
        backend.key_scores(tile(4..5), &keys, &mut alone);
        backend.key_scores(tile(0..8), &keys, &mut scores);
        assert_eq!(scores[4 * 3..5 * 3], alone, "{isa:?}");
    });
}

#[test]
#[should_panic(expected = "9 rows, not 1 to 8")]
fn too_many_rows_panic() {
    Backend::serial().key_scores(
        Tile { values: &[0.0; 9], rows: 9, cols: 1, stride: 1 },
        &[Lane::ZERO],
        &mut [Lane::ZERO; 9],
    );
}

#[test]
#[should_panic(expected = "[2, 4] with stride 5 over 8 elements")]
fn weights_that_end_early_panic() {
    let weights = Tile { values: &[0.0; 8], rows: 2, cols: 4, stride: 5 };
    Backend::serial().value_sums(weights, &[Lane::ZERO; 4], 0, &mut [Lane::ZERO; 2]);
}

#[test]
#[should_panic(expected = "3 values from 2 on, of 4")]
fn values_beyond_the_last_panic() {
    let weights = Tile { values: &[0.0; 3], rows: 1, cols: 3, stride: 3 };
    Backend::serial().value_sums(weights, &[Lane::ZERO; 4], 2, &mut [Lane::ZERO; 1]);
}
