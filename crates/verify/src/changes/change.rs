//! One change to a resolved architecture, made through the words of the schema.

use camelid_families::{Architecture, Fields, difference};
use serde_json::{Map, Value as Json};

use crate::oracle::Quirk;

/// An architecture that differs from another in one respect.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    /// The word that is changed.
    pub(crate) word: String,
    /// What the change is called.
    pub(crate) name: String,
    /// What it comes to.
    pub(crate) architecture: Architecture,
    /// A slip outside the schema, where it is one.
    pub(crate) quirk: Quirk,
}

impl Change {
    /// The word, or the slip that no word says.
    pub(crate) fn label(&self) -> String {
        if self.word.is_empty() { self.name.clone() } else { self.word.clone() }
    }

    /// `attention.window is 12, not 13`: what this says against what was declared.
    pub(crate) fn against(&self, declared: &Architecture, verb: &str) -> String {
        if self.word.is_empty() {
            return self.name.clone();
        }
        let (mut gone, mut new): (Vec<_>, Vec<_>) =
            difference(declared, &self.architecture).into_iter().partition(|(_, _, new)| new.is_null());
        let mut told = Vec::new();
        // A packed tensor whose roles are in another order is another word with the same value.
        new.retain(|(word, _, value)| {
            let same = gone.iter().position(|(_, old, _)| old == value);
            let Some((before, _, _)) = same.map(|same| gone.remove(same)) else { return true };
            told.push(format!("{} {verb} the roles of its tensor, not {}", inner(word), inner(&before)));
            false
        });
        told.extend(gone.iter().chain(&new).map(|(word, old, new)| {
            let (old, new) = brief(word, old, new);
            format!("{word} {verb} {new}, not {old}")
        }));
        // Of many alike the first two tell it.
        if told.len() > 4 {
            let others = told.len() - 2;
            told.truncate(2);
            told.push(format!("{others} more alike"));
        }
        if told.is_empty() {
            return format!("{}: {}", self.word, self.name);
        }
        format!("{} ({})", told.join(" and "), self.name)
    }
}

/// `query | key` of `tensors."query | key"`.
fn inner(word: &str) -> &str {
    word.split('"').nth(1).unwrap_or(word)
}

/// Numbers to few digits; of tables only the keys that differ.
fn brief(word: &str, old: &Json, new: &Json) -> (String, String) {
    match (old, new) {
        (Json::Object(a), Json::Object(b)) if a.get("rope_type") == b.get("rope_type") => {
            let only = |own: &Map<String, Json>, other: &Map<String, Json>| {
                let differs = own.iter().filter(|(key, value)| other.get(*key) != Some(value));
                differs.map(|(key, value)| format!("{key} {}", short(value))).collect::<Vec<_>>().join(", ")
            };
            (only(a, b), only(b, a))
        }
        _ if word.starts_with("tensors.") => (plain(old), plain(new)),
        _ => (short(old), short(new)),
    }
}

fn plain(value: &Json) -> String {
    match value {
        Json::Array(all) if all.len() > 1 => format!("`{}`, …", text(&all[0])),
        Json::Null => "none".into(),
        other => format!("`{}`", text(other)),
    }
}

fn text(value: &Json) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A value as a reader would write it.
pub(crate) fn short(value: &Json) -> String {
    match value {
        Json::Null => "none".into(),
        Json::String(name) => name.clone(),
        Json::Number(number) if number.is_f64() => number_text(number.as_f64().unwrap_or_default()),
        Json::Array(all) => format!("[{}]", all.iter().map(short).collect::<Vec<_>>().join(", ")),
        Json::Object(table) => {
            let pairs = table.iter().filter(|(_, value)| !value.is_null());
            let pairs: Vec<_> = pairs.map(|(key, value)| format!("{key} {}", short(value))).collect();
            format!("{{{}}}", pairs.join(", "))
        }
        Json::Bool(_) | Json::Number(_) => value.to_string(),
    }
}

fn number_text(x: f64) -> String {
    let rounded: f64 = format!("{x:.5e}").parse().unwrap_or(x);
    if rounded != 0.0 && !(1e-4..1e7).contains(&rounded.abs()) {
        format!("{rounded:e}")
    } else {
        rounded.to_string()
    }
}

/// Upstream's names.
pub(crate) const ACTIVATIONS: [&str; 8] =
    ["silu", "gelu", "gelu_pytorch_tanh", "quick_gelu", "relu", "relu2", "sigmoid", "tanh"];

/// Edits an architecture by its words.
#[derive(Debug)]
pub(crate) struct Editor<'a> {
    /// What is edited.
    pub(crate) architecture: &'a Architecture,
    json: Json,
}

/// The tables that each layer has of its own.
const PER_LAYER: [&str; 7] = ["block", "attention", "latent", "delta", "rope", "mlp", "experts"];

impl<'a> Editor<'a> {
    pub(crate) fn new(architecture: &'a Architecture) -> Editor<'a> {
        let json = serde_json::to_value(architecture).expect("an architecture is plain data");
        Editor { architecture, json }
    }

    /// Every word with its value.
    pub(crate) fn fields(&self) -> Fields {
        self.architecture.fields()
    }

    pub(crate) fn layers(&self) -> usize {
        self.architecture.layers.len()
    }

    /// A word's value in each layer, or its one value. A layer without the word's table has null.
    pub(crate) fn values(&self, word: &str) -> Vec<Json> {
        let (table, path) = word.split_once('.').unwrap_or((word, ""));
        self.homes(table, path)
            .into_iter()
            .map(|home| self.json.pointer(&home).cloned().unwrap_or_default())
            .collect()
    }

    /// Whether a layer has the table that a word belongs to; true of a word outside the layers.
    pub(crate) fn has_table(&self, word: &str, layer: usize) -> bool {
        let table = word.split('.').next().unwrap_or_default();
        let home = self.json.pointer(&format!("/layers/{layer}/{table}"));
        !PER_LAYER.contains(&table) || home.is_some_and(|table| !table.is_null())
    }

    /// The architecture with a word's values put through `edit`, which sees the layer and the value; `None` leaves it.
    pub(crate) fn set(
        &self,
        word: &str,
        edit: impl Fn(usize, &Json) -> Option<Json>,
    ) -> Option<Architecture> {
        let mut json = self.json.clone();
        let (table, path) = word.split_once('.')?;
        for (layer, home) in self.homes(table, path).into_iter().enumerate() {
            let (parent, key) = home.rsplit_once('/')?;
            let Some(Json::Object(parent)) = json.pointer_mut(parent) else { continue };
            if let Some(new) = edit(layer, parent.get(key).unwrap_or(&Json::Null)) {
                parent.insert(key.to_owned(), new);
            }
        }
        self.built(json)
    }

    /// The architecture with a JSON of its own put through `edit`.
    pub(crate) fn rewritten(&self, edit: impl Fn(&mut Json)) -> Option<Architecture> {
        let mut json = self.json.clone();
        edit(&mut json);
        self.built(json)
    }

    /// The same as architectures are: through `edit`, if it changes anything.
    pub(crate) fn changed(&self, edit: impl Fn(&mut Architecture)) -> Option<Architecture> {
        let mut architecture = self.architecture.clone();
        edit(&mut architecture);
        (architecture != *self.architecture).then_some(architecture)
    }

    fn built(&self, json: Json) -> Option<Architecture> {
        let built: Architecture = serde_json::from_value(json).ok()?;
        (built != *self.architecture).then_some(built)
    }

    fn homes(&self, table: &str, path: &str) -> Vec<String> {
        let path = path.replace('.', "/");
        let whole_stack = table == "block" && self.json["stack"].get(&path).is_some();
        if whole_stack {
            return vec![format!("/stack/{path}")];
        }
        if PER_LAYER.contains(&table) {
            return (0..self.layers()).map(|layer| format!("/layers/{layer}/{table}/{path}")).collect();
        }
        vec![format!("/{table}/{path}")]
    }
}
