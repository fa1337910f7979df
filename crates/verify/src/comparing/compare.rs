//! The door: read what the port shows, judge every stage, look for the cause of the first that differs.

use camelid_checkpoint::Checkpoint;
use camelid_families::{Backend, Model, Stage, Tap};
use ndarray::Array2;
use serde_json::{Map, Value as Json};

use super::bench::Place;
use super::divergence::{differing, divergence, heads, heat, pair, sentence};
use super::dump::Dump;
use super::names::Names;
use super::precision::Precision;
use super::search::{Aim, Found};
use super::stage::{LIMIT, Ours, Shows, ours, residual};
use super::verdict::{StageReport, TraceReport, Verdict};
use crate::error::Error;
use crate::told::stage_name;

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
    let runs = Runs::of(port, precision)?;
    let mut report = runs.report();
    let Some(first) = report.stages.iter().position(|stage| stage.verdict == Verdict::Different) else {
        return Ok(report);
    };
    let Runs { shows, plain, checkpoint, .. } = &runs;
    let (declared, stage) = (port.model.architecture(), report.stages[first].clone());
    let heads = heads(stage.tap, declared);
    report.first_divergence = Some(divergence(shows, plain, &stage, heads));
    report.heat = heat(shows, plain, &stage, heads);
    located(&report);
    if depth == Compared::Located || stage.residual.is_none() {
        return Ok(report);
    }
    let checkpoint = checkpoint.as_ref().unwrap_or(port.checkpoint);
    let place = Place { declared, config: port.config, checkpoint, port: shows };
    let found = explained(&place, &report.stages, first, &differing(shows, plain, &stage))?;
    if let Some(told) = &mut report.first_divergence {
        told.tried = found.tried;
        told.causes = found.changes.iter().map(crate::changes::Change::label).collect();
        told.sentence = sentence(&place, &found, told);
    }
    Ok(report)
}

/// What the port shows, and our own stages from its inputs: as they are, and rounded.
struct Runs {
    shows: Shows,
    precision: Precision,
    /// The checkpoint as the port has it, where that is another.
    checkpoint: Option<Checkpoint>,
    plain: Ours,
    rounded: Ours,
    /// Rounded as sums in another order are.
    fine: Ours,
}

impl Runs {
    fn of(port: &Port<'_>, precision: Option<Precision>) -> Result<Runs, Error> {
        let shows = Shows::read(port.dump, port.names, port.model)?;
        let plain = ours(port.model, &shows, None)?;
        let precision = match precision {
            Some(given) => given,
            None => guessed(port, &shows, &plain)?,
        };
        let checkpoint = precision.checkpoint(port.checkpoint)?;
        let rounded = match &checkpoint {
            Some(checkpoint) => ours(&again(port, checkpoint)?, &shows, Some(precision))?,
            None => ours(port.model, &shows, Some(precision))?,
        };
        let fine = ours(port.model, &shows, Some(Precision::F32))?;
        Ok(Runs { shows, precision, checkpoint, plain, rounded, fine })
    }

    /// Every stage that the port shows.
    fn report(&self) -> TraceReport {
        let logits = self.shows.logits.is_some().then_some(None);
        let taps = self.shows.order().into_iter().map(Some).chain(logits);
        let stages: Vec<StageReport> = taps.filter_map(|tap| stage(self, tap)).collect();
        let differs = stages.iter().any(|stage| stage.verdict == Verdict::Different);
        TraceReport {
            verdict: if differs { "differs" } else { "equal" },
            precision: self.precision,
            below_precision: !differs && stages.iter().any(|stage| stage.verdict == Verdict::Rounding),
            stages,
            first_divergence: None,
            unmatched: self.shows.unmatched.clone(),
            heat: None,
        }
    }
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

fn stage(runs: &Runs, tap: Option<Tap>) -> Option<StageReport> {
    let Runs { shows, precision, plain, rounded, fine, .. } = runs;
    let (theirs, exact) = pair(tap, shows, plain)?;
    let apart = residual(theirs, exact);
    let floor_of =
        |other: &Ours| pair(tap, shows, other).map_or(0.0, |(_, rounded)| residual(rounded, exact));
    let least = floor_of(fine);
    let floor = (precision.unseen(tap.map(|tap| tap.stage)) * floor_of(rounded)).max(least);
    // Which of two experts comes first may be rounding's choice, and everything after it is computed from the port's.
    let chosen = *precision != Precision::F32 && tap.is_some_and(|tap| tap.stage == Stage::Experts);
    let verdict = if apart <= LIMIT * least {
        Verdict::Equal
    } else if apart <= LIMIT * floor || chosen && apart.is_finite() {
        Verdict::Rounding
    } else {
        Verdict::Different
    };
    Some(StageReport {
        layer: tap.and_then(|tap| tap.layer),
        stage: tap.map_or("logits", |tap| stage_name(tap.stage)).to_owned(),
        residual: apart.is_finite().then_some(apart),
        floor,
        verdict,
        tap,
    })
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
