//! What keys and values take over the tokens of a text, and parameters and cache of every size.

use camelid_families::Library;
use serde::Serialize;

use crate::Error;
use crate::facts::said::thousands;
use crate::facts::side::cache_of_thousand;
use crate::site::chart::{Axis, Chart, Line, Scale};
use crate::site::pictures::examples::Example;

/// Cache over tokens, and all sizes.
#[derive(Debug, Serialize)]
pub(crate) struct Memory {
    chart: Chart,
    /// Family, size, parameters, cache of the first 1,000 tokens in bf16, states in f32; numbers as they are and as they are said.
    rows: Vec<Row>,
}

#[derive(Debug, Serialize)]
struct Row {
    family: String,
    size: String,
    numbers: Vec<(u64, String)>,
}

/// Lengths of text in the chart.
const LENGTHS: [usize; 9] = [512, 1024, 2048, 4096, 8192, 16384, 32768, 65536, 131_072];

/// The picture of the examples, and the table of all.
pub(crate) fn memory(library: &Library, examples: &[Example]) -> Result<Memory, Error> {
    let mut lines = Vec::new();
    for example in examples {
        let side = example.side(library)?;
        // In bf16 a number takes half of what it takes in f32, for which the crate counts.
        let gigabytes = |tokens: usize| side.architecture.cache_bytes(tokens) as f64 / 2.0 / 1e9;
        let points = LENGTHS.iter().map(|tokens| [*tokens as f64, gigabytes(*tokens)]).collect();
        lines.push(Line { name: example.title.clone(), points });
    }
    let all = || lines.iter().flat_map(|line: &Line| line.points.iter().map(|point| point[1]));
    let (least, most) = (all().fold(f64::INFINITY, f64::min), all().fold(0.0, f64::max));
    let axes = [
        Axis::new("tokens", Scale::Log, [LENGTHS[0] as f64, LENGTHS[LENGTHS.len() - 1] as f64]),
        Axis::new("gigabytes in bf16", Scale::Log, [least * 0.8, most * 1.25]),
    ];
    let about = "Gigabytes that keys and values, or latents, of a text take in bf16, over its length.";
    Ok(Memory { chart: Chart::new("cache", "Cache over tokens", about, axes, lines), rows: rows(library) })
}

fn rows(library: &Library) -> Vec<Row> {
    let mut rows = Vec::new();
    for family in library.families() {
        for size in &family.sizes {
            let Ok(architecture) = family.resolve(&size.config, &[]) else { continue };
            let numbers = [
                architecture.plan().parameters(),
                cache_of_thousand(&architecture),
                architecture.state_bytes(),
            ];
            rows.push(Row {
                family: family.name.clone(),
                size: size.name.clone(),
                numbers: numbers.into_iter().map(|number| (number, thousands(number))).collect(),
            });
        }
    }
    rows
}
