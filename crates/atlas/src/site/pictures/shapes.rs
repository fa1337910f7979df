//! Activations that the families use, and caps of scores and logits.

use std::collections::BTreeMap;

use camelid_attention::softcap;
use camelid_families::Library;
use camelid_kernels::{Backend, Isa};
use camelid_mlp::Activation;
use serde::Serialize;

use crate::Error;
use crate::site::chart::{Axis, Chart, Line, Scale};

/// Activations and caps.
#[derive(Debug, Serialize)]
pub(crate) struct Shapes {
    activations: Chart,
    /// Which families use which.
    users: Vec<(String, Vec<String>)>,
    caps: Chart,
    cap_users: Vec<(String, Vec<String>)>,
}

/// What the declarations use, and nothing else.
pub(crate) fn shapes(library: &Library) -> Result<Shapes, Error> {
    // The same bits on every machine.
    let backend = Backend::serial();
    let backend = backend.with_isa(Isa::Portable).unwrap_or(backend);
    let mut activations: BTreeMap<String, (Activation, Vec<String>)> = BTreeMap::new();
    let mut caps: BTreeMap<u64, Vec<String>> = BTreeMap::new();
    for family in library.families() {
        let Some(size) = family.sizes.first() else { continue };
        let Ok(architecture) = family.resolve(&size.config, &[]) else { continue };
        let Some(layer) = architecture.layers.first() else { continue };
        let activation = layer.mlp.activation;
        let name = serde_json::to_value(activation).unwrap_or_default();
        let name = name.as_str().unwrap_or_default().to_owned();
        activations.entry(name).or_insert((activation, Vec::new())).1.push(family.name.clone());
        for (what, cap) in [("scores", layer.attention.softcap), ("logits", architecture.output.softcap)] {
            if let Some(cap) = cap {
                caps.entry(cap.to_bits()).or_default().push(format!("{} ({what})", family.name));
            }
        }
    }
    let lines = activations.iter().map(|(name, (activation, _))| Line {
        name: name.clone(),
        points: over(-40..=40, 0.1, |x| activation.apply(x, &backend)),
    });
    let activations_chart = Chart::new(
        "activations",
        "Activations",
        "The function between the two halves of an MLP, for inputs from −4 to 4.",
        [Axis::new("x", Scale::Linear, [-4.0, 4.0]), Axis::new("act(x)", Scale::Linear, [-0.5, 4.0])],
        lines.collect(),
    );
    let lines = caps.keys().map(|bits| {
        let cap = f64::from_bits(*bits);
        Line { name: format!("cap {cap}"), points: over(-40..=40, 5.0, |x| softcap(x, cap as f32, &backend)) }
    });
    let caps_chart = Chart::new(
        "caps",
        "Caps",
        "cap · tanh(x / cap): scores and logits stay within the cap, and small ones as they are.",
        [Axis::new("x", Scale::Linear, [-200.0, 200.0]), Axis::new("capped", Scale::Linear, [-60.0, 60.0])],
        lines.collect(),
    );
    Ok(Shapes {
        users: activations.into_iter().map(|(name, (_, users))| (name, users)).collect(),
        activations: activations_chart,
        cap_users: caps
            .into_iter()
            .map(|(bits, users)| (format!("{}", f64::from_bits(bits)), users))
            .collect(),
        caps: caps_chart,
    })
}

fn over(steps: std::ops::RangeInclusive<i32>, step: f64, apply: impl Fn(&mut [f32])) -> Vec<[f64; 2]> {
    let inputs: Vec<f64> = steps.map(|n| f64::from(n) * step).collect();
    let mut values: Vec<f32> = inputs.iter().map(|x| *x as f32).collect();
    apply(&mut values);
    // Three decimals: what the eye can see, and more than any rounding moves.
    let rounded = |value: f32| (f64::from(value) * 1e3).round() / 1e3;
    inputs.into_iter().zip(values).map(|(x, value)| [(x * 1e3).round() / 1e3, rounded(value)]).collect()
}
