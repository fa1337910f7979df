//! The products of attention, on every instruction set of this machine, against f64.

use camelid_kernels::{BF16_DEPTH, Backend, Factors, Isa, LANES, Lane, PANEL, PANEL_ROWS, Tile};
use half::bf16;

/// Between −1 and 1, the same for the same place.
fn number(place: usize) -> f32 {
    (place.wrapping_mul(0x9E37_79B9) % 1000) as f32 / 500.0 - 1.0
}

/// A matrix of numbers, rows `stride` apart, in one of the types.
struct Matrix {
    exact: Vec<f32>,
    rounded: Vec<bf16>,
    pairs: bool,
}

impl Matrix {
    fn new(length: usize, pairs: bool) -> Self {
        let exact: Vec<f32> = (0..length).map(number).collect();
        let rounded: Vec<_> = exact.iter().map(|&x| bf16::from_f32(x)).collect();
        Self { exact, rounded, pairs }
    }

    fn tile(&self, rows: usize, cols: usize, stride: usize) -> Tile<'_> {
        let values = if self.pairs { Factors::Bf16(&self.rounded) } else { Factors::F32(&self.exact) };
        Tile { values, rows, cols, stride }
    }

    fn at(&self, index: usize) -> f64 {
        if self.pairs { self.rounded[index].into() } else { self.exact[index].into() }
    }
}

/// Lanes filled with numbers, or with pairs of bf16.
fn lanes(count: usize, pairs: bool) -> Vec<Lane> {
    let place = |lane: usize, place: usize| number(lane * LANES * 2 + place + 77);
    let pair = |lane, i| {
        let [low, high] = [2 * i, 2 * i + 1].map(|i| u32::from(bf16::from_f32(place(lane, i)).to_bits()));
        f32::from_bits(high << 16 | low)
    };
    let element = |lane, i| if pairs { pair(lane, i) } else { place(lane, i) };
    (0..count).map(|lane| Lane(std::array::from_fn(|i| element(lane, i)))).collect()
}

/// What stands at depth `depth` of a lane: units of depth follow one another `apart` lanes on.
fn element(lanes: &[Lane], first: usize, apart: usize, depth: usize, place: usize, pairs: bool) -> f64 {
    if !pairs {
        return lanes[first + depth * apart].0[place].into();
    }
    let bits = lanes[first + depth / 2 * apart].0[place].to_bits();
    bf16::from_bits((bits >> (16 * (depth % 2))) as u16).into()
}

/// Whether pairs make up a depth.
fn whole(depth: usize, pairs: bool) -> bool {
    !pairs || depth.is_multiple_of(BF16_DEPTH)
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
        for (rows, pairs) in (1..=PANEL_ROWS).flat_map(|rows| [(rows, false), (rows, true)]) {
            let sizes = [(1, 1_usize), (3, 2), (32, 3), (64, 5), (96, 16), (17, 0), (32, 0), (0, 2)];
            for (head_dim, width) in sizes.into_iter().filter(|(depth, _)| whole(*depth, pairs)) {
                let (stride, unit) = (head_dim + 2, 1 + usize::from(pairs));
                let queries = Matrix::new(rows * stride, pairs);
                let keys = lanes(width.div_ceil(PANEL) * head_dim / unit * PANEL, pairs);
                let mut scores = vec![Lane([7.0; LANES]); rows * width];
                backend.key_scores(queries.tile(rows, head_dim, stride), &keys, &mut scores);
                for (index, &score) in scores.iter().flat_map(|lane| &lane.0).enumerate() {
                    let (row, position) = (index / (width * LANES), index % (width * LANES));
                    let (panel, lane) = (position / LANES / PANEL, position / LANES % PANEL);
                    let first = panel * head_dim / unit * PANEL + lane;
                    let term = |c: usize| {
                        queries.at(row * stride + c)
                            * element(&keys, first, PANEL, c, position % LANES, pairs)
                    };
                    let what = format!("{isa:?} {rows} × {head_dim}, pairs: {pairs}");
                    close(score, (0..head_dim).map(term).sum(), head_dim, &what);
                }
            }
        }
    });
}

#[test]
fn value_sums_equal_f64_on_every_instruction_set() {
    each_isa(|backend, isa| {
        for (rows, pairs) in (1..=PANEL_ROWS).flat_map(|rows| [(rows, false), (rows, true)]) {
            let sizes = [(1, 1), (5, 3), (32, 1), (256, 4), (33, 5), (64, 3), (0, 2), (32, 0)];
            for (keys, width) in sizes.into_iter().filter(|(depth, _)| whole(*depth, pairs)) {
                let (stride, unit) = (keys + 4, 1 + usize::from(pairs));
                let weights = Matrix::new(rows * stride, pairs);
                let (from, positions) = (keys % 3 * unit, keys + 6);
                let values = lanes(positions / unit * width, pairs);
                let mut sums = vec![Lane([7.0; LANES]); rows * width];
                backend.value_sums(weights.tile(rows, keys, stride), &values, from, &mut sums);
                for (index, &sum) in sums.iter().flat_map(|lane| &lane.0).enumerate() {
                    let (row, feature) = (index / (width * LANES), index % (width * LANES));
                    let (column, lane) = (feature / LANES / PANEL * PANEL, feature / LANES % PANEL);
                    let apart = PANEL.min(width - column);
                    let first = column * (positions / unit) + lane;
                    let term = |j: usize| {
                        let value = element(&values, first, apart, from + j, feature % LANES, pairs);
                        weights.at(row * stride + j) * value
                    };
                    let what = format!("{isa:?} {rows} × {keys}, pairs: {pairs}");
                    close(sum, (0..keys).map(term).sum(), keys, &what);
                }
            }
        }
    });
}

#[test]
fn numbers_are_rounded_to_the_nearest_bf16_on_every_instruction_set() {
    each_isa(|backend, isa| {
        for length in [0, 1, 31, 32, 33, 100] {
            let from: Vec<f32> = (0..length).map(|place| number(place) * 1e3 + f32::EPSILON).collect();
            let mut to = vec![bf16::ONE; length];
            backend.round(&from, &mut to);
            assert_eq!(to, from.iter().map(|&x| bf16::from_f32(x)).collect::<Vec<_>>(), "{isa:?}");
        }
    });
}

#[test]
#[should_panic(expected = "[2, 4] with stride 4 in bf16")]
fn a_depth_that_is_not_whole_panics() {
    let weights = Tile { values: Factors::Bf16(&[bf16::ONE; 8]), rows: 2, cols: 4, stride: 4 };
    Backend::serial().value_sums(weights, &[Lane::ZERO; 4], 0, &mut [Lane::ZERO; 2]);
}

#[test]
#[should_panic(expected = "values from 1 on would part a pair")]
fn a_parted_pair_panics() {
    let weights = Tile { values: Factors::Bf16(&[bf16::ONE; 64]), rows: 2, cols: 32, stride: 32 };
    Backend::serial().value_sums(weights, &[Lane::ZERO; 32], 1, &mut [Lane::ZERO; 2]);
}

#[test]
fn a_row_is_the_same_bits_in_any_company() {
    each_isa(|backend, isa| {
        let (head_dim, keys) = (24, lanes(2 * 24 * PANEL, false));
        let queries: Vec<f32> = (0..8 * head_dim).map(number).collect();
        let tile = |rows: std::ops::Range<usize>| Tile {
            values: Factors::F32(&queries[rows.start * head_dim..rows.end * head_dim]),
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
#[should_panic(expected = "33 rows, not 1 to 32")]
fn too_many_rows_panic() {
    Backend::serial().key_scores(
        Tile { values: Factors::F32(&[0.0; 33]), rows: 33, cols: 1, stride: 1 },
        &[Lane::ZERO],
        &mut [Lane::ZERO; 33],
    );
}

#[test]
#[should_panic(expected = "[2, 4] with stride 5 over 8 elements")]
fn weights_that_end_early_panic() {
    let weights = Tile { values: Factors::F32(&[0.0; 8]), rows: 2, cols: 4, stride: 5 };
    Backend::serial().value_sums(weights, &[Lane::ZERO; 4], 0, &mut [Lane::ZERO; 2]);
}

#[test]
#[should_panic(expected = "3 values from 2 on, of 4")]
fn values_beyond_the_last_panic() {
    let weights = Tile { values: Factors::F32(&[0.0; 3]), rows: 1, cols: 3, stride: 3 };
    Backend::serial().value_sums(weights, &[Lane::ZERO; 4], 2, &mut [Lane::ZERO; 1]);
}
