//! The first stage that differs: which tokens and heads, and how it is told.

use camelid_families::{Architecture, Stage, Tap};
use ndarray::{ArrayView2, Axis, Slice};

use super::bench::Place;
use super::search::Found;
use super::stage::{LIMIT, Ours, Shows, last_rows};
use super::verdict::{FirstDivergence, Heat, StageReport};
use crate::told::{Spread, stage_name};

/// So many columns a picture of a stage without heads has at most.
const COLUMNS: usize = 32;

/// What the port shows at a stage, and ours.
pub(super) fn pair<'a>(
    tap: Option<Tap>,
    shows: &'a Shows,
    ours: &'a Ours,
) -> Option<(ArrayView2<'a, f32>, ArrayView2<'a, f32>)> {
    let (theirs, ours) = match tap {
        Some(tap) => (shows.taps.get(&tap)?, ours.taps.get(&tap)?),
        None => (shows.logits.as_ref()?, ours.logits.as_ref()?),
    };
    Some((theirs.view(), last_rows(ours.view(), theirs.nrows())))
}

/// The tokens of a stage that differ by more than its limit.
fn spread(shows: &Shows, plain: &Ours, stage: &StageReport, heads: Option<usize>) -> Option<(Spread, usize)> {
    let (theirs, exact) = pair(stage.tap, shows, plain)?;
    let skipped = shows.ids.len() - theirs.nrows();
    let (theirs, exact) = (theirs.mapv(f64::from), exact.mapv(f64::from));
    let size = (exact.iter().map(|x| x * x).sum::<f64>() / exact.len().max(1) as f64).sqrt();
    let most = exact.iter().fold(0f64, |most, x| most.max(x.abs()));
    let tolerance = if most > 0.0 { 4.0 * LIMIT * stage.floor * size / most } else { 0.0 };
    let heads = heads.filter(|heads| *heads > 0 && exact.ncols().is_multiple_of(*heads));
    let spread = match heads {
        Some(heads) => Spread::of_heads(theirs.view(), exact.view(), tolerance, heads),
        None => Spread::of(theirs.view(), exact.view(), tolerance),
    };
    Some((spread, skipped))
}

pub(super) fn differing(shows: &Shows, plain: &Ours, stage: &StageReport) -> Vec<usize> {
    spread(shows, plain, stage, None)
        .map(|(spread, skipped)| spread.tokens.iter().map(|token| token + skipped).collect())
        .unwrap_or_default()
}

pub(super) fn divergence(
    shows: &Shows,
    plain: &Ours,
    stage: &StageReport,
    heads: Option<usize>,
) -> FirstDivergence {
    let (tokens, heads) = spread(shows, plain, stage, heads)
        .map_or((String::new(), None), |(spread, _)| (spread.words(), spread.heads));
    let place = place(stage);
    let sentence = match stage.residual {
        None => format!("your port's {place} holds numbers that are not finite ({tokens})"),
        Some(apart) => format!(
            "your port differs first at {place} ({tokens}): by {apart:.1e} of its size, where its precision does {:.1e}",
            stage.floor
        ),
    };
    FirstDivergence {
        layer: stage.layer,
        stage: branch(stage.tap).to_owned(),
        within: stage.stage.clone(),
        tokens,
        heads: heads.map(|(which, _)| which),
        causes: Vec::new(),
        sentence,
        tried: 0,
    }
}

/// How many heads a stage lies in, side by side.
pub(super) fn heads(tap: Option<Tap>, declared: &Architecture) -> Option<usize> {
    let Tap { layer: Some(layer), stage } = tap? else { return None };
    let attention = &declared.layers.get(layer)?.attention;
    match stage {
        Stage::Query | Stage::Heads => Some(attention.heads),
        Stage::Key | Stage::Value => Some(attention.kv_heads),
        _ => None,
    }
}

/// The stage of the cases that a finer one belongs to.
fn branch(tap: Option<Tap>) -> &'static str {
    let Some(tap) = tap else { return "logits" };
    match tap.stage {
        Stage::AttentionInput | Stage::Query | Stage::Key | Stage::Value | Stage::Heads => {
            stage_name(Stage::AttentionOutput)
        }
        Stage::MlpInput | Stage::Experts | Stage::ExpertWeights => stage_name(Stage::MlpOutput),
        Stage::Embedding | Stage::AttentionOutput | Stage::MlpOutput | Stage::Layer | Stage::FinalNorm => {
            stage_name(tap.stage)
        }
    }
}

fn place(stage: &StageReport) -> String {
    stage.layer.map_or_else(|| stage.stage.clone(), |layer| format!("{} of layer {layer}", stage.stage))
}

pub(super) fn sentence(place: &Place<'_>, found: &Found, told: &FirstDivergence) -> String {
    let before = |index: usize| match index.checked_sub(1) {
        Some(before) if found.joined => &found.changes[before].architecture,
        Some(_) | None => place.declared,
    };
    let several = found.changes.iter().enumerate();
    let changes: Vec<String> = several.map(|(index, change)| change.against(before(index), "were")).collect();
    match changes.as_slice() {
        [] => format!("{}; none of the {} changes tried explains it", told.sentence, found.tried),
        many => {
            let rest = match found.left {
                0 => String::new(),
                1 => "; with that, one other stage still differs".to_owned(),
                left => format!("; with that, {left} other stages still differ"),
            };
            if found.joined {
                return format!("your port computes as if {}{rest}", many.join("; and "));
            }
            let noun = if many.len() > 1 { " (nothing in this dump tells these apart)" } else { "" };
            format!("your port computes as if {}{noun}{rest}", many.join(", or "))
        }
    }
}

/// Where in a stage the difference is: for each token and each head, RMS (port − ours) over RMS of all of ours. A stage that has
/// no heads is cut into runs of features.
pub(super) fn heat(shows: &Shows, plain: &Ours, stage: &StageReport, heads: Option<usize>) -> Option<Heat> {
    let (theirs, exact) = pair(stage.tap, shows, plain)?;
    let features = exact.ncols();
    let is_whole = |count: &usize| *count > 0 && features.is_multiple_of(*count);
    let heads = heads.filter(is_whole);
    let columns = heads.or_else(|| (1..=COLUMNS.min(features)).rev().find(is_whole))?;
    let wide = features / columns;
    let rms = |values: &mut dyn Iterator<Item = f64>| {
        let (sum, count) = values.fold((0.0, 0usize), |(sum, count), x| (sum + x * x, count + 1));
        (sum / count.max(1) as f64).sqrt()
    };
    let size = rms(&mut exact.iter().map(|x| f64::from(*x)));
    let cell = |row: usize, column: usize| {
        let part = Slice::from(column * wide..(column + 1) * wide);
        let of = |table: &ArrayView2<'_, f32>| table.row(row).slice_axis(Axis(0), part).to_owned();
        let (theirs, exact) = (of(&theirs), of(&exact));
        let apart = rms(&mut theirs.iter().zip(&exact).map(|(a, b)| f64::from(*a) - f64::from(*b)));
        if size > 0.0 { apart / size } else { apart }
    };
    let rows = (0..theirs.nrows()).map(|row| (0..columns).map(|column| cell(row, column)).collect());
    Some(Heat {
        first_token: shows.ids.len() - theirs.nrows(),
        features: if heads.is_some() { None } else { Some(wide) },
        rows: rows.collect(),
    })
}
