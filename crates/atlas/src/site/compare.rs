//! What the page for two families reads: values, formulas and drawings of every family, as one script.

use camelid_families::{Declaration, Entry, Library, words};
use indexmap::{IndexMap, IndexSet};
use serde_json::{Map, Value as Json, json};

use crate::Error;
use crate::facts::compared::{Told, biases_of, plain, reading_of, table_of};
use crate::facts::said::{thousands, written};
use crate::facts::side::Side;
use crate::facts::text::text;
use crate::site::layer::drawings;
use crate::site::page::drawing;
use crate::site::texts;

/// Name and title of every family that has sizes.
pub(crate) fn names(library: &Library) -> Vec<(String, String)> {
    let sized = library.families().filter(|family| !family.sizes.is_empty());
    sized.map(|family| (family.name.clone(), family.title.clone())).collect()
}

/// The script.
pub(crate) fn data(library: &Library) -> Result<String, Error> {
    let meanings: Map<String, Json> = words()
        .iter()
        .map(|word| {
            let default = word.default.clone().unwrap_or_else(|| "none".into());
            (format!("{}.{}", word.table, word.key), json!([default, word.meaning]))
        })
        .collect();
    let mut families = Map::new();
    let (mut boxes, mut texts) = (IndexSet::new(), IndexSet::new());
    for family in library.families().filter(|family| !family.sizes.is_empty()) {
        let said = one(family, &mut boxes)?;
        families.insert(family.name.clone(), texts::shared(said, &mut texts));
    }
    let boxes: Vec<String> = boxes.into_iter().collect();
    let texts: Vec<String> = texts.into_iter().collect();
    let data = json!({ "words": meanings, "families": families, "boxes": boxes, "texts": texts });
    Ok(format!("const ATLAS = {data};\n"))
}

fn one(family: &Declaration, boxes: &mut IndexSet<String>) -> Result<Json, Error> {
    let formulas: Map<String, Json> =
        family.words.iter().map(|(word, Entry { expr, .. })| (word.clone(), plain(expr).into())).collect();
    let mut sizes: Vec<(String, IndexMap<String, Json>)> = Vec::new();
    for size in &family.sizes {
        let side = Side::of_size(family, Some(&size.name), &[])?;
        sizes.push((size.name.clone(), values(&side)?));
    }
    let first = sizes.first().map(|(_, values)| values.clone()).unwrap_or_default();
    let sizes: Vec<Json> = sizes
        .iter()
        .enumerate()
        .map(|(at, (name, values))| {
            // What the first size has too is said there alone.
            let own = values.iter().filter(|(word, value)| at == 0 || first.get(*word) != Some(value));
            let mut own: Map<String, Json> = own.map(|(word, value)| (word.clone(), value.clone())).collect();
            let lost = first.keys().filter(|word| !values.contains_key(*word));
            own.extend(lost.map(|word| (word.clone(), Json::Null)));
            json!([name, own])
        })
        .collect();
    let drawn = drawings(family)?;
    let drawn: Vec<Json> = drawn
        .iter()
        .map(|layer| {
            let lines = shared(&drawing(layer)?, boxes);
            Ok(json!([layer.sizes, layer.layers, lines.lines().collect::<Vec<_>>()]))
        })
        .collect::<Result<_, Error>>()?;
    Ok(json!({
        "title": family.title, "summary": family.summary, "formulas": formulas, "sizes": sizes, "drawings": drawn,
        "bias": biases_of(family), "reading": written_of(&reading_of(family)),
        "tokenizer": written_of(&table_of(&family.tokenizer)), "chat": written_of(&table_of(&family.chat)),
    }))
}

/// A drawing with `~n~` for what its box number n holds: boxes that are alike stand in the script once.
fn shared(drawn: &str, boxes: &mut IndexSet<String>) -> String {
    const OPEN: &str = " class='box ";
    let mut out = String::new();
    let mut rest = drawn;
    while let Some((before, after)) = rest.split_once(OPEN) {
        let (inner, behind) = after.split_once("</g>").unwrap_or((after, ""));
        let (index, _) = boxes.insert_full(format!("{OPEN}{inner}</g>"));
        out += &format!("{before}~{index}~");
        rest = behind;
    }
    out + rest
}

/// What is written for each key.
fn written_of(told: &IndexMap<String, Told>) -> Map<String, Json> {
    told.iter().map(|(key, told)| (key.clone(), told.formula.clone().into())).collect()
}

/// Words, tensors and sums of one size, as they are said.
fn values(side: &Side) -> Result<IndexMap<String, Json>, Error> {
    let layers = side.architecture.layers.len();
    let mut values: IndexMap<String, Json> = side
        .architecture
        .fields()
        .iter()
        .map(|(word, value)| (word.clone(), written(word, value, layers)))
        .filter(|(_, value)| value != "none")
        .map(|(word, value)| (word, value.into()))
        .collect();
    let architecture = &side.architecture;
    values.insert("parameters".into(), thousands(architecture.plan().parameters()).into());
    values.insert(
        "cache of a token".into(),
        format!("{} bytes", thousands(architecture.cache_bytes(256) / 512)).into(),
    );
    values.insert("states".into(), format!("{} bytes", thousands(architecture.state_bytes())).into());
    if let Some(said) = text(&side.family, &side.config)?.conversation {
        values.insert("a question".into(), said.into());
    }
    Ok(values)
}
