//! The door: read what the port shows, judge every stage, look for the cause of the first that differs.

use camelid_checkpoint::Checkpoint;
use camelid_families::{Backend, Model, Stage, Tap};
use ndarray::{Array2, ArrayView2};
use serde_json::{Map, Value as Json};

use super::dump::Dump;
use super::names::Names;
use super::precision::Precision;
use super::search::{Aim, Found, Place};
use super::stage::{Ours, Shows, last_rows, ours, residual};
use super::verdict::{FirstDivergence, StageReport, TraceReport, Verdict};
use crate::error::Error;
use crate::told::{Spread, stage_name};

/// A stage differs where it is further away than so many times what its precision does.
const LIMIT: f64 = 2.0;
/// A model of so many layers is looked at whole when causes are told apart; of a deeper one, a few layers.
const SHALLOW: usize = 6;

/// A port's dump beside the model that it should be.
#[derive(Debug)]
pub struct Port<'a> {
    /// The model.
    pub model: &'a Model,
    /// The checkpoint's config.json.
    pub config: &'a Map<String, Json>,
    /// Its tensors.
    pub checkpoint: &'a Checkpoint,
    /// The dump.
    pub dump: &'a Dump,
    /// What its names mean, the first that knows one.
    pub names: &'a [Names],
}

/// How far a comparison goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compared {
    /// To the first difference.
    Located,
    /// To its cause.
    Explained,
}

/// Compares a dump, stage by stage from the port's own inputs. `located` hears of the first difference before its cause is
/// looked for.
///
/// # Errors
/// The dump is not of this model or text; a tensor can't be read; the model refuses the text.
pub fn compare_trace(
    port: &Port<'_>,
    precision: Option<Precision>,
    depth: Compared,
    located: &mut dyn FnMut(&TraceReport),
) -> Result<TraceReport, Error> {
    let shows = Shows::read(port.dump, port.names, port.model)?;
    let plain = ours(port.model, &shows, None)?;
    let precision = match precision {
        Some(given) => given,
        None => guessed(port, &shows, &plain)?,
    };
    let rounded_checkpoint = precision.checkpoint(port.checkpoint)?;
    let rounded = match &rounded_checkpoint {
        Some(checkpoint) => ours(&again(port, checkpoint)?, &shows, Some(precision))?,
        None => ours(port.model, &shows, Some(precision))?,
    };
    let fine = ours(port.model, &shows, Some(Precision::F32))?;
    let mut stages: Vec<StageReport> = shows
        .order()
        .into_iter()
        .map(Some)
        .chain(shows.logits.is_some().then_some(None))
        .filter_map(|tap| stage(precision, tap, &shows, [&plain, &rounded, &fine]))
        .collect();
    stages.iter_mut().for_each(|stage| {
        if stage.residual == Some(f64::INFINITY) {
            stage.residual = None;
        }
    });
    let first = stages.iter().position(|stage| stage.verdict == Verdict::Different);
    let mut report = TraceReport {
        verdict: if first.is_some() { "differs" } else { "equal" },
        precision,
        below_precision: first.is_none() && stages.iter().any(|stage| stage.verdict == Verdict::Rounding),
        stages,
        first_divergence: None,
        unmatched: shows.unmatched.clone(),
    };
    let Some(first) = first else { return Ok(report) };
    report.first_divergence = Some(divergence(&shows, &plain, &report.stages[first]));
    located(&report);
    if depth == Compared::Located || report.stages[first].residual.is_none() {
        return Ok(report);
    }
    let checkpoint = rounded_checkpoint.as_ref().unwrap_or(port.checkpoint);
    let place = Place { declared: port.model.architecture(), config: port.config, checkpoint, port: &shows };
    let found = explained(&place, &report.stages, first, &differing(&shows, &plain, &report.stages[first]))?;
    if let Some(told) = &mut report.first_divergence {
        told.tried = found.tried;
        told.causes = found.changes.iter().map(crate::changes::Change::label).collect();
        told.sentence = sentence(&place, &found, told);
    }
    Ok(report)
}

/// The model of the same architecture over other tensors.
fn again(port: &Port<'_>, checkpoint: &Checkpoint) -> Result<Model, Error> {
    let surplus: Vec<String> = checkpoint.tensors().map(|tensor| tensor.name().to_owned()).collect();
    let backend: Backend = port.model.backend().clone();
    Ok(Model::load(port.model.architecture().clone(), checkpoint, backend, &surplus, &mut |_, _| {})?)
}

/// What the values say of themselves: those of half precision have short mantissas; q8_0 shows in the embedding.
fn guessed(port: &Port<'_>, shows: &Shows, plain: &Ours) -> Result<Precision, Error> {
    let values = || shows.taps.values().chain(&shows.logits).flat_map(|value| value.iter().copied());
    let all = |precision: Precision| {
        values().filter(|x| x.is_finite()).all(|x| {
            let mut one = Array2::from_elem((1, 1), x);
            precision.shown(&mut one);
            one[[0, 0]] == x
        })
    };
    if port.checkpoint.tensors().any(|tensor| tensor.dtype().is_quantised()) {
        return Ok(Precision::Q8Products);
    }
    for precision in [Precision::Bf16, Precision::F16] {
        if all(precision) {
            return Ok(precision);
        }
    }
    let embedding = Tap { layer: None, stage: Stage::Embedding };
    let (Some(theirs), Some(exact)) = (shows.taps.get(&embedding), plain.taps.get(&embedding)) else {
        return Ok(Precision::F32);
    };
    let apart = residual(theirs.view(), exact.view());
    if apart > 1e-5
        && let Some(rounded) = Precision::Q8.checkpoint(port.checkpoint)?
    {
        let rounded = ours(&again(port, &rounded)?, shows, Some(Precision::Q8))?;
        if residual(theirs.view(), rounded.taps[&embedding].view()) < apart / 10.0 {
            return Ok(Precision::Q8);
        }
    }
    Ok(Precision::F32)
}

/// What the port shows at a stage, and ours.
fn pair<'a>(
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

fn stage(
    precision: Precision,
    tap: Option<Tap>,
    shows: &Shows,
    [plain, rounded, fine]: [&Ours; 3],
) -> Option<StageReport> {
    let (theirs, exact) = pair(tap, shows, plain)?;
    let apart = residual(theirs, exact);
    let floor_of =
        |other: &Ours| pair(tap, shows, other).map_or(0.0, |(_, rounded)| residual(rounded, exact));
    let least = floor_of(fine);
    let floor = (precision.unseen(tap.map(|tap| tap.stage)) * floor_of(rounded)).max(least);
    let verdict = if apart <= LIMIT * least {
        Verdict::Equal
    } else if apart <= LIMIT * floor {
        Verdict::Rounding
    } else {
        Verdict::Different
    };
    Some(StageReport {
        layer: tap.and_then(|tap| tap.layer),
        stage: tap.map_or("logits", |tap| stage_name(tap.stage)).to_owned(),
        residual: Some(apart),
        floor,
        verdict,
        tap,
    })
}

/// The tokens of a stage that differ by more than its limit.
fn spread(shows: &Shows, plain: &Ours, stage: &StageReport) -> Option<(Spread, usize)> {
    let (theirs, exact) = pair(stage.tap, shows, plain)?;
    let skipped = shows.ids.len() - theirs.nrows();
    let (theirs, exact) = (theirs.mapv(f64::from), exact.mapv(f64::from));
    let size = (exact.iter().map(|x| x * x).sum::<f64>() / exact.len().max(1) as f64).sqrt();
    let most = exact.iter().fold(0f64, |most, x| most.max(x.abs()));
    let tolerance = if most > 0.0 { 4.0 * LIMIT * stage.floor * size / most } else { 0.0 };
    Some((Spread::of(theirs.view(), exact.view(), tolerance), skipped))
}

fn differing(shows: &Shows, plain: &Ours, stage: &StageReport) -> Vec<usize> {
    spread(shows, plain, stage)
        .map(|(spread, skipped)| spread.tokens.iter().map(|token| token + skipped).collect())
        .unwrap_or_default()
}

fn divergence(shows: &Shows, plain: &Ours, stage: &StageReport) -> FirstDivergence {
    let (tokens, heads) = spread(shows, plain, stage)
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

fn explained(
    place: &Place<'_>,
    stages: &[StageReport],
    first: usize,
    tokens: &[usize],
) -> Result<Found, Error> {
    let aim = |stage: &StageReport| Aim {
        tap: stage.tap,
        limit: LIMIT * stage.floor,
        apart: stage.residual.unwrap_or(f64::INFINITY),
    };
    let here = stages[first].layer;
    let deep = place.declared.layers.len() > SHALLOW;
    let near = |stage: &&StageReport| match (stage.layer, here) {
        _ if !deep => true,
        (Some(layer), Some(here)) => layer == here || layer == here + 1,
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    };
    let others: Vec<Aim> = stages
        .iter()
        .enumerate()
        .filter(|(index, stage)| *index != first && stage.residual.is_some())
        .map(|(_, stage)| stage)
        .filter(near)
        .map(aim)
        .collect();
    place.search(aim(&stages[first]), &others, tokens)
}

fn sentence(place: &Place<'_>, found: &Found, told: &FirstDivergence) -> String {
    let changes: Vec<String> =
        found.changes.iter().map(|change| change.against(place.declared, "were")).collect();
    match changes.as_slice() {
        [] => format!("{}; none of the {} changes tried explains it", told.sentence, found.tried),
        many => {
            let rest = match found.left {
                0 => String::new(),
                1 => "; with that, one other stage still differs".to_owned(),
                left => format!("; with that, {left} other stages still differ"),
            };
            let noun = if many.len() > 1 { " (nothing in this dump tells these apart)" } else { "" };
            format!("your port computes as if {}{noun}{rest}", many.join(", or "))
        }
    }
}
