//! ALiBi: the slope of each head, and what it leaves of attention over distance.

use camelid_families::{Library, Position};
use serde::Serialize;

use crate::Error;
use crate::site::chart::{Axis, Chart, Line, Scale};
use crate::site::pictures::examples::Example;

/// One example.
#[derive(Debug, Serialize)]
pub(crate) struct Slopes {
    title: String,
    family: String,
    note: String,
    heads: Chart,
    left: Chart,
}

/// Each example that has slopes.
pub(crate) fn slopes(library: &Library, examples: &[Example]) -> Result<Vec<Slopes>, Error> {
    let mut out = Vec::new();
    for example in examples {
        let side = example.side(library)?;
        let attention = side.architecture.layers.first().map(|layer| &layer.attention);
        let Some(attention) = attention.filter(|attention| attention.position == Position::Alibi) else {
            return Err(Error::Site(format!("{} has no slopes", side.name())));
        };
        let slopes = camelid_alibi::slopes(attention.heads);
        out.push(Slopes {
            title: example.title.clone(),
            family: side.family.name.clone(),
            note: example.note.clone(),
            heads: heads(&format!("slopes-{}", out.len()), &slopes),
            left: left(&format!("left-{}", out.len()), &slopes),
        });
    }
    Ok(out)
}

fn heads(id: &str, slopes: &[f32]) -> Chart {
    let points = slopes.iter().enumerate().map(|(head, slope)| [head as f64, f64::from(*slope)]).collect();
    let least = slopes.iter().copied().fold(1.0, f32::min);
    let axes = [
        Axis::new("head", Scale::Linear, [0.0, (slopes.len() - 1).max(1) as f64]),
        Axis::new("slope", Scale::Log, [f64::from(least) * 0.8, 1.0]),
    ];
    let about = "The slope of each head: how much a score loses with each token of distance.";
    Chart::new(id, "Slope of each head", about, axes, vec![Line { name: "slope".into(), points }])
}

/// e^bias: what a key so far back keeps of the weight that an equal key at the query's own place has.
fn left(id: &str, slopes: &[f32]) -> Chart {
    const FARTHEST: usize = 4096;
    let places: Vec<usize> =
        std::iter::once(0).chain((0..=24).map(|n| 2_f64.powf(f64::from(n) / 2.0) as usize)).collect();
    let mut places = places;
    places.dedup();
    let mut order: Vec<usize> = (0..slopes.len()).collect();
    order.sort_by(|a, b| slopes[*b].total_cmp(&slopes[*a]));
    let picked = (0..5).map(|part| order[part * (order.len() - 1) / 4]);
    let line = |head: usize| Line {
        name: format!("head {head}"),
        points: places
            .iter()
            .map(|far| {
                [*far as f64, f64::from(camelid_alibi::bias(slopes[head], FARTHEST, FARTHEST - far)).exp()]
            })
            .filter(|point| point[0] > 0.0)
            .collect(),
    };
    let axes = [
        Axis::new("distance in tokens", Scale::Log, [1.0, FARTHEST as f64]),
        Axis::new("share of the weight", Scale::Linear, [0.0, 1.0]),
    ];
    let about = "What is left of a key's weight as it lies farther back, for five heads from the steepest to the flattest.";
    Chart::new(id, "What a slope leaves", about, axes, picked.map(line).collect())
}
