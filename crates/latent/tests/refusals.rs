//! Settings and weights that do not fit, each with its message.

use camelid_latent::{Error, Latent, Settings, yarn_growth};
use camelid_linear::{Linear, Weight};

const SOUND: Settings = Settings { heads: 2, rank: 3, unturned: 4, turned: 2, value_dim: 5, scale: 0.5 };

fn up(rows: usize, cols: usize) -> Linear {
    Linear { weight: Weight::from_f32(rows, cols, &vec![0.0; rows * cols]), bias: None }
}

fn says(result: Result<Latent, Error>, message: &str) {
    assert_eq!(result.err().map(|error| error.to_string()).as_deref(), Some(message));
}

#[test]
fn sizes_and_weights_that_do_not_fit_are_refused() {
    assert!(Latent::new(SOUND, up(18, 3)).is_ok());
    assert!(Latent::new(Settings { turned: 0, ..SOUND }, up(18, 3)).is_ok(), "no place is told by it");
    says(Latent::new(Settings { rank: 0, ..SOUND }, up(18, 3)), "rank is 0, but must be at least 1");
    says(Latent::new(Settings { heads: 0, ..SOUND }, up(18, 3)), "heads is 0, but must be at least 1");
    says(Latent::new(Settings { unturned: 0, ..SOUND }, up(18, 3)), "unturned is 0, but must be at least 1");
    says(
        Latent::new(Settings { value_dim: 0, ..SOUND }, up(18, 3)),
        "value_dim is 0, but must be at least 1",
    );
    let scale = f64::NAN;
    says(Latent::new(Settings { scale, ..SOUND }, up(18, 3)), "the scale NaN is not a finite 32-bit number");
    says(Latent::new(SOUND, up(17, 3)), "the projection from the latent is [17, 3], not [18, 3]");
    let biased = Linear { bias: Some(vec![0.0; 18]), ..up(18, 3) };
    says(Latent::new(SOUND, biased), "the projection from the latent has a bias");
}

#[test]
fn yarn_grows_the_scale_by_the_square() {
    assert_eq!(yarn_growth(1.0, 1.0), 1.0);
    assert_eq!(yarn_growth(4.0, 0.0), 1.0);
    assert!((yarn_growth(40.0, 0.707) - (0.0707 * 40f64.ln() + 1.0).powi(2)).abs() < 1e-15);
}

#[test]
#[should_panic(expected = "a run to 4 in a cache of 0 positions")]
fn a_run_beyond_the_cache_panics_with_both_numbers() {
    let latent = Latent::new(SOUND, up(18, 3)).expect("it fits");
    let cache = latent.cache(camelid_kernels::Compute::F32);
    let queries = ndarray::Array3::zeros((1, 2, 6));
    latent.forward(queries.view(), &[0..4], &cache, &camelid_kernels::Backend::serial());
}
