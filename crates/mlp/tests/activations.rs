//! Every activation against transformers 4.57.6: `x`, its f32 result under upstream's name, and the same in f64.

use camelid_kernels::Backend;
use camelid_mlp::Activation;
use safetensors::SafeTensors;

const DATA: &[u8] = include_bytes!("data/activations.safetensors");

fn read<const SIZE: usize, T>(name: &str, number: fn([u8; SIZE]) -> T) -> Vec<T> {
    let file = SafeTensors::deserialize(DATA).expect("well-formed");
    file.tensor(name).expect(name).data().as_chunks::<SIZE>().0.iter().map(|bytes| number(*bytes)).collect()
}

fn named(name: &str) -> Activation {
    serde_json::from_value(name.into()).expect(name)
}

#[track_caller]
fn check(name: &str) {
    let (x, exact) = (read("x", f32::from_le_bytes), read(&format!("{name}.f64"), f64::from_le_bytes));
    let reference = read(name, f32::from_le_bytes);
    let mut ours = x.clone();
    named(name).apply(&mut ours, &Backend::serial());
    // Errors in units of what f32 can tell apart near x, or near 1 for small x.
    let error = |values: &[f32]| {
        let errors =
            values.iter().zip(&exact).map(|(y, exact)| (f64::from(*y) - exact).abs() / exact.abs().max(1.0));
        errors.fold(0.0, f64::max)
    };
    let bound = error(&reference).max(f64::from(f32::EPSILON));
    assert!(
        error(&ours) <= bound,
        "{name}: {:.1e} from f64, the reference {:.1e}",
        error(&ours),
        error(&reference)
    );
}

#[test]
fn silu() {
    check("silu");
}

#[test]
fn gelu() {
    check("gelu");
    check("gelu_new");
    check("gelu_pytorch_tanh");
    check("gelu_fast");
    check("quick_gelu");
}

#[test]
fn relu() {
    check("relu");
    check("relu2");
}

#[test]
fn sigmoid_and_tanh() {
    check("sigmoid");
    check("tanh");
}

#[test]
fn names_are_upstreams() {
    assert_eq!(named("swish"), Activation::Silu);
    assert_eq!(named("gelu_python"), Activation::Gelu);
    assert_eq!(serde_json::to_value(Activation::GeluTanh).unwrap(), "gelu_pytorch_tanh");
    assert!(serde_json::from_value::<Activation>("SiLU".into()).is_err());
}
