//! The tables of transformers.

use std::path::{Path, PathBuf};

use camelid_rope::{Settings, Table};
use camelid_yarn::Yarn;
use safetensors::{Dtype, SafeTensors};
use serde_json::Value;

/// Tables hold f32: half a unit in the last place of the largest entry (factor at most 1.35), and the f64
/// angle's own rounding.
const ENTRY: f64 = 1.2e-7;

#[test]
fn all_tables_equal_those_of_transformers() {
    let bytes = std::fs::read(data("tables.safetensors")).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let index: Value = serde_json::from_slice(&std::fs::read(data("tables.json")).unwrap()).unwrap();
    let cases = index["cases"].as_object().unwrap();
    assert_eq!(cases.len(), 9);
    for (name, case) in cases {
        let (settings, yarn) = read(case);
        let frequencies = yarn.frequencies(&settings).unwrap();
        let numbers = |leaf: &str| numbers(&tensors, &format!("{name}.{leaf}"));
        assert_close(name, &frequencies.inverse, &numbers("inverse"), |wanted| 1e-14 * wanted);
        assert_close(name, &[frequencies.factor], &[case["attention_factor"].as_f64().unwrap()], |_| 1e-15);

        let positions: Vec<usize> = numbers("positions").into_iter().map(|p| p as usize).collect();
        let table = Table::new(&frequencies, &positions);
        let rows = || (0..table.tokens()).map(|token| table.row(token));
        let cos: Vec<f64> = rows().flat_map(|(cos, _)| cos).map(|&cos| f64::from(cos)).collect();
        let sin: Vec<f64> = rows().flat_map(|(_, sin)| sin).map(|&sin| f64::from(sin)).collect();
        assert_close(name, &cos, &numbers("cos"), |_| ENTRY);
        assert_close(name, &sin, &numbers("sin"), |_| ENTRY);
    }
}

/// The settings of a case, spelt as upstream spells them.
fn read(case: &Value) -> (Settings, Yarn) {
    let integer = |key: &str| case[key].as_u64().unwrap() as usize;
    let settings = Settings {
        theta: case["rope_theta"].as_f64().unwrap(),
        head_dim: integer("head_dim"),
        rotary_dim: integer("head_dim"),
        context: Some(integer("max_position_embeddings")),
    };
    let mut scaling = case["rope_scaling"].clone();
    assert_eq!(scaling.as_object_mut().unwrap().remove("rope_type").unwrap(), "yarn");
    (settings, serde_json::from_value(scaling).unwrap())
}

#[track_caller]
fn assert_close(name: &str, found: &[f64], wanted: &[f64], bound: impl Fn(f64) -> f64) {
    assert_eq!(found.len(), wanted.len(), "{name}");
    for (index, (found, wanted)) in found.iter().zip(wanted).enumerate() {
        let off = (found - wanted).abs();
        assert!(off <= bound(*wanted), "{name}[{index}]: {found:e}, not {wanted:e}");
    }
}

fn numbers(tensors: &SafeTensors<'_>, name: &str) -> Vec<f64> {
    let view = tensors.tensor(name).unwrap();
    match view.dtype() {
        Dtype::F64 => words(view.data()).map(f64::from_le_bytes).collect(),
        Dtype::F32 => words(view.data()).map(|word| f64::from(f32::from_le_bytes(word))).collect(),
        Dtype::I64 => words(view.data()).map(|word| i64::from_le_bytes(word) as f64).collect(),
        other => panic!("{name} is {other:?}"),
    }
}

fn words<const N: usize>(data: &[u8]) -> impl Iterator<Item = [u8; N]> {
    data.as_chunks().0.iter().copied()
}

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}
