//! Rotary frequencies over pairs, and what is left of a score over distance.

use camelid_families::Library;
use camelid_rope::{Frequencies, Table};
use serde::Serialize;

use crate::Error;
use crate::facts::said::{places, significant, thousands};
use crate::facts::turns::{Change, Turns, turns};
use crate::site::chart::{Axis, Chart, Line, Scale};
use crate::site::pictures::examples::Example;

/// One example: its frequencies, and what becomes of a distance.
#[derive(Debug, Serialize)]
pub(crate) struct Turning {
    title: String,
    family: String,
    layers: String,
    /// The length of text that the frequencies are for, where they depend on it.
    length: Option<String>,
    note: String,
    bands: Vec<String>,
    factor: String,
    speeds: Chart,
    distances: Chart,
}

/// Each kind of turn of each example.
pub(crate) fn turning(library: &Library, examples: &[Example]) -> Result<Vec<Turning>, Error> {
    let mut out = Vec::new();
    for example in examples {
        let side = example.side(library)?;
        let first = example.tokens.unwrap_or(side.context());
        for tokens in std::iter::once(first).chain(example.longer.iter().copied()) {
            for turns in turns(&side.architecture, tokens).map_err(Error::Site)? {
                out.push(one(example, &side.family.name, &turns, tokens, out.len()));
            }
        }
    }
    Ok(out)
}

fn one(example: &Example, family: &str, turns: &Turns, tokens: usize, id: usize) -> Turning {
    Turning {
        title: example.title.clone(),
        family: family.to_owned(),
        layers: places(&turns.layers),
        length: turns.length.map(|length| thousands(length as u64)),
        note: example.note.clone(),
        bands: turns.bands.iter().map(|band| said(band.first, band.last, band.change)).collect(),
        factor: significant(turns.factor, 6),
        speeds: speeds(&format!("speeds-{id}"), turns),
        distances: distances(&format!("distances-{id}"), turns, tokens),
    }
}

fn said(first: usize, last: usize, change: Change) -> String {
    let pairs = if first == last { format!("pair {first}") } else { format!("pairs {first} to {last}") };
    match change {
        Change::Kept => format!("{pairs}: as without a scaling"),
        Change::Still => format!("{pairs}: do not turn"),
        Change::Divided(by) | Change::Blended(by, _) if first == last => {
            format!("{pairs}: slowed by {}", significant(by, 4))
        }
        Change::Divided(by) => format!("{pairs}: slowed by {}", significant(by, 4)),
        Change::Blended(from, to) => {
            format!("{pairs}: slowed by {} to {}", significant(from, 4), significant(to, 4))
        }
    }
}

fn speeds(id: &str, turns: &Turns) -> Chart {
    let line = |name: &str, speeds: &[f64]| Line {
        name: name.into(),
        points: speeds.iter().enumerate().map(|(pair, f)| [pair as f64, *f]).collect(),
    };
    let mut lines = vec![line("as declared", &turns.inverse)];
    if turns.inverse != turns.plain {
        lines.push(line("without a scaling", &turns.plain));
    }
    let slowest = turns.inverse.iter().chain(&turns.plain).copied().filter(|f| *f > 0.0);
    let least = slowest.fold(1.0, f64::min);
    let axes = [
        Axis::new("pair of features", Scale::Linear, [0.0, (turns.inverse.len() - 1).max(1) as f64]),
        Axis::new("radians a token", Scale::Log, [least * 0.8, 1.25]),
    ];
    let about = "How fast each pair of features turns, from the fastest on the left to the slowest.";
    Chart::new(id, "Speed of each pair", about, axes, lines)
}

/// The score of a query of ones and a key of ones, so far apart, over that of no distance without a scaling.
fn distances(id: &str, turns: &Turns, tokens: usize) -> Chart {
    let most = tokens.max(64);
    let mut places = vec![1, 2, 3, 4, 6, 8, 11];
    let mut next = 16.0_f64;
    while (next as usize) < most {
        places.push(next as usize);
        next *= 1.5;
    }
    places.push(most);
    let line = |name: &str, inverse: &[f64], factor: f64| {
        let table = Table::new(&Frequencies { inverse: inverse.to_vec(), factor }, &places);
        let left = |token: usize| {
            let (cos, _) = table.row(token);
            let sum: f64 = cos.iter().map(|cos| f64::from(*cos)).sum();
            sum * factor / cos.len() as f64
        };
        let points = places.iter().enumerate().map(|(token, place)| [*place as f64, left(token)]);
        Line { name: name.into(), points: points.collect() }
    };
    let mut lines = vec![line("as declared", &turns.inverse, turns.factor)];
    if turns.inverse != turns.plain {
        lines.push(line("without a scaling", &turns.plain, 1.0));
    }
    let axes = [
        Axis::new("distance in tokens", Scale::Log, [1.0, most as f64]),
        Axis::new("share of the score", Scale::Linear, [-0.4, 1.4]),
    ];
    let about =
        "What is left of the score of a query and a key whose features are all equal, as they move apart.";
    Chart::new(id, "What becomes of a distance", about, axes, lines)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::site::pictures::examples::Examples;

    #[test]
    fn every_scaling_of_the_schema_is_shown() {
        let library = Library::built_in().unwrap();
        let mut shown = BTreeSet::new();
        for example in Examples::read().unwrap().turn {
            let layers = example.side(&library).unwrap().architecture.layers;
            for scaling in
                layers.iter().map(|layer| layer.rope.as_ref().and_then(|rope| rope.scaling.as_ref()))
            {
                let table = serde_json::to_value(scaling).unwrap();
                shown.insert(table["rope_type"].as_str().unwrap_or("default").to_owned());
            }
        }
        // `rope_type` (`default`, `linear`, …) stands in the word's own text.
        let word =
            camelid_families::words().iter().find(|word| word.table == "rope" && word.key == "scaling");
        let (_, kinds) = word.unwrap().meaning.split_once("`rope_type` (").unwrap();
        let kinds =
            kinds.split_once(')').unwrap().0.split(", ").map(|kind| kind.trim_matches('`').to_owned());
        assert_eq!(shown, kinds.collect());
    }
}
