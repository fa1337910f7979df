//! `rope.scaling`: the frequencies of crate `rope` and of crate `yarn` under upstream's one table.

use camelid_yarn::Yarn;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _, ser::Error as _};
use serde_json::{Map, Value as Json};

use Kind::{Number, Numbers, Truth, Whole};

/// How rotary frequencies are scaled: upstream's `rope_scaling` table, told apart by its `rope_type`.
#[derive(Debug, Clone, PartialEq)]
pub enum Scaling {
    /// One of those that need no crate beside `rope`.
    Plain(camelid_rope::Scaling),
    /// `yarn`.
    Yarn(Yarn),
}

/// What a key of the table holds.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Number,
    Whole,
    Truth,
    Numbers,
}

/// A type with its keys: those that upstream needs, and those that it may do without.
type Keys = (&'static str, &'static [(&'static str, Kind)], &'static [(&'static str, Kind)]);

const ORIGINAL: (&str, Kind) = ("original_max_position_embeddings", Whole);
const TYPES: [Keys; 7] = [
    ("default", &[], &[]),
    ("linear", &[("factor", Number)], &[]),
    ("dynamic", &[("factor", Number)], &[ORIGINAL]),
    (
        "yarn",
        &[("factor", Number)],
        &[
            ORIGINAL,
            ("beta_fast", Number),
            ("beta_slow", Number),
            ("attention_factor", Number),
            ("mscale", Number),
            ("mscale_all_dim", Number),
            ("truncate", Truth),
        ],
    ),
    (
        "llama3",
        &[("factor", Number), ("low_freq_factor", Number), ("high_freq_factor", Number), ORIGINAL],
        &[],
    ),
    (
        "longrope",
        &[("short_factor", Numbers), ("long_factor", Numbers)],
        &[("factor", Number), ("attention_factor", Number), ORIGINAL],
    ),
    ("stepped", &[], &[]),
];

/// Keys that stand in released tables and that upstream reads for no type, or not for these.
const UNREAD: [(&str, &[&str]); 3] = [
    ("finetuned", &["linear", "dynamic", "yarn", "llama3", "longrope", "default"]),
    ("original_max_position_embeddings", &["linear", "default"]),
    ("attention_factor", &["linear", "dynamic", "default", "llama3"]),
];
/// Keys of other code that have no effect at the value 1.
const NEUTRAL_AT_ONE: [&str; 4] = ["attn_factor", "extrapolation_factor", "partial_rotary_factor", "factor"];

/// Brings `scaling` in a table of `[rope]` to the form that its type reads, as upstream's code would read it.
///
/// A null is as good as absent (but `truncate` = null is false there); no type and nothing else is no scaling, and so is `default`; a zero
/// `beta_fast` or `beta_slow` is its default. An original length that is absent is `context`, the trained length; an absent
/// YaRN factor is the context over the original length.
pub(crate) fn complete(rope: &mut Map<String, Json>) -> Result<(), String> {
    let context = rope.get("context").cloned();
    let Some(Json::Object(table)) = rope.get_mut("scaling") else { return Ok(()) };
    if table.get("truncate") == Some(&Json::Null) {
        table.insert("truncate".into(), false.into());
    }
    table.retain(|_, value| !value.is_null());
    if table.is_empty() {
        rope.shift_remove("scaling");
        return Ok(());
    }
    let Some(Json::String(name)) = table.get("rope_type").cloned() else {
        let found = Json::Object(table.clone());
        return Err(format!("the table {found} does not say its rope_type; there are {}", types()));
    };
    let Some((_, needs, takes)) = TYPES.iter().find(|(known, ..)| *known == name) else {
        return Err(format!("rope_type = \"{name}\" is not known; there are {}", types()));
    };
    let reads = |key: &str| needs.iter().chain(*takes).find(|(known, _)| *known == key);
    table.retain(|key, value| reads(key).is_some() || !unread(&name, key, value));
    if name == "default" && table.len() == 1 {
        rope.shift_remove("scaling");
        return Ok(());
    }
    fill(&name, table, context.as_ref());
    for (key, value) in table.iter().filter(|(key, _)| *key != "rope_type") {
        match reads(key) {
            Some((_, kind)) if kind.takes(value) => {}
            Some((_, kind)) => {
                return Err(format!("`{key}` must be {}, but the value is {value}", kind.name()));
            }
            None => return Err(unknown(&name, key, value, needs, takes)),
        }
    }
    match needs.iter().find(|(key, _)| !table.contains_key(*key)) {
        Some((key, _)) => Err(format!("`{key}` is missing, which rope_type = \"{name}\" needs")),
        None => Ok(()),
    }
}

fn unread(name: &str, key: &str, value: &Json) -> bool {
    let listed = UNREAD.iter().any(|(unread, types)| *unread == key && types.contains(&name));
    listed || NEUTRAL_AT_ONE.contains(&key) && value.as_f64() == Some(1.0)
}

/// What upstream takes where the table does not say.
fn fill(name: &str, table: &mut Map<String, Json>, context: Option<&Json>) {
    let zero = |value: &Json| value.as_f64() == Some(0.0);
    if name == "yarn" {
        table.retain(|key, value| {
            !(zero(value) && ["beta_fast", "beta_slow", ORIGINAL.0].contains(&key.as_str()))
        });
    }
    if let (Some(context), "llama3" | "yarn", false) = (context, name, table.contains_key(ORIGINAL.0)) {
        table.insert(ORIGINAL.0.into(), context.clone());
    }
    let of = |value: Option<&Json>| value.and_then(Json::as_f64).filter(|value| *value > 0.0);
    if let ("yarn", false, Some(long), Some(trained)) =
        (name, table.contains_key("factor"), of(context), of(table.get(ORIGINAL.0)))
    {
        table.insert("factor".into(), (long / trained).into());
    }
}

fn unknown(name: &str, key: &str, value: &Json, needs: &[(&str, Kind)], takes: &[(&str, Kind)]) -> String {
    let known: Vec<_> = needs.iter().chain(takes).map(|(known, _)| *known).collect();
    let known = if known.is_empty() { "none".into() } else { known.join(", ") };
    format!(
        "`{key}` = {value} is no key of rope_type = \"{name}\", which has {known}; --allow-key rope_scaling.{key} goes on without it"
    )
}

/// Every type, for messages.
fn types() -> String {
    TYPES.map(|(name, ..)| name).join(", ")
}

impl Kind {
    fn takes(self, value: &Json) -> bool {
        match self {
            Number => value.is_number(),
            Whole => value.is_u64(),
            Truth => value.is_boolean(),
            Numbers => value.as_array().is_some_and(|all| all.iter().all(Json::is_number)),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Number => "a number",
            Whole => "a whole number of at least 0",
            Truth => "true or false",
            Numbers => "a list of numbers",
        }
    }
}

impl<'de> Deserialize<'de> for Scaling {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Scaling, D::Error> {
        let mut table = serde_json::Map::deserialize(deserializer)?;
        if table.get("rope_type") == Some(&Json::String("yarn".into())) {
            table.remove("rope_type");
            return serde_json::from_value(Json::Object(table)).map(Scaling::Yarn).map_err(D::Error::custom);
        }
        serde_json::from_value(Json::Object(table)).map(Scaling::Plain).map_err(D::Error::custom)
    }
}

impl Serialize for Scaling {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Scaling::Plain(scaling) => scaling.serialize(serializer),
            Scaling::Yarn(yarn) => {
                let mut table = serde_json::to_value(yarn).map_err(S::Error::custom)?;
                if let Json::Object(table) = &mut table {
                    table.shift_insert(0, "rope_type".into(), "yarn".into());
                }
                table.serialize(serializer)
            }
        }
    }
}
