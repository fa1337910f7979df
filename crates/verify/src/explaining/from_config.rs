//! Changes that the checkpoint's own config.json suggests: what a word should be is often a number that stands there.

use camelid_families::Architecture;
use serde_json::{Value as Json, json};

use super::scene::Scene;

/// What a number of config.json may mean for a word.
type Forms = fn(&Scene<'_>, f64) -> Vec<f64>;

/// Words that are numbers, each with the forms in which a number of config.json may stand for it.
const NUMBERS: &[(&str, Forms)] = &[
    ("embedding.scale", |_, x| vec![x, x.sqrt()]),
    ("norm.eps", |_, x| if x < 0.01 { vec![x] } else { Vec::new() }),
    ("attention.scale", |_, x| vec![x, x.powf(-0.5), 1.0 / x]),
    ("attention.softcap", |_, x| vec![x]),
    ("attention.window", |_, x| vec![x]),
    ("attention.logn", |_, x| vec![x]),
    ("attention.chunk", |_, x| vec![x]),
    ("experts.scale", |_, x| vec![x]),
    ("mlp.limit", |_, x| vec![x]),
    ("mlp.alpha", |_, x| vec![x]),
    ("rope.theta", |_, x| if x > 1.0 { vec![x] } else { Vec::new() }),
    ("rope.fraction", |_, x| if x <= 1.0 { vec![x] } else { Vec::new() }),
    ("rope.context", |_, x| vec![x]),
    ("block.branch_scale", |s, x| vec![x, x / (s.editor.layers() as f64).sqrt()]),
    ("output.scale", |s, x| vec![x, 1.0 / x, x / s.width() as f64, s.width() as f64 / x]),
    ("output.softcap", |_, x| vec![x]),
];

/// Each word with each number of config.json, and `rope.scaling` with each table of one.
pub(crate) fn from_config(scene: &Scene<'_>) -> Vec<(&'static str, Architecture)> {
    let (mut numbers, mut tables) = (Vec::new(), Vec::new());
    scene.config.values().for_each(|value| gather(value, &mut numbers, &mut tables));
    numbers.sort_by(f64::total_cmp);
    numbers.dedup();
    let mut out = Vec::new();
    for (word, forms) in NUMBERS {
        for value in numbers.iter().flat_map(|x| forms(scene, *x)).filter(|x| x.is_finite() && *x > 0.0) {
            let whole = value.fract() == 0.0 && value < 1e15;
            let json = if whole { json!(value as u64) } else { json!(value) };
            out.extend(scene.editor.set(word, |_, _| Some(json.clone())).map(|to| (*word, to)));
        }
    }
    for table in tables {
        out.extend(
            scene.editor.set("rope.scaling", |_, _| Some(table.clone())).map(|to| ("rope.scaling", to)),
        );
    }
    out
}

/// The positive numbers of a value, and its tables of rotary scaling under the newest spelling.
fn gather(value: &Json, numbers: &mut Vec<f64>, tables: &mut Vec<Json>) {
    match value {
        Json::Number(number) => numbers.extend(number.as_f64().filter(|x| *x > 0.0)),
        Json::Object(table) => {
            table.values().for_each(|value| gather(value, numbers, tables));
            let mut table = table.clone();
            if let Some(kind) = table.remove("type") {
                table.entry("rope_type").or_insert(kind);
            }
            for key in ["rope_theta", "partial_rotary_factor"] {
                table.remove(key);
            }
            tables.push(Json::Object(table));
        }
        Json::Null | Json::Bool(_) | Json::String(_) | Json::Array(_) => {}
    }
}
