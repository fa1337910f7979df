//! Families by words: each word's value at the first size, and where it is said.

use camelid_families::{Library, words};
use serde::Serialize;

use crate::Error;
use crate::facts::said::written;
use crate::facts::side::Side;

/// The matrix.
#[derive(Debug, Serialize)]
pub(crate) struct Matrix {
    words: Vec<Head>,
    rows: Vec<Row>,
}

#[derive(Debug, Serialize)]
struct Head {
    word: String,
    meaning: String,
}

#[derive(Debug, Serialize)]
struct Row {
    name: String,
    size: String,
    released: String,
    cells: Vec<Cell>,
}

#[derive(Debug, Serialize)]
struct Cell {
    value: String,
    /// By what the column is sorted, where that is a number.
    sort: Option<f64>,
    /// File and line, or none where the word's default holds.
    source: Option<String>,
    own: bool,
}

/// Every word that some family says.
pub(crate) fn matrix(library: &Library) -> Result<Matrix, Error> {
    let mut rows = Vec::new();
    let names: Vec<String> = words().iter().map(|word| format!("{}.{}", word.table, word.key)).collect();
    for family in library.families().filter(|family| !family.sizes.is_empty()) {
        let side = Side::of_size(family, None, &[])?;
        let fields = side.architecture.fields();
        let cell = |word: &String| {
            let value = fields.get(word);
            let said = value
                .map_or_else(|| "none".into(), |value| written(word, value, side.architecture.layers.len()));
            let origin = family.words.get(word).map(|entry| &entry.origin);
            let short =
                |file: &str| file.trim_start_matches("families/").trim_end_matches(".toml").to_owned();
            Cell {
                value: if said == "none" { "–".into() } else { said },
                sort: value.and_then(serde_json::Value::as_f64),
                own: origin.is_some_and(|origin| short(&origin.file) == family.name),
                source: origin.map(|origin| format!("{}:{}", short(&origin.file), origin.line)),
            }
        };
        rows.push(Row {
            name: family.name.clone(),
            size: side.size.clone(),
            released: family.released.clone().unwrap_or_default(),
            cells: names.iter().map(cell).collect(),
        });
    }
    let heads = words()
        .iter()
        .zip(&names)
        .map(|(word, name)| Head { word: name.clone(), meaning: word.meaning.clone() });
    Ok(Matrix { words: heads.collect(), rows })
}
