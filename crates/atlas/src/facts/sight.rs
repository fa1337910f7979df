//! Which keys the query of one place sees, layer by layer.

use std::ops::Range;

use camelid_dual_chunk::DualChunk;
use camelid_families::{Architecture, Layer};
use serde::Serialize;

use crate::facts::said::thousands;

/// Layers in which a query sees the same keys.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Sight {
    /// The layers, counted from 0.
    pub layers: Vec<usize>,
    /// The rule, in words.
    pub rule: String,
    /// The runs of keys that the query sees; none where a state stands in place of keys.
    pub runs: Vec<Seen>,
}

/// One run of keys, with how it is seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Seen {
    /// The first key.
    pub first: usize,
    /// The last.
    pub last: usize,
    /// The place that the query stands at before these keys, where that is not its own.
    pub from: Option<usize>,
}

impl Seen {
    fn of(run: &Range<usize>, from: Option<usize>) -> Option<Seen> {
        (!run.is_empty()).then(|| Seen { first: run.start, last: run.end - 1, from })
    }

    /// How many keys.
    #[must_use]
    pub fn keys(&self) -> usize {
        self.last - self.first + 1
    }
}

/// What the query at place `at`, counted from 0, sees in each layer.
///
/// # Errors
/// What crate `dual-chunk` says of settings out of range.
pub fn sights(architecture: &Architecture, at: usize) -> Result<Vec<Sight>, String> {
    let mut sights: Vec<Sight> = Vec::new();
    for (index, layer) in architecture.layers.iter().enumerate() {
        let (rule, runs) = seen(layer, at)?;
        match sights.iter_mut().find(|known| known.rule == rule) {
            Some(known) => known.layers.push(index),
            None => sights.push(Sight { layers: vec![index], rule, runs }),
        }
    }
    Ok(sights)
}

fn seen(layer: &Layer, at: usize) -> Result<(String, Vec<Seen>), String> {
    if layer.delta.is_some() {
        return Ok(("a state in place of keys: all before it, faded".into(), Vec::new()));
    }
    let attention = &layer.attention;
    if let Some(settings) = attention.dual_chunk {
        let dual = DualChunk::new(settings).map_err(|error| error.to_string())?;
        let runs = dual.runs(at).into_iter().zip(dual.query_positions(at));
        let runs = runs.filter_map(|(run, from)| Seen::of(&run, Some(from))).rev().collect();
        let rule = format!("dual chunks of {} tokens", thousands(dual.chunk() as u64));
        return Ok((rule, runs));
    }
    let rule = match (attention.window, attention.chunk) {
        (Some(window), _) => format!("a window of {} keys", thousands(window as u64)),
        (None, Some(chunk)) => format!("chunks of {} tokens", thousands(chunk as u64)),
        (None, None) => "all keys before it".into(),
    };
    Ok((rule, Seen::of(&attention.reach().run(at), None).into_iter().collect()))
}
