//! The outputs of transformers for one input of nine rows, its run in float64, and its two orders of rounding.

use std::path::Path;

use camelid_norm::{Kind, Norm, Settings, offset_weight};
use half::bf16;
use ndarray::{Array1, Array2};
use safetensors::{Dtype, SafeTensors};

const EPS: [&str; 3] = ["1e-05", "1e-06", "1.5625e-07"];

/// Half a unit in the last place of an f32, relative, and a little for the f64 arithmetic before it.
const ROUNDED_ONCE: f64 = 6.0e-8;

struct File(Vec<u8>);

impl File {
    fn open() -> Self {
        Self(
            std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/norms.safetensors"))
                .unwrap(),
        )
    }

    fn numbers(&self, name: &str) -> Vec<f64> {
        let tensors = SafeTensors::deserialize(&self.0).unwrap();
        let view = tensors.tensor(name).unwrap();
        match view.dtype() {
            Dtype::F64 => words(view.data()).map(f64::from_le_bytes).collect(),
            Dtype::F32 => words(view.data()).map(|word| f32::from_le_bytes(word).into()).collect(),
            Dtype::BF16 => words(view.data()).map(|word| bf16::from_le_bytes(word).into()).collect(),
            other => panic!("{name} is {other:?}"),
        }
    }

    fn row(&self, name: &str) -> Array1<f32> {
        self.numbers(name).into_iter().map(|value| value as f32).collect()
    }

    fn x(&self) -> Array2<f32> {
        self.row("x").into_shape_with_order((9, 37)).unwrap()
    }
}

fn words<const N: usize>(data: &[u8]) -> impl Iterator<Item = [u8; N]> {
    data.as_chunks().0.iter().copied()
}

fn norm(kind: Kind, eps: &str, weight: Array1<f32>, bias: Option<Array1<f32>>) -> Norm {
    Norm::new(Settings { kind, eps: eps.parse().unwrap() }, weight, bias).unwrap()
}

/// Within so many roundings of the float64 run, and never further from it than the float32 run.
#[track_caller]
fn check(file: &File, name: &str, norm: &Norm, roundings: f64) {
    let found = norm.forward(file.x().view());
    let exact = file.numbers(&format!("{name}.f64"));
    for (index, (&found, exact)) in found.iter().zip(&exact).enumerate() {
        let off = (f64::from(found) - exact).abs();
        assert!(
            off <= roundings * ROUNDED_ONCE * exact.abs() + 1e-12,
            "{name}[{index}]: {found:e}, not {exact:e}"
        );
    }
    let worst = |values: &mut dyn Iterator<Item = f64>| {
        values.zip(&exact).map(|(value, exact)| (value - exact).abs()).fold(0.0, f64::max)
    };
    let ours = worst(&mut found.iter().map(|&value| value.into()));
    let reference = worst(&mut file.numbers(name).into_iter());
    assert!(ours <= reference, "{name}: off by {ours:e}, the reference by {reference:e}");
}

#[test]
fn rms_norm_equals_that_of_llama() {
    let file = File::open();
    for eps in EPS {
        check(&file, &format!("llama.eps{eps}"), &norm(Kind::Rms, eps, file.row("w"), None), 1.0);
    }
}

#[test]
fn rms_norm_with_an_offset_of_one_equals_that_of_gemma() {
    let file = File::open();
    for eps in EPS {
        let weight = Array1::from(offset_weight(file.row("w_gemma"), 1.0));
        check(&file, &format!("gemma.eps{eps}"), &norm(Kind::Rms, eps, weight, None), 2.0); // 1 + w is the other
    }
}

#[test]
fn layer_norm_equals_that_of_torch() {
    let file = File::open();
    for eps in EPS {
        let norm = norm(Kind::Layer, eps, file.row("w"), Some(file.row("bias")));
        check(&file, &format!("layernorm.eps{eps}"), &norm, 1.0);
    }
}

#[test]
fn layer_norm_without_a_bias_equals_that_of_cohere() {
    let file = File::open();
    let found = norm(Kind::Layer, "1e-05", file.row("w"), None).forward(file.x().view());
    let wanted = file.numbers("cohere_layernorm.eps1e-05");
    for (index, (&found, wanted)) in found.iter().zip(wanted).enumerate() {
        let off = (f64::from(found) - wanted).abs();
        assert!(off <= 5e-7 * wanted.abs().max(1.0), "[{index}]: {found:e}, not {wanted:e}");
    }
}

fn to_bf16(value: f32) -> f32 {
    bf16::from_f32(value).into()
}

/// Llama rounds the normalised row and multiplies in bf16; Gemma multiplies first and rounds once. Either is
/// the norm of this crate between roundings of the caller's.
#[test]
fn both_orders_of_rounding_to_bf16_can_be_had() {
    let file = File::open();
    let x = file.x().mapv(to_bf16);
    for eps in EPS {
        let unit = norm(Kind::Rms, eps, Array1::ones(37), None).forward(x.view()).mapv(to_bf16);
        let llama = (unit * file.row("w").mapv(to_bf16)).mapv(to_bf16);
        assert_eq!(as_f64(&llama), file.numbers(&format!("llama.eps{eps}.bf16")));
        let weight = Array1::from(offset_weight(file.row("w_gemma").mapv(to_bf16), 1.0));
        let gemma = norm(Kind::Rms, eps, weight, None).forward(x.view()).mapv(to_bf16);
        assert_eq!(as_f64(&gemma), file.numbers(&format!("gemma.eps{eps}.bf16")));
    }
}

fn as_f64(values: &Array2<f32>) -> Vec<f64> {
    values.iter().map(|&value| value.into()).collect()
}
