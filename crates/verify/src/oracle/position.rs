//! How a place is told: places on each axis, rotary frequencies and turns, slopes.

use camelid_families::{Architecture, Layer, Length, Rest, Rope, Round};
use serde_json::Value as Json;

use super::sight::{Quirk, Sight};
use super::tensors::wrong;
use crate::error::Error;

const TAU: f64 = std::f64::consts::TAU;

/// What a turn and a share of heads take for granted.
pub(crate) fn check(architecture: &Architecture, layer: &Layer) -> Result<(), Error> {
    let attention = &layer.attention;
    if attention.kv_heads == 0 || !attention.heads.is_multiple_of(attention.kv_heads) {
        return Err(wrong(format!("{} heads over {} kv heads", attention.heads, attention.kv_heads)));
    }
    let Some(rope) = &layer.rope else { return Ok(()) };
    let turning = pairs_of(rope, layer.turning_dim());
    let fits = (1..=layer.turning_dim()).contains(&turning) && (1..=2).contains(&rope.axes);
    if !fits || !turning.is_multiple_of(2 * rope.axes) || (rope.axes == 2 && architecture.prefix.is_none()) {
        return Err(wrong(format!("{turning} features turn on {} axes", rope.axes)));
    }
    Ok(())
}

/// How many features of a head the pairs are made of.
fn pairs_of(rope: &Rope, head_dim: usize) -> usize {
    match rope.rest {
        Rest::Trailing => (head_dim as f64 * rope.fraction).floor() as usize,
        Rest::Slowest => head_dim,
    }
}

/// Where the two-way prefix ends; and the places of every token on both axes.
pub(crate) fn places(architecture: &Architecture, ids: &[u32], axes: usize) -> (usize, [Vec<usize>; 2]) {
    let count = 0..ids.len();
    let Some(rule) = &architecture.prefix else { return (0, [count.collect(), Vec::new()]) };
    let find = |wanted: u32| ids.iter().position(|id| *id == wanted);
    let end = find(rule.until).unwrap_or(ids.len());
    let hold = rule.hold.iter().find_map(|id| find(*id)).unwrap_or(end);
    let one = count.clone().map(|i| if axes == 1 || i < end { i } else { hold }).collect();
    (end, [one, count.map(|i| (i + 1).saturating_sub(end)).collect()])
}

/// Radians a token for each pair of one axis, and what turned features are multiplied by; `sight` is the text's length.
pub(crate) fn frequencies(
    rope: &Rope,
    head_dim: usize,
    sight: usize,
    quirk: Quirk,
) -> Result<(Vec<f64>, f64), Error> {
    let turning = pairs_of(rope, head_dim) / rope.axes;
    let (d, length) = (turning as f64, sight as f64);
    let base =
        |theta: f64| (0..turning / 2).map(move |p| theta.powf(-2.0 * p as f64 / d)).collect::<Vec<f64>>();
    let table = serde_json::to_value(&rope.scaling).unwrap_or_default();
    let number = |key: &str| table.get(key).and_then(Json::as_f64);
    let factor = number("factor").unwrap_or(1.0);
    let trained =
        number("original_max_position_embeddings").or(rope.context.map(|n| n as f64)).unwrap_or(1.0);
    let stretched = |a: f64| base(rope.theta * a.powf(d / (d - 2.0)));
    let (inverse, size) = match table.get("rope_type").and_then(Json::as_str).unwrap_or("default") {
        "default" => (base(rope.theta), 1.0),
        "linear" => (base(rope.theta).into_iter().map(|f| f / factor).collect(), 1.0),
        "dynamic" if length > trained => (stretched(factor * length / trained - (factor - 1.0)), 1.0),
        "dynamic" => (base(rope.theta), 1.0),
        "stepped" => {
            let a = 2f64.powf((length / trained).log2().ceil() + 1.0) - 1.0;
            (stretched(a.max(1.0)), 1.0)
        }
        "llama3" => {
            let (low, high) =
                (number("low_freq_factor").unwrap_or(1.0), number("high_freq_factor").unwrap_or(4.0));
            let band = |f: f64| match TAU / f {
                wave if wave < trained / high => f,
                wave if wave > trained / low => f / factor,
                wave => {
                    let smooth = (trained / wave - low) / (high - low);
                    (1.0 - smooth) * f / factor + smooth * f
                }
            };
            (base(rope.theta).into_iter().map(band).collect(), 1.0)
        }
        "yarn" => {
            let inverse = yarn(&table, base(rope.theta), rope.theta, d, [trained, factor], quirk);
            (inverse, yarn_size(&table, factor))
        }
        "longrope" => {
            let key = if length > trained { "long_factor" } else { "short_factor" };
            let list: Vec<f64> =
                table[key].as_array().into_iter().flatten().filter_map(Json::as_f64).collect();
            let factor = number("factor").unwrap_or(rope.context.map_or(1.0, |n| n as f64) / trained);
            let grown = if factor > 1.0 { (1.0 + factor.ln() / trained.ln()).sqrt() } else { 1.0 };
            let inverse = base(rope.theta).into_iter().zip(list).map(|(f, by)| f / by).collect();
            (inverse, number("attention_factor").unwrap_or(grown))
        }
        other => return Err(wrong(format!("rope_type `{other}`"))),
    };
    let rounded = |f: f64| match rope.round {
        Some(Round::F16) => half::f16::from_f32(f as f32).to_f64(),
        None => f,
    };
    let stays = |pair: usize| {
        rope.rest == Rest::Slowest && 2 * (pair + 1) > (head_dim as f64 * rope.fraction) as usize
    };
    let turned = inverse.into_iter().enumerate().map(|(pair, f)| if stays(pair) { 0.0 } else { rounded(f) });
    Ok((turned.collect(), size))
}

/// Fast pairs keep their frequency, slow ones are divided by the factor, a straight line between.
fn yarn(
    table: &Json,
    plain: Vec<f64>,
    theta: f64,
    d: f64,
    [trained, factor]: [f64; 2],
    quirk: Quirk,
) -> Vec<f64> {
    let number = |key: &str, or: f64| table[key].as_f64().unwrap_or(or);
    let pair = |turns: f64| d * (trained / (turns * TAU)).ln() / (2.0 * theta.ln());
    let (mut low, mut high) = (pair(number("beta_fast", 32.0)), pair(number("beta_slow", 1.0)));
    if table["truncate"].as_bool().unwrap_or(true) {
        (low, high) = (low.floor(), high.ceil());
    }
    (low, high) = (low.max(0.0), high.min(d - 1.0));
    if low == high {
        high += 0.001;
    }
    let slow = |p: usize| {
        let slow = ((p as f64 - low) / (high - low)).clamp(0.0, 1.0);
        if quirk == Quirk::RampReversed { 1.0 - slow } else { slow }
    };
    plain.into_iter().enumerate().map(|(p, f)| f / factor * slow(p) + f * (1.0 - slow(p))).collect()
}

fn yarn_size(table: &Json, factor: f64) -> f64 {
    let number = |key: &str| table[key].as_f64().filter(|x| *x != 0.0);
    let grown = |m: f64| if factor > 1.0 { 0.1 * m * factor.ln() + 1.0 } else { 1.0 };
    let ratio = number("mscale").zip(number("mscale_all_dim")).map(|(m, all)| grown(m) / grown(all));
    number("attention_factor").or(ratio).unwrap_or_else(|| grown(1.0))
}

/// The length that the frequencies of a token follow.
pub(crate) fn length(rope: &Rope, sight: &Sight, token: usize) -> usize {
    match rope.length {
        Length::Current => sight.0[token],
        Length::First => sight.0[0],
    }
}

/// Turns the leading features of a head, or of one half of it, to a place.
pub(crate) fn turn(x: &mut [f64], way: f64, pairing: &str, (inverse, size): &(Vec<f64>, f64), place: usize) {
    for (p, f) in inverse.iter().enumerate() {
        let (a, b) = if pairing == "half" { (p, p + inverse.len()) } else { (2 * p, 2 * p + 1) };
        let (sin, cos) = (way * place as f64 * f).sin_cos();
        (x[a], x[b]) = (size * (x[a] * cos - x[b] * sin), size * (x[b] * cos + x[a] * sin));
    }
}

/// ALiBi's slope of a head.
pub(crate) fn slope(head: usize, heads: usize) -> f64 {
    let mut lower = 1;
    while 2 * lower <= heads {
        lower *= 2;
    }
    let steps = if head < lower { (head + 1) as f64 } else { (head - lower) as f64 + 0.5 };
    2f64.powf(-8.0 * steps / lower as f64)
}
