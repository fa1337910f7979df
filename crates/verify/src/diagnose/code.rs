//! Stage by stage beside the oracle, each from the same input: where a run leaves it is where the fault is.

use std::collections::HashMap;

use camelid_families::{Layer, Position, Role, Scaling, Stage, Tap};
use ndarray::{Array2, Axis};

use crate::case::{Reference, order};
use crate::compare::{Distance, Spread, factor};
use crate::error::Error;
use crate::oracle::{Halt, Oracle, Sight};
use crate::run::Run;

/// What the oracle is held to: the value at each stage, and the value that the next stage was computed from.
#[derive(Debug)]
pub(crate) struct Track {
    stages: HashMap<Tap, (Array2<f64>, Array2<f64>)>,
    pub(crate) logits: Array2<f64>,
}

impl Track {
    /// A run of ours.
    pub(crate) fn of(run: &Run) -> Track {
        let wide = |x: &Array2<f32>| x.mapv(f64::from);
        let stage = |shown: &crate::run::Shown| {
            (shown.tap, (wide(&shown.value), wide(shown.instead.as_ref().unwrap_or(&shown.value))))
        };
        Track { stages: run.stages.iter().map(stage).collect(), logits: wide(&run.logits) }
    }

    /// The reference, with as many stages as the case has.
    pub(crate) fn reference(reference: &Reference) -> Track {
        let stages =
            reference.taps.iter().map(|(tap, value)| (*tap, (value.clone(), value.clone()))).collect();
        Track { stages, logits: reference.logits.clone() }
    }

    /// What an oracle computes at a stage from this track's inputs.
    pub(crate) fn at(
        &self,
        oracle: &Oracle<'_>,
        ids: &[u32],
        sight: &Sight,
        wanted: Tap,
    ) -> Option<Array2<f64>> {
        let mut found = None;
        let run = oracle.run(ids, sight, &mut |tap, value| {
            if tap == wanted {
                found = Some(value);
                return Err(Halt::Enough);
            }
            Ok(self.next(tap, value))
        });
        match run {
            Ok(_) | Err(Halt::Enough) => found,
            Err(Halt::Wrong(_)) => None,
        }
    }

    /// Every stage at which the oracle differs, from the first, with the logits at the end.
    pub(crate) fn faults(
        &self,
        oracle: &Oracle<'_>,
        ids: &[u32],
        sight: &Sight,
        tolerance: f64,
        until: Until,
    ) -> Result<Vec<Fault>, Error> {
        let mut faults = Vec::new();
        let logits = oracle.run(ids, sight, &mut |tap, value| {
            if let Some((own, _)) = self.stages.get(&tap) {
                faults.extend(Fault::between(Some(tap), own, &value, tolerance));
            }
            if until.enough(Some(tap), &faults) { Err(Halt::Enough) } else { Ok(self.next(tap, value)) }
        });
        match logits {
            Ok(logits) => faults.extend(Fault::between(None, &self.logits, &logits, tolerance)),
            Err(Halt::Enough) => {}
            Err(Halt::Wrong(error)) => return Err(error),
        }
        faults.sort_by_key(Fault::key);
        Ok(faults)
    }

    /// What the next stage was computed from.
    fn next(&self, tap: Tap, value: Array2<f64>) -> Array2<f64> {
        match self.stages.get(&tap) {
            Some((_, next)) if next.dim() == value.dim() => next.clone(),
            Some(_) | None => value,
        }
    }
}

/// How far a comparison goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Until {
    /// To the logits.
    End,
    /// To the first stage that differs.
    FirstFault,
    /// To this stage; `None` for the logits.
    Tap(Option<Tap>),
}

impl Until {
    fn enough(self, tap: Option<Tap>, faults: &[Fault]) -> bool {
        match self {
            Until::End => false,
            Until::FirstFault => !faults.is_empty(),
            Until::Tap(last) => last == tap,
        }
    }
}

/// A stage at which a value is not what the oracle computes from the same input.
#[derive(Debug)]
pub(crate) struct Fault {
    /// The stage; `None` for logits.
    pub(crate) tap: Option<Tap>,
    /// How far apart they are.
    pub(crate) distance: Distance,
    /// The first token that differs.
    pub(crate) token: usize,
    /// Whether steps of decoding come before stages in their order.
    pub(crate) decoded: bool,
    /// Ours, or the reference's.
    pub(crate) value: Array2<f64>,
    pub(crate) oracle: Array2<f64>,
}

/// When a fault shows: in decoding the step first, then the stage in the order of the arithmetic, then the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct When {
    pub(crate) step: usize,
    /// Logits last.
    pub(crate) stage: (bool, usize, Option<Stage>),
    pub(crate) token: usize,
}

impl Fault {
    /// What is between a value and the oracle's, if it is more than a tolerance.
    pub(crate) fn between(
        tap: Option<Tap>,
        value: &Array2<f64>,
        oracle: &Array2<f64>,
        tolerance: f64,
    ) -> Option<Fault> {
        if oracle.dim() != value.dim() {
            return None;
        }
        let distance = Distance::between(oracle.view(), value.view());
        (distance.relative > tolerance).then(|| Fault {
            tap,
            distance,
            token: Spread::of(value.view(), oracle.view(), tolerance)
                .tokens
                .first()
                .copied()
                .unwrap_or_default(),
            decoded: false,
            value: value.clone(),
            oracle: oracle.clone(),
        })
    }

    /// When it shows.
    pub(crate) fn key(&self) -> When {
        let stage = match self.tap {
            Some(tap) => {
                let (layer, stage) = order(tap);
                (false, layer, Some(stage))
            }
            None => (true, 0, None),
        };
        When { step: if self.decoded { self.token } else { 0 }, stage, token: self.token }
    }

    pub(crate) fn spread(&self, oracle: &Oracle<'_>, tolerance: f64) -> Spread {
        let (value, other) = (self.value.view(), self.oracle.view());
        match self.tap.and_then(|tap| oracle.heads(tap)) {
            Some(heads) => Spread::of_heads(value, other, tolerance, heads),
            None => Spread::of(value, other, tolerance),
        }
    }

    /// One constant that explains the whole difference.
    pub(crate) fn factor(&self, tolerance: f64) -> Option<f64> {
        factor(self.value.view(), self.oracle.view(), tolerance)
    }

    /// Whether every row (or column) is a multiple of the oracle's.
    fn parts_are_multiples(&self, axis: Axis, tolerance: f64) -> bool {
        let rows = self.value.axis_iter(axis).zip(self.oracle.axis_iter(axis));
        rows.map(|(value, oracle)| (value.insert_axis(Axis(0)), oracle.insert_axis(Axis(0))))
            .all(|(a, b)| factor(a, b, tolerance).is_some() || Distance::between(a, b).relative <= tolerance)
    }
}

/// Which crates' code stands at a stage, the likeliest first, and what speaks for it.
pub(crate) fn components(
    fault: &Fault,
    oracle: &Oracle<'_>,
    tolerance: f64,
) -> (Vec<&'static str>, &'static str) {
    let Some(tap) = fault.tap else { return head(fault, oracle, tolerance) };
    let layer = tap.layer.map(|layer| &oracle.architecture().layers[layer]);
    let chunked = layer.is_some_and(|layer| layer.attention.dual_chunk.is_some());
    let sloped = layer.is_some_and(|layer| layer.attention.position == Position::Alibi);
    let latent = layer.is_some_and(|layer| layer.latent.is_some());
    let sparse = layer.is_some_and(|layer| layer.experts.is_some());
    let multiples = fault.parts_are_multiples(Axis(0), tolerance);
    match tap.stage {
        Stage::Embedding => (vec!["families", "linear"], "the look-up of tokens and its scale"),
        Stage::AttentionInput | Stage::FinalNorm if !multiples => {
            (vec!["norm"], "the norm, along the features of a row")
        }
        Stage::AttentionInput | Stage::FinalNorm => {
            (vec!["norm"], "the norm: rows are enlarged or reduced as a whole")
        }
        Stage::MlpInput if multiples => {
            (vec!["norm"], "the norm before the MLP: rows are enlarged or reduced as a whole")
        }
        Stage::MlpInput => {
            (vec!["families", "norm"], "how attention joins the stream, or the norms around it")
        }
        Stage::Layer if sparse => (
            vec!["experts", "families", "norm"],
            "experts beside the MLP, how they join the stream, or a norm",
        ),
        Stage::Layer => (vec!["families", "norm"], "how the MLP joins the stream, or the norm after it"),
        Stage::Query | Stage::Key => turned(fault, oracle, tap, tolerance),
        Stage::Value => projected(oracle, tap, Role::Value),
        Stage::Heads if chunked => {
            (vec!["dual-chunk", "attention"], "the three runs of keys and their softmax")
        }
        Stage::Heads if sloped => {
            (vec!["attention", "alibi"], "scores and slopes, softmax, the run of keys, or the cache")
        }
        Stage::Heads if latent => {
            (vec!["latent", "attention"], "the latent or what is made of it, scores, softmax, or the cache")
        }
        Stage::Heads => (vec!["attention"], "scores, softmax, the run of keys, or the cache"),
        Stage::AttentionOutput => (vec!["linear"], "the projection of the heads"),
        Stage::Experts => (vec!["experts"], "the router: its scores, groups, or which are the largest"),
        Stage::ExpertWeights => (vec!["experts"], "the router: what the chosen weigh"),
        Stage::MlpOutput if sparse => {
            (vec!["experts", "mlp", "linear"], "an expert, the shared one, or how they are added")
        }
        Stage::MlpOutput => (vec!["mlp", "linear"], "the activation, or one of the projections"),
    }
}

/// A wrong factor of a row of the head makes one logit a multiple, for every token.
fn head(fault: &Fault, oracle: &Oracle<'_>, tolerance: f64) -> (Vec<&'static str>, &'static str) {
    let output = &oracle.architecture().output;
    let factors = fault.parts_are_multiples(Axis(1), tolerance);
    match (factors, output.unit_rows, output.softcap) {
        (true, true, _) => (vec!["norm", "families"], "the rows of the head, brought to length one"),
        (true, false, _) => (vec!["families", "linear"], "the scale of logits"),
        (false, _, Some(_)) => (vec!["attention", "families", "linear"], "the head and its soft-cap"),
        (false, _, None) => (vec!["linear", "families"], "the head"),
    }
}

/// Rows of a packed tensor are told apart by the composition.
fn projected(oracle: &Oracle<'_>, tap: Tap, role: Role) -> (Vec<&'static str>, &'static str) {
    let packed = oracle.architecture().tensor(tap.layer, role).is_some_and(|named| named.roles.len() > 1);
    if packed {
        (vec!["linear", "families"], "the projection, or which rows of the packed tensor are its own")
    } else {
        (vec!["linear"], "the projection")
    }
}

/// A turn keeps the length of every head; a projection or a norm that is wrong does not.
fn turned(fault: &Fault, oracle: &Oracle<'_>, tap: Tap, tolerance: f64) -> (Vec<&'static str>, &'static str) {
    let Some(layer) = tap.layer.map(|layer| &oracle.architecture().layers[layer]) else {
        return (vec!["linear"], "the projection");
    };
    let rotary = if layer.attention.dual_chunk.is_some() { "dual-chunk" } else { rotary(layer) };
    let size = |x: &Array2<f64>| {
        let heads = oracle.heads(tap).unwrap_or(1);
        let part = x.ncols() / heads;
        Array2::from_shape_fn((x.nrows(), heads), |(token, head)| {
            (0..part).map(|d| x[[token, head * part + d]].powi(2)).sum::<f64>().sqrt()
        })
    };
    let (ours, theirs) = (size(&fault.value), size(&fault.oracle));
    let kept = Distance::between(ours.view(), theirs.view()).relative <= 10.0 * tolerance;
    let first_is_right = !fault.spread(oracle, tolerance).tokens.contains(&0);
    let has = |role| oracle.architecture().tensor(tap.layer, role).is_some();
    let normed = if tap.stage == Stage::Query { has(Role::QueryNorm) } else { has(Role::KeyNorm) };
    match (layer.rope.is_some(), kept) {
        (true, true) => (vec![rotary], "every head keeps its length: the turn is wrong, not what is turned"),
        (_, false) if tap.stage == Stage::Query && layer.attention.logn.is_some() && first_is_right => {
            (vec!["attention", rotary], "queries are enlarged by their place: log-n")
        }
        (true, false) if first_is_right => (vec![rotary, "families"], "what depends on the place"),
        (_, _) if normed => {
            (vec!["norm", "linear", "families"], "the norm of heads, or the projection before it")
        }
        (true, false) if fault.parts_are_multiples(Axis(0), tolerance) => {
            (vec![rotary, "families"], "the factor of turned features")
        }
        (_, _) if tap.stage == Stage::Query => projected(oracle, tap, Role::Query),
        (_, _) => projected(oracle, tap, Role::Key),
    }
}

/// The crate that makes a layer's frequencies.
fn rotary(layer: &Layer) -> &'static str {
    match layer.rope.as_ref().and_then(|rope| rope.scaling.as_ref()) {
        Some(Scaling::Yarn(_)) => "yarn",
        Some(Scaling::Plain(_)) | None => "rope",
    }
}
