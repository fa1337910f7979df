//! The ways in which the list of mistakes changes a word: to known values, by a factor, by a step, across layers, in tensors.

use camelid_families::{Architecture, Named, Role};
use serde_json::{Value as Json, json};

use super::scene::Scene;

/// Each value in all layers, or in its one place.
pub(crate) fn values(scene: &Scene<'_>, word: &str, to: &[Json]) -> Vec<Option<Architecture>> {
    to.iter().map(|value| scene.editor.set(word, |_, _| Some(value.clone()))).collect()
}

pub(crate) fn times(scene: &Scene<'_>, word: &str) -> Vec<Option<Architecture>> {
    scaled(scene, word, &[10.0, 0.1, 2.0, 0.5])
}

/// A number as half precision keeps it, or as somebody writes it down.
pub(crate) fn rounded(scene: &Scene<'_>, word: &str) -> Vec<Option<Architecture>> {
    let forms: [fn(f64) -> f64; 4] = [
        |x| half::bf16::from_f64(x).to_f64(),
        |x| half::f16::from_f64(x).to_f64(),
        |x| (x * 100.0).round() / 100.0,
        f64::round,
    ];
    forms.iter().map(|form| scene.editor.set(word, |_, old| old.as_f64().map(|x| json!(form(x))))).collect()
}

/// Numbers of a scaling in place of those that it has; nothing where there is no scaling.
pub(crate) fn scaling_with(scene: &Scene<'_>, numbers: &[(&str, Json)]) -> Option<Architecture> {
    scene.editor.set("rope.scaling", |_, old| {
        let mut new = old.clone();
        for (key, value) in numbers {
            new.as_object_mut()?.insert((*key).to_owned(), value.clone());
        }
        Some(new)
    })
}

/// What is left out of a scaling by bands, or read the wrong way round.
pub(crate) fn ramps(scene: &Scene<'_>) -> Vec<Option<Architecture>> {
    let exchanged = |(a, first): (&str, f64), (b, second): (&str, f64)| {
        scene.editor.set("rope.scaling", |_, old| {
            let number = |key: &str, or: f64| old.get(key).and_then(Json::as_f64).unwrap_or(or);
            let mut new = old.clone();
            let table = new.as_object_mut()?;
            table.insert(a.to_owned(), json!(number(b, second)));
            table.insert(b.to_owned(), json!(number(a, first)));
            Some(new)
        })
    };
    let plain = || ("attention_factor", json!(1.0));
    vec![
        scaling_with(scene, &[plain()]),
        scaling_with(scene, &[("truncate", json!(false))]),
        scaling_with(scene, &[("truncate", json!(true))]),
        scaling_with(scene, &[plain(), ("truncate", json!(false))]),
        exchanged(("beta_fast", 32.0), ("beta_slow", 1.0)),
        exchanged(("low_freq_factor", 1.0), ("high_freq_factor", 4.0)),
    ]
}

/// Numbers of a scaling as released models have them, which engines build in.
pub(crate) fn released(scene: &Scene<'_>) -> Vec<Option<Architecture>> {
    let whole = |key: &'static str, all: &[u32]| -> Vec<(&'static str, Json)> {
        all.iter().map(|value| (key, json!(value))).collect()
    };
    let parts = |key: &'static str, all: &[f64]| -> Vec<(&'static str, Json)> {
        all.iter().map(|value| (key, json!(value))).collect()
    };
    let known = [
        whole("original_max_position_embeddings", &[2048, 4096, 8192, 16384, 32768, 65536, 131_072]),
        parts("factor", &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0]),
        parts("low_freq_factor", &[1.0]),
        parts("high_freq_factor", &[4.0]),
        parts("beta_fast", &[32.0]),
        parts("beta_slow", &[1.0]),
    ];
    known.concat().into_iter().map(|number| scaling_with(scene, &[number])).collect()
}

pub(crate) fn scaled(scene: &Scene<'_>, word: &str, by: &[f64]) -> Vec<Option<Architecture>> {
    let product = |old: &Json, by: f64| match old.as_u64() {
        Some(whole) => Some(json!((whole as f64 * by) as u64)),
        None => old.as_f64().map(|x| json!(x * by)),
    };
    by.iter().map(|by| scene.editor.set(word, |_, old| product(old, *by))).collect()
}

pub(crate) fn shifted(scene: &Scene<'_>, word: &str, by: i64) -> Option<Architecture> {
    scene.editor.set(word, |_, old| old.as_i64().map(|x| json!((x + by).max(1))))
}

/// A pattern over the layers: one layer on, one back, and its opposite.
pub(crate) fn per_layer(scene: &Scene<'_>, word: &str) -> Vec<Option<Architecture>> {
    let values = scene.editor.values(word);
    let count = values.len();
    let some = values.iter().find(|value| !value.is_null()).cloned().unwrap_or_default();
    let opposite = |_: usize, old: &Json| Some(if old.is_null() { some.clone() } else { Json::Null });
    vec![
        scene.editor.set(word, |layer, _| Some(values[(layer + 1) % count].clone())),
        scene.editor.set(word, |layer, _| Some(values[(layer + count - 1) % count].clone())),
        scene.editor.set(word, opposite),
    ]
}

/// The numbers that a scaling may have.
const NUMBERS: [&str; 6] = [
    "factor",
    "original_max_position_embeddings",
    "low_freq_factor",
    "high_freq_factor",
    "beta_fast",
    "beta_slow",
];

/// The same numbers under another kind.
pub(crate) fn other_scalings(scene: &Scene<'_>) -> Vec<Option<Architecture>> {
    let kinds = ["linear", "dynamic", "yarn", "llama3", "stepped", "default"];
    let with = |kind: &str, old: &Json| {
        let mut new = json!({ "rope_type": kind });
        let number = |key: &str, or: Json| old.get(key).filter(|v| !v.is_null()).cloned().unwrap_or(or);
        if matches!(kind, "linear" | "dynamic" | "yarn" | "llama3") {
            new["factor"] = number("factor", json!(2.0));
        }
        if matches!(kind, "yarn" | "llama3") {
            let context = scene.editor.architecture.stack.context;
            new["original_max_position_embeddings"] =
                number("original_max_position_embeddings", json!(context));
        }
        if kind == "llama3" {
            new["low_freq_factor"] = json!(1.0);
            new["high_freq_factor"] = json!(4.0);
        }
        Some(new)
    };
    let mut out: Vec<_> =
        kinds.iter().map(|kind| scene.editor.set("rope.scaling", |_, old| with(kind, old))).collect();
    for factor in [2.0, 4.0, 8.0] {
        let linear = json!({ "rope_type": "linear", "factor": factor });
        out.extend(values(scene, "rope.scaling", &[linear]));
    }
    let trained = [scene.editor.architecture.stack.context, Some(2048), Some(4096), Some(32768)];
    for (factor, trained) in [2.0, 4.0, 8.0].into_iter().flat_map(|f| trained.map(|trained| (f, trained))) {
        let original = trained.map(|trained| json!(trained)).unwrap_or_default();
        let yarn = json!({
            "rope_type": "yarn", "factor": factor, "original_max_position_embeddings": original,
        });
        out.extend(values(scene, "rope.scaling", &[yarn]));
    }
    for key in NUMBERS {
        out.extend(times(scene, &format!("rope.scaling.{key}")));
    }
    out
}

/// Every tensor of every layer, and those outside, put through `edit`.
pub(crate) fn named(scene: &Scene<'_>, edit: impl Fn(&mut Named)) -> Option<Architecture> {
    scene.editor.changed(|architecture| {
        let inside = architecture.layers.iter_mut().flat_map(|layer| &mut layer.tensors);
        inside.chain(&mut architecture.tensors).for_each(&edit);
    })
}

/// Two roles of a packed tensor exchanged, and three turned round.
pub(crate) fn permuted(scene: &Scene<'_>) -> Vec<Option<Architecture>> {
    let swap = |a: usize, b: usize| {
        named(scene, |named| {
            if named.roles.len() > a.max(b) {
                named.roles.swap(a, b);
            }
        })
    };
    let turn = |by: usize| {
        named(scene, |named| {
            if named.roles.len() > 2 {
                named.roles.rotate_left(by);
            }
        })
    };
    vec![swap(0, 1), swap(1, 2), swap(0, 2), turn(1), turn(2)]
}

/// Two roles play each other's tensors.
pub(crate) fn exchanged(scene: &Scene<'_>) -> Vec<Option<Architecture>> {
    let pairs = [
        (Role::AttentionNorm, Role::MlpNorm),
        (Role::Gate, Role::Up),
        (Role::Query, Role::Key),
        (Role::Key, Role::Value),
        (Role::Query, Role::Value),
        (Role::Query, Role::AttentionOutput),
        (Role::AttentionOutputNorm, Role::MlpNorm),
        (Role::AttentionOutputNorm, Role::MlpOutputNorm),
        (Role::MlpNorm, Role::MlpOutputNorm),
        (Role::AttentionNorm, Role::AttentionOutputNorm),
        (Role::QueryNorm, Role::KeyNorm),
        (Role::Embedding, Role::Output),
    ];
    let exchange = |(a, b): (Role, Role)| {
        named(scene, |named| {
            for role in &mut named.roles {
                if *role == a {
                    *role = b;
                } else if *role == b {
                    *role = a;
                }
            }
        })
    };
    pairs.into_iter().map(exchange).collect()
}

/// A norm that is not applied.
pub(crate) fn without(scene: &Scene<'_>, role: Role) -> Option<Architecture> {
    scene.editor.changed(|architecture| {
        architecture.tensors.retain(|named| named.roles != [role]);
        architecture.layers.iter_mut().for_each(|layer| layer.tensors.retain(|named| named.roles != [role]));
    })
}

/// The tensor of a role with its bias left out, or taken in.
pub(crate) fn biased(scene: &Scene<'_>, role: Role) -> Option<Architecture> {
    named(scene, |named| {
        if named.roles.contains(&role) {
            named.bias = !named.bias;
        }
    })
}

/// The biases of all tensors with such a role left out.
pub(crate) fn biased_where(scene: &Scene<'_>, left_out: impl Fn(Role) -> bool) -> Option<Architecture> {
    named(scene, |named| named.bias &= !named.roles.iter().any(|role| left_out(*role)))
}
