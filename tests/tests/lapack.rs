//! Laws whose honest oracle is linear algebra: singular values, spectra and operator norms by LAPACK, in f64.

use camelid::attention::{Attention, Cache, Reach, Segment, Settings};
use camelid::kernels::{Backend, Compute};
use camelid::linear::{Linear, Weight};
use camelid::norm::{Kind, Norm};
use camelid::rope::{Pairing, Rope, Scaling, Table};
use ndarray::{Array1, Array2, Array3, Axis};
use ndarray_linalg::{Eig, EigVals, QR, SVD};
use proptest::prelude::*;

/// A feature is rounded a few times by half of 2⁻²³; a matrix of some dozen rows adds these up.
const ROUNDED: f64 = 4e-6;

fn matrix(rows: usize, cols: usize) -> impl Strategy<Value = Array2<f64>> {
    prop::collection::vec(-1.0..1.0_f32, rows * cols)
        .prop_map(move |x| Array2::from_shape_vec((rows, cols), x).expect("as many").mapv(f64::from))
}

fn singular_values(matrix: &Array2<f64>) -> Array1<f64> {
    matrix.svd(false, false).expect("it converges").1
}

/// The matrix of one turn: each row of the identity is a head, turned.
fn turn(settings: camelid::rope::Settings, position: usize, pairing: Pairing) -> Array2<f64> {
    let frequencies = Rope::new(settings, Scaling::default()).expect("good settings").frequencies(1);
    let mut heads = Array2::<f32>::eye(settings.head_dim).insert_axis(Axis(1));
    Table::new(&frequencies, &vec![position; settings.head_dim]).turn(heads.view_mut(), pairing);
    heads.remove_axis(Axis(1)).mapv(f64::from)
}

fn rotary() -> impl Strategy<Value = camelid::rope::Settings> {
    (2.0..1e6_f64, 1..=16_usize, 0..=5_usize).prop_map(|(theta, pairs, rest)| camelid::rope::Settings {
        theta,
        head_dim: 2 * pairs + rest,
        rotary_dim: 2 * pairs,
        context: None,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_singular_value_of_a_turn_is_one(settings in rotary(), position in 0..100_000_usize) {
        for pairing in [Pairing::Half, Pairing::Adjacent] {
            for value in singular_values(&turn(settings, position, pairing)) {
                prop_assert!((value - 1.0).abs() <= ROUNDED, "{value}");
            }
        }
    }

    #[test]
    fn the_spectrum_of_a_turn_is_its_angles(settings in rotary(), position in 0..1_000_usize) {
        let pairs = settings.rotary_dim as f64;
        let angle = |pair: usize| position as f64 * settings.theta.powf(-(2.0 * pair as f64) / pairs);
        let mut cosines: Vec<f64> = (0..settings.rotary_dim).map(|index| angle(index / 2).cos()).collect();
        cosines.resize(settings.head_dim, 1.0); // what does not turn
        cosines.sort_by(f64::total_cmp);
        for pairing in [Pairing::Half, Pairing::Adjacent] {
            let (values, _) = turn(settings, position, pairing).eig().expect("it converges");
            let mut real: Vec<f64> = values.iter().map(|value| value.re).collect();
            real.sort_by(f64::total_cmp);
            for (found, wanted) in real.iter().zip(&cosines) {
                // The angle itself is rounded to f32 before its cosine is taken.
                prop_assert!((found - wanted).abs() <= 1e-4, "{found}, not {wanted}");
            }
        }
    }

    #[test]
    fn a_layer_stretches_its_singular_vectors_by_its_singular_values(
        w in (1..=24_usize, 1..=24_usize).prop_flat_map(|(rows, cols)| matrix(rows, cols)),
    ) {
        let stored: Vec<f32> = w.iter().map(|x| *x as f32).collect();
        let layer = Linear { weight: Weight::from_f32(w.nrows(), w.ncols(), &stored), bias: None };
        let (u, values, v) = w.svd(true, true).expect("it converges");
        let (u, v) = (u.expect("asked for"), v.expect("asked for"));
        let y = layer.forward(v.mapv(|x| x as f32).view(), &Backend::serial()).mapv(f64::from);
        // The error of a product is bounded by the norm of the operator, not by its entries.
        let bound = 1e-6 * values[0] * (w.ncols() as f64).sqrt();
        for (index, row) in y.outer_iter().enumerate() {
            let value = values.get(index).copied().unwrap_or(0.0);
            prop_assert!(row.dot(&row).sqrt() <= values[0] + bound, "longer than the operator norm allows");
            for (found, direction) in row.iter().zip(u.column(index.min(u.ncols() - 1))) {
                let wanted = if index < values.len() { value * direction } else { 0.0 };
                prop_assert!((found - wanted).abs() <= bound, "{found}, not {wanted}");
            }
        }
    }

    #[test]
    fn normed_rows_that_were_orthogonal_are_a_multiple_of_an_orthogonal_matrix(x in (2..=24_usize).prop_flat_map(|n| matrix(n, n))) {
        let (q, _) = x.qr().expect("it converges");
        let width = q.ncols();
        let settings = camelid::norm::Settings { kind: Kind::Rms, eps: 1e-12 };
        let norm = Norm::new(settings, Array1::ones(width), None).expect("good settings");
        let y = norm.forward(q.mapv(|x| (3.0 * x) as f32).view()).mapv(f64::from);
        for value in singular_values(&y) {
            prop_assert!((value / (width as f64).sqrt() - 1.0).abs() <= ROUNDED, "{value}");
        }
    }

    #[test]
    fn layer_norm_loses_one_dimension(x in (3..=24_usize).prop_flat_map(|n| matrix(n, n))) {
        let (q, _) = x.qr().expect("it converges");
        let width = q.ncols();
        let settings = camelid::norm::Settings { kind: Kind::Layer, eps: 1e-12 };
        let norm = Norm::new(settings, Array1::ones(width), None).expect("good settings");
        let values = singular_values(&norm.forward(q.mapv(|x| x as f32).view()).mapv(f64::from));
        prop_assert!(values[width - 1] <= ROUNDED * values[0], "{values}");
        prop_assert!(values[width - 2] > 1e-3 * values[0], "{values}");
    }

    #[test]
    fn attention_is_a_stochastic_matrix(
        (tokens, q, k) in (1..=24_usize).prop_flat_map(|n| (Just(n), matrix(n, 8), matrix(n, 8))),
        causal in any::<bool>(),
    ) {
        let weights = attention(tokens, &q, &k, causal);
        let values = weights.eigvals().expect("it converges");
        let largest = values.iter().map(|value| value.norm()).fold(0.0, f64::max);
        prop_assert!((largest - 1.0).abs() <= ROUNDED, "the spectral radius is {largest}");
        if causal {
            let mut diagonal = weights.diag().to_vec();
            diagonal.sort_by(f64::total_cmp);
            let mut real: Vec<f64> = values.iter().map(|value| value.re).collect();
            real.sort_by(f64::total_cmp);
            // Eigenvalues that lie close to each other are badly conditioned: their sum is not.
            let (found, wanted) = (real.iter().sum::<f64>(), diagonal.iter().sum::<f64>());
            prop_assert!((found - wanted).abs() <= ROUNDED * tokens as f64, "trace {found}, not {wanted}");
        }
    }
}

/// The matrix of attention's weights: the values are the identity.
fn attention(tokens: usize, q: &Array2<f64>, k: &Array2<f64>, causal: bool) -> Array2<f64> {
    // Heads are as wide as there are tokens, so that the values can be an identity.
    let wide = |x: &Array2<f64>| {
        let mut out = Array3::<f32>::zeros((tokens, 1, tokens.max(8)));
        for ((token, feature), value) in x.indexed_iter() {
            out[[token, 0, feature]] = 2.0 * *value as f32;
        }
        out
    };
    let width = tokens.max(8);
    let values = Array3::from_shape_fn((tokens, 1, width), |(token, _, feature)| {
        f32::from(u8::from(token == feature))
    });
    let settings = Settings { scale: 1.0, ..Settings::plain(1, 1, width) };
    let mut cache = Cache::new(1, width, Compute::F32);
    cache.append(wide(k).view(), values.view(), &Backend::serial());
    let queries = wide(q);
    let reach = if causal { Reach::Causal.runs(0..tokens) } else { vec![0..tokens; tokens] };
    let segment = Segment { queries: queries.view(), reach: &reach };
    let out =
        Attention::new(settings).expect("good settings").forward(&[segment], &cache, &Backend::serial());
    Array2::from_shape_fn((tokens, tokens), |(i, j)| f64::from(out[[i, 0, j]]))
}
