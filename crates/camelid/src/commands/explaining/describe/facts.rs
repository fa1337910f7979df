//! What follows from a model's words, in numbers: what a query sees, how places are told, how text is read.

use camelid_atlas::{Band, Change, Seen, Side, Sight, Text, Turns, places, sights, significant, text, turns};
use camelid_families::Position;
use serde_json::Value as Json;

use crate::commands::output::style::{bold, dim};
use crate::commands::output::values::{shortened, thousands};

/// Which keys the last of so many tokens sees.
pub(super) fn sees(side: &Side, tokens: usize) -> anyhow::Result<String> {
    let at = tokens.saturating_sub(1);
    let about = format!("at place {}, the first being 0", thousands(at as u64));
    let mut out = format!("\n{} {}\n", bold("what a query sees"), dim(about));
    let sights = sights(&side.architecture, at).map_err(anyhow::Error::msg)?;
    out.extend(sights.iter().map(sight));
    if let Some(prefix) = &side.architecture.prefix {
        out += &format!("  the tokens before the first id {} see one another both ways\n", prefix.until);
    }
    Ok(out)
}

/// Rotary frequencies and slopes, where so many tokens are in sight.
pub(super) fn places_told(side: &Side, tokens: usize) -> anyhow::Result<String> {
    let mut out = format!("\n{}\n", bold("how places are told"));
    let turns = turns(&side.architecture, tokens).map_err(anyhow::Error::msg)?;
    out.extend(turns.iter().map(turn));
    out.extend(slopes(side).iter().map(|(layers, slopes)| slope(layers, slopes)));
    let untold = untold(side);
    if !untold.is_empty() {
        out += &format!("  {}: not at all\n", layers(&untold));
    }
    Ok(out)
}

/// How text is read.
pub(super) fn read(side: &Side) -> anyhow::Result<String> {
    Ok(format!("\n{}\n{}", bold("text"), told(&text(&side.family, &side.config)?)))
}

/// The facts for machines.
pub(super) fn json(side: &Side, tokens: usize) -> anyhow::Result<Json> {
    let at = tokens.saturating_sub(1);
    let slopes: Vec<Json> = slopes(side)
        .into_iter()
        .map(|(layers, slopes)| serde_json::json!({ "layers": layers, "slopes": slopes }))
        .collect();
    Ok(serde_json::json!({
        "sees": { "at": at, "layers": sights(&side.architecture, at).map_err(anyhow::Error::msg)? },
        "turns": turns(&side.architecture, tokens).map_err(anyhow::Error::msg)?,
        "slopes": slopes,
        "text": text(&side.family, &side.config)?,
    }))
}

fn layers(at: &[usize]) -> String {
    format!("{} {}", if at.len() == 1 { "layer" } else { "layers" }, places(at))
}

fn sight(sight: &Sight) -> String {
    let run = |seen: &Seen| {
        let [first, last, keys] = [seen.first, seen.last, seen.keys()].map(|n| thousands(n as u64));
        let from = seen.from.map(|from| format!(", from place {}", thousands(from as u64)));
        format!("keys {first} to {last} ({keys} of them{})", from.unwrap_or_default())
    };
    let runs: Vec<_> = sight.runs.iter().map(run).collect();
    let runs = if runs.is_empty() { String::new() } else { format!(": {}", runs.join("; ")) };
    format!("  {}: {}{runs}\n", layers(&sight.layers), sight.rule)
}

/// Layers with a bias that falls with distance, and the slope of each head.
fn slopes(side: &Side) -> Vec<(Vec<usize>, Vec<f32>)> {
    let mut out: Vec<(Vec<usize>, Vec<f32>)> = Vec::new();
    for (index, layer) in side.architecture.layers.iter().enumerate() {
        if layer.delta.is_some() || layer.attention.position != Position::Alibi {
            continue;
        }
        let slopes = camelid_alibi::slopes(layer.attention.heads);
        match out.iter_mut().find(|(_, known)| *known == slopes) {
            Some((layers, _)) => layers.push(index),
            None => out.push((vec![index], slopes)),
        }
    }
    out
}

fn slope(at: &[usize], slopes: &[f32]) -> String {
    let said: Vec<_> = slopes.iter().map(|slope| significant(f64::from(*slope), 4)).collect();
    format!(
        "  {}: no rotary turn; a score falls with distance, by head\n    {}\n",
        layers(at),
        said.join(", ")
    )
}

/// Layers that attend and tell no place.
fn untold(side: &Side) -> Vec<usize> {
    let layers = side.architecture.layers.iter().enumerate();
    let none =
        layers.filter(|(_, layer)| layer.delta.is_none() && layer.attention.position == Position::None);
    none.map(|(index, _)| index).collect()
}

fn turn(turns: &Turns) -> String {
    let pairs = turns.inverse.len();
    let mut out = format!(
        "  {}: {pairs} pairs turn, of {} features; theta {}\n",
        layers(&turns.layers),
        turns.head_dim,
        significant(turns.theta, 7)
    );
    if let Some(length) = turns.length {
        out += &format!("    for a text of {} tokens\n", thousands(length as u64));
    }
    let mut shown: Vec<usize> = (0..5).map(|part| part * pairs.saturating_sub(1) / 4).collect();
    shown.dedup();
    for pair in shown {
        let once = turns
            .wavelength(pair)
            .map_or_else(|| "stays".into(), |tokens| format!("once in {} tokens", significant(tokens, 4)));
        let radians = turns.inverse.get(pair).copied().unwrap_or_default();
        out += &format!("    pair {pair:<4} {:<10} radians a token, {once}\n", significant(radians, 4));
    }
    if turns.bands.iter().any(|band| band.change != Change::Kept) {
        let said: Vec<_> = turns.bands.iter().map(band).collect();
        out += &format!("    scaling: {}\n", said.join("; "));
    }
    if turns.factor != 1.0 {
        out += &format!("    cosines and sines are multiplied by {}\n", significant(turns.factor, 6));
    }
    out
}

fn band(band: &Band) -> String {
    let pairs = match (band.first, band.last) {
        (first, last) if first == last => format!("pair {first}"),
        (first, last) => format!("pairs {first}–{last}"),
    };
    match band.change {
        Change::Kept => format!("{pairs} keep their speed"),
        Change::Still => format!("{pairs} stay"),
        Change::Divided(by) => format!("{pairs} are slowed by {}", significant(by, 4)),
        Change::Blended(from, to) => {
            format!("{pairs} are blended, slowed by {} to {}", significant(from, 4), significant(to, 4))
        }
    }
}

fn told(text: &Text) -> String {
    let names = |names: &Option<Vec<String>>| match names.as_deref() {
        None => "as the file says".to_owned(),
        Some([]) => "nothing".to_owned(),
        Some(names) => names.join(" "),
    };
    let files: Vec<_> = text.files.iter().map(|(name, kind)| format!("{name} ({kind})")).collect();
    let mut out = format!("  vocabulary   {}\n", files.join(", "));
    if !text.special.is_empty() {
        let special: Vec<_> = text.special.iter().map(|(name, id)| format!("{name} {id}")).collect();
        out += &format!("  special      {}\n", shortened(&special.join(", ")));
    }
    out += &format!("  before       {}\n", names(&text.prefix));
    out += &format!("  after        {}\n", names(&text.suffix));
    out += &format!("  ends at      {}\n", names(&text.stop));
    match &text.conversation {
        Some(said) => out += &format!("  a question   {said:?}\n"),
        None => out += "  a question   as the checkpoint's own chat template writes it\n",
    }
    if !text.stop_turn.is_empty() {
        out += &format!("  a turn ends  {}\n", text.stop_turn.join(" "));
    }
    out
}
