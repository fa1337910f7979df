//! Stage by stage beside the oracle, each from the same input: where a run leaves it is where the fault is.

use std::collections::HashMap;

use camelid_families::{Stage, Tap};
use ndarray::{Array2, Axis};

use crate::error::Error;
use crate::oracle::{Halt, Oracle, Sight};
use crate::running::{Reference, Run, Shown, order};
use crate::told::{Distance, Spread, factor};

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
        let stage = |shown: &Shown| {
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

    /// Whether ours, or the reference's, is a table of finite numbers.
    pub(crate) fn is_finite(&self) -> bool {
        self.value.iter().all(|x| x.is_finite())
    }

    /// Where it is not.
    pub(crate) fn spread_of_infinite(&self, oracle: &Oracle<'_>) -> Spread {
        let mark = self.value.mapv(|x| if x.is_finite() { 1.0 } else { 2.0 });
        let ones = Array2::ones(mark.dim());
        match self.tap.and_then(|tap| oracle.heads(tap)) {
            Some(heads) => Spread::of_heads(mark.view(), ones.view(), 0.0, heads),
            None => Spread::of(mark.view(), ones.view(), 0.0),
        }
    }

    /// One constant that explains the whole difference.
    pub(crate) fn factor(&self, tolerance: f64) -> Option<f64> {
        factor(self.value.view(), self.oracle.view(), tolerance)
    }

    /// Whether every row (or column) is a multiple of the oracle's.
    pub(crate) fn parts_are_multiples(&self, axis: Axis, tolerance: f64) -> bool {
        let rows = self.value.axis_iter(axis).zip(self.oracle.axis_iter(axis));
        rows.map(|(value, oracle)| (value.insert_axis(Axis(0)), oracle.insert_axis(Axis(0))))
            .all(|(a, b)| factor(a, b, tolerance).is_some() || Distance::between(a, b).relative <= tolerance)
    }
}
