//! The numbers of the reference implementations: transformers, and the code released with Qwen 1 and ChatGLM.

use camelid_rope::{Frequencies, Pairing, Rope, Scaling, Settings, Table};
use ndarray::Array3;
use serde_json::Value;

use crate::file::{File, path};

/// Tables hold f32: half a unit in the last place of the largest entry (factor at most 1.2), and the f64 angle's
/// own rounding at position 10⁶.
const ENTRY: f64 = 1.2e-7;

/// How far, relatively, the references' own f32 powers and quotients are off.
const F32_POWER: f64 = 3e-7;

#[track_caller]
fn assert_close(
    name: &str,
    found: impl IntoIterator<Item = f64>,
    wanted: &[f64],
    bound: impl Fn(f64) -> f64,
) {
    let found: Vec<f64> = found.into_iter().collect();
    assert_eq!(found.len(), wanted.len(), "{name}");
    for (index, (found, wanted)) in found.into_iter().zip(wanted).enumerate() {
        let off = (found - wanted).abs();
        assert!(off <= bound(*wanted), "{name}[{index}]: {found:e}, not {wanted:e}");
    }
}

fn plain(theta: f64, rotary_dim: usize) -> Settings {
    Settings { theta, head_dim: rotary_dim, rotary_dim, context: None }
}

/// The settings and scaling of a case, spelt as upstream spells them; `type` is the older name of `rope_type`.
fn rope(case: &Value) -> Rope {
    let integer = |key: &str| case[key].as_u64().map(|value| value as usize);
    let settings = Settings {
        context: integer("max_position_embeddings"),
        ..plain(case["rope_theta"].as_f64().unwrap(), integer("head_dim").unwrap())
    };
    let mut scaling = case["rope_scaling"].clone();
    if let Some(table) = scaling.as_object_mut() {
        if let Some(older) = table.remove("type") {
            table.insert("rope_type".into(), older);
        }
        if let Some(original) = case.get("original_max_position_embeddings") {
            table.insert("original_max_position_embeddings".into(), original.clone());
        }
    }
    let scaling =
        if scaling.is_null() { Scaling::default() } else { serde_json::from_value(scaling).unwrap() };
    Rope::new(settings, scaling).unwrap()
}

#[test]
fn all_tables_equal_those_of_transformers() {
    let file = File::open("tables.safetensors");
    let index: Value = serde_json::from_slice(&std::fs::read(path("tables.json")).unwrap()).unwrap();
    let cases = index["cases"].as_object().unwrap();
    assert_eq!(cases.len(), 25);
    for (name, case) in cases {
        let rope = rope(case);
        let frequencies = rope.frequencies(case["seq_len"].as_u64().unwrap_or(1) as usize);
        assert_eq!(rope.depends_on_length(), !case["seq_len"].is_null(), "{name}");
        let inverse = file.numbers(&format!("{name}.inverse"));
        assert_close(name, frequencies.inverse.iter().copied(), inverse, |wanted| 1e-14 * wanted);
        assert_close(name, [frequencies.factor], &[case["attention_factor"].as_f64().unwrap()], |_| 1e-15);

        let positions = file.positions(&format!("{name}.positions"));
        let table = Table::new(&frequencies, &positions);
        let rows = || (0..table.tokens()).map(|token| table.row(token));
        let cos = rows().flat_map(|(cos, _)| cos).map(|&cos| f64::from(cos));
        let sin = rows().flat_map(|(_, sin)| sin).map(|&sin| f64::from(sin));
        assert_close(name, cos, file.numbers(&format!("{name}.cos")), |_| ENTRY);
        assert_close(name, sin, file.numbers(&format!("{name}.sin")), |_| ENTRY);
    }
}

#[test]
fn stepped_bases_equal_those_of_qwen_1() {
    let file = File::open("stepped.safetensors");
    for context in [24, 2048, 8192] {
        let settings = Settings { context: Some(context), ..plain(1e4, 24) };
        let rope = Rope::new(settings, Scaling::Stepped {}).unwrap();
        let slowest = |length| *rope.frequencies(length).inverse.last().unwrap();
        let lengths = file.positions(&format!("ntk_alpha.{context}.len"));
        let alphas = lengths.into_iter().map(|length| slowest(1) / slowest(length));
        assert_close("alpha", alphas, file.numbers(&format!("ntk_alpha.{context}.alpha")), |a| 1e-13 * a);
    }
    let rope = Rope::new(Settings { context: Some(24), ..plain(1e4, 24) }, Scaling::Stepped {}).unwrap();
    for (alpha, length) in [(1, 20), (3, 40), (7, 64)] {
        let name = format!("rope.d24.alpha{alpha}.inv_freq");
        assert_close(&name, rope.frequencies(length).inverse, file.numbers(&name), |wanted| {
            F32_POWER * wanted
        });
    }
}

#[test]
fn frequencies_rounded_to_f16_equal_those_of_chatglm_1() {
    let file = File::open("adjacent.safetensors");
    let exact = Frequencies { inverse: plain(1e4, 12).inverse(), factor: 1.0 };
    let name = "chatglm1.inv_freq_exact.d12";
    assert_close(name, exact.inverse.clone(), file.numbers(name), |wanted| F32_POWER * wanted);
    let name = "chatglm1.inv_freq_f16_rounded.d12";
    assert_close(name, exact.rounded_to_f16().inverse, file.numbers(name), |_| 0.0);
}

#[test]
fn adjacent_pairs_of_part_of_a_head_turn_as_in_chatglm_2_and_glm_4() {
    let file = File::open("adjacent.safetensors");
    for (prefix, theta) in [("chatglm2", 1e4), ("glm4.ratio1", 1e4), ("glm4.ratio500", 5e6)] {
        for rotary_dim in [8, 64] {
            let frequencies = Frequencies { inverse: plain(theta, rotary_dim).inverse(), factor: 1.0 };
            let table = Table::new(&frequencies, &(0..50).collect::<Vec<_>>());
            let pairs = (0..50).flat_map(|token| {
                let (cos, sin) = table.row(token);
                cos.iter()
                    .zip(sin)
                    .flat_map(|(&cos, &sin)| [f64::from(cos), f64::from(sin)])
                    .collect::<Vec<_>>()
            });
            let name = format!("{prefix}.rope_cache.d{rotary_dim}");
            assert_close(&name, pairs, file.numbers(&name), |_| 3e-6); // f32 angles up to 50
        }
        let frequencies = Frequencies { inverse: plain(theta, 8).inverse(), factor: 1.0 };
        let mut x = file.array(&format!("{prefix}.apply.x"));
        Table::new(&frequencies, &[0, 1, 2, 3, 4, 5]).turn(x.view_mut(), Pairing::Adjacent);
        assert_turned(&format!("{prefix}.apply.y"), &file, &x);
    }
}

#[test]
fn queries_and_keys_turn_as_in_transformers() {
    let file = File::open("turned.safetensors");
    for (name, pairing, rotary_dim) in
        [("half_split", Pairing::Half, 16), ("glm_partial8_interleaved", Pairing::Adjacent, 8)]
    {
        let frequencies = Frequencies { inverse: plain(1e4, rotary_dim).inverse(), factor: 1.0 };
        for side in ["q", "k"] {
            let mut x = file.array(side); // heads first: turned through a view whose axes change places
            let view = x.view_mut().permuted_axes([1, 0, 2]);
            Table::new(&frequencies, &[0, 1, 2, 3, 4, 5]).turn(view, pairing);
            assert_turned(&format!("{name}.{side}"), &file, &x);
        }
    }
}

#[track_caller]
fn assert_turned(name: &str, file: &File, found: &Array3<f32>) {
    assert_close(name, found.iter().map(|&value| f64::from(value)), file.numbers(name), |_| 1e-6);
}
