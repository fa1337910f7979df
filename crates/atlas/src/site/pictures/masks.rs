//! Masks: the keys that each query sees, by the rule that attention itself asks.

use camelid_attention::Reach;
use camelid_families::Library;
use serde::Serialize;

use crate::Error;
use crate::facts::said::places;
use crate::facts::side::Side;
use crate::facts::sight::{Seen, sights};
use crate::site::pictures::examples::Example;

/// Tokens, where the example does not say.
const TOKENS: usize = 24;
/// Of a prompt that is read both ways, so many are shown.
const PREFIX: usize = 10;

/// A mask.
#[derive(Debug, Serialize)]
pub(crate) struct Mask {
    id: String,
    title: String,
    family: String,
    layers: String,
    rule: String,
    note: String,
    tokens: usize,
    rows: Vec<Row>,
}

/// What one query sees.
#[derive(Debug, Serialize)]
struct Row {
    query: usize,
    runs: Vec<Seen>,
}

/// A mask for each kind of layer of each example.
pub(crate) fn masks(library: &Library, examples: &[Example]) -> Result<Vec<Mask>, Error> {
    let mut masks = Vec::new();
    for example in examples {
        let side = example.side(library)?;
        let tokens = example.tokens.unwrap_or(TOKENS);
        let kinds = sights(&side.architecture, 0).map_err(Error::Site)?;
        for (index, kind) in kinds.iter().enumerate().filter(|(_, kind)| !kind.runs.is_empty()) {
            let rows = (0..tokens).map(|query| row(&side, index, query)).collect::<Result<_, _>>()?;
            let both = side.architecture.prefix.is_some();
            masks.push(Mask {
                id: format!("mask-{}", masks.len()),
                title: example.title.clone(),
                family: side.family.name.clone(),
                layers: places(&kind.layers),
                rule: if both {
                    format!("{PREFIX} tokens of a prompt both ways, all keys before after it")
                } else {
                    kind.rule.clone()
                },
                note: example.note.clone(),
                tokens,
                rows,
            });
        }
    }
    Ok(masks)
}

fn row(side: &Side, kind: usize, query: usize) -> Result<Row, Error> {
    if side.architecture.prefix.is_some() {
        let run = Reach::Prefix(PREFIX).run(query);
        return Ok(Row { query, runs: vec![Seen { first: run.start, last: run.end - 1, from: None }] });
    }
    let mut kinds = sights(&side.architecture, query).map_err(Error::Site)?;
    Ok(Row { query, runs: kinds.swap_remove(kind).runs })
}
