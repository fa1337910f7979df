//! Which words there are: read off the types of the architecture, so that nothing is listed twice.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use indexmap::IndexMap;
use schemars::{JsonSchema, Schema, schema_for};
use serde_json::Value as Json;

use crate::waist::architecture::{Attention, Block, Embedding, Mlp, Norm, Output, Prefix, Rope, Stack};
use crate::waist::named::{At, By, Lies, Per, Suffix};
use crate::waist::tables::delta::Delta;
use crate::waist::tables::experts::Experts;
use crate::waist::tables::latent::Latent;
use crate::waist::tables::per_layer::PerLayer;

/// The tables of mathematics, in the order in which a declaration writes them.
pub const TABLES: [&str; 12] = [
    "embedding",
    "per_layer",
    "block",
    "norm",
    "attention",
    "latent",
    "delta",
    "rope",
    "prefix",
    "mlp",
    "experts",
    "output",
];

/// One word of the schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// Its table.
    pub table: String,
    /// Its key there.
    pub key: String,
    /// What it is, from the doc comment of its field.
    pub meaning: String,
    /// The type, as a reader of TOML would say it.
    pub kind: String,
    /// The default as JSON; `None` where the word must be said.
    pub default: Option<String>,
}

static WORDS: LazyLock<Vec<Word>> = LazyLock::new(|| {
    let mut words = Vec::new();
    let mut add = |table: &str, schema: Schema| words.extend(read(table, &schema));
    add("embedding", schema_for!(Embedding));
    add("per_layer", schema_for!(PerLayer));
    add("block", schema_for!(Stack));
    add("block", schema_for!(Block));
    add("norm", schema_for!(Norm));
    add("attention", schema_for!(Attention));
    add("latent", schema_for!(Latent));
    add("delta", schema_for!(Delta));
    add("rope", schema_for!(Rope));
    add("prefix", schema_for!(Prefix));
    add("mlp", schema_for!(Mlp));
    add("experts", schema_for!(Experts));
    add("output", schema_for!(Output));
    words
});

/// Every word of the tables of mathematics.
#[must_use]
pub fn words() -> &'static [Word] {
    &WORDS
}

/// The keys of one table.
pub(crate) fn keys(table: &str) -> BTreeSet<&'static str> {
    WORDS.iter().filter(|word| word.table == table).map(|word| word.key.as_str()).collect()
}

/// The keys that one type takes.
pub(crate) fn keys_of<T: JsonSchema>() -> BTreeSet<String> {
    let schema = schema_for!(T);
    let properties = schema.get("properties").and_then(Json::as_object);
    properties.map(|p| p.keys().cloned().collect()).unwrap_or_default()
}

/// The attributes that a tensor may be given beside its name, with the values each takes; one that takes a number, a truth
/// value or a formula has none here.
#[must_use]
pub fn tensor_attributes() -> IndexMap<&'static str, Vec<String>> {
    IndexMap::from([
        ("suffix", names(&schema_for!(Suffix))),
        ("by", names(&schema_for!(By))),
        ("per", names(&schema_for!(Per))),
        ("at", names(&schema_for!(At))),
        ("lies", names(&schema_for!(Lies))),
        ("when", Vec::new()),
        ("unit", Vec::new()),
        ("eps", Vec::new()),
        ("offset", Vec::new()),
        ("factor", Vec::new()),
    ])
}

/// The names of an enum's variants.
fn names(schema: &Schema) -> Vec<String> {
    let of = |variant: &Json| variant.get("const").and_then(Json::as_str).map(str::to_owned);
    schema
        .get("oneOf")
        .and_then(Json::as_array)
        .map(|all| all.iter().filter_map(of).collect())
        .unwrap_or_default()
}

fn read(table: &str, schema: &Schema) -> Vec<Word> {
    let required: BTreeSet<&str> = schema
        .get("required")
        .and_then(Json::as_array)
        .map(|keys| keys.iter().filter_map(Json::as_str).collect())
        .unwrap_or_default();
    let Some(properties) = schema.get("properties").and_then(Json::as_object) else { return Vec::new() };
    properties
        .iter()
        .map(|(key, property)| Word {
            table: table.to_owned(),
            key: key.clone(),
            meaning: property
                .get("description")
                .and_then(Json::as_str)
                .unwrap_or_default()
                .replace('\n', " "),
            kind: kind(property, schema),
            default: (!required.contains(key.as_str())).then(|| {
                property
                    .get("default")
                    .filter(|d| !d.is_null())
                    .map_or_else(|| "none".into(), Json::to_string)
            }),
        })
        .collect()
}

/// The type of a property: the first that is not null, an enum by its names.
fn kind(property: &Json, schema: &Schema) -> String {
    let named = |reference: &str| {
        let definition = reference.rsplit('/').next().and_then(|name| schema.get("$defs")?.get(name));
        let variants =
            definition.and_then(|d| Schema::try_from(d.clone()).ok()).map(|d| names(&d)).unwrap_or_default();
        variants.join(" \\| ")
    };
    if let Some(reference) = property.get("$ref").and_then(Json::as_str) {
        return named(reference);
    }
    for all in ["allOf", "anyOf", "oneOf"] {
        let parts = property.get(all).and_then(Json::as_array).into_iter().flatten();
        if let Some(reference) = parts.filter_map(|part| part.get("$ref").and_then(Json::as_str)).next() {
            return named(reference);
        }
    }
    let first = match property.get("type") {
        Some(Json::String(name)) => name.as_str(),
        Some(Json::Array(names)) => {
            names.iter().filter_map(Json::as_str).find(|n| *n != "null").unwrap_or("any")
        }
        _ => "any",
    };
    match first {
        "object" => "table".into(),
        "array" => "list".into(),
        "string" => "name".into(),
        "boolean" => "true or false".into(),
        other => other.into(),
    }
}
