//! What does not fit is refused, each with its message.

use camelid_delta_net::{Decay, DeltaNet, Forget, Settings, Share, Tokens};
use camelid_kernels::Backend;
use ndarray::{Array2, Array3};

fn settings() -> Settings {
    Settings {
        key_heads: 2,
        value_heads: 4,
        share: Share::Groups,
        key_dim: 3,
        value_dim: 5,
        decay: Decay::Head,
        eps: 1e-6,
    }
}

#[test]
fn settings_that_do_not_fit() {
    let refusal = |settings: Settings| DeltaNet::new(settings).expect_err("it does not fit").to_string();
    assert_eq!(refusal(Settings { key_dim: 0, ..settings() }), "key_dim is 0; there must be at least one");
    assert_eq!(refusal(Settings { key_heads: 3, ..settings() }), "3 key heads don't divide 4 value heads");
    assert_eq!(
        refusal(Settings { eps: f64::NAN, ..settings() }),
        "eps is NaN; it must be finite and not negative"
    );
    assert_eq!(
        refusal(Settings { key_dim: 1 << 40, ..settings() }),
        "a state of 4 heads of 5 by 1099511627776 numbers is too large"
    );
    let net = DeltaNet::new(settings()).expect("it fits");
    let chunk = net.with_chunk(0).expect_err("nothing");
    assert_eq!(chunk.to_string(), "chunk is 0; there must be at least one");
}

#[test]
fn a_decay_that_does_not_fit() {
    let refusal =
        |logs: &[f32], bias: &[f32], floor| Forget::new(logs, bias, floor).expect_err("no").to_string();
    let message = "2 numbers of A for 3 biases; each A belongs to as many biases, one at least";
    assert_eq!(refusal(&[0.0; 2], &[0.0; 3], None), message);
    assert_eq!(refusal(&[0.0], &[0.0], Some(0.0)), "floor is 0; it must be finite and below 0");
}

#[test]
#[should_panic(expected = "don't fit")]
fn shapes_that_do_not_fit() {
    let net = DeltaNet::new(settings()).expect("it fits");
    let (keys, values) = (Array3::zeros((1, 2, 3)), Array3::zeros((1, 4, 5)));
    let (decay, rate) = (Array2::zeros((1, 5)), Array2::zeros((1, 4)));
    let tokens = Tokens {
        queries: keys.view(),
        keys: keys.view(),
        values: values.view(),
        decay: decay.view(),
        rate: rate.view(),
    };
    let _ = net.forward(&tokens, &mut net.state(), &Backend::serial());
}
