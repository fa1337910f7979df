//! Runs a model over a case's prompt, watched at every tap, and decodes on from it.

use camelid_families::{Model, Observer, Tap};
use ndarray::{Array2, ArrayView1, Axis, Slice, concatenate};

use super::case::{Case, Reference};
use crate::error::Error;
use crate::told::Distance;

/// A change of a stage's value, made before anybody sees it: how a test puts a fault into the code.
pub type Meddle<'a> = &'a (dyn Fn(Tap, Array2<f32>) -> Array2<f32> + Sync);

/// What is verified: a model, as it is or with a fault put into it.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    /// The model.
    pub model: &'a Model,
    meddle: Option<Meddle<'a>>,
}

impl<'a> Subject<'a> {
    /// The model as it is.
    #[must_use]
    pub fn new(model: &'a Model) -> Subject<'a> {
        Subject { model, meddle: None }
    }

    /// The model with a fault in some stage.
    #[must_use]
    pub fn with_fault(model: &'a Model, meddle: Meddle<'a>) -> Subject<'a> {
        Subject { model, meddle: Some(meddle) }
    }
}

/// How a run goes on from a tap for which the reference has a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Course {
    /// With our own value, as a user's run would.
    Free,
    /// With the reference's value: so each stage is computed from the reference's own input to it.
    Forced,
}

/// One stage of a run.
#[derive(Debug, Clone)]
pub struct Shown {
    /// Which.
    pub tap: Tap,
    /// Our value, `[tokens, features]`.
    pub value: Array2<f32>,
    /// What the run went on with, where that is another.
    pub instead: Option<Array2<f32>>,
}

/// What a run came to.
#[derive(Debug, Clone)]
pub struct Run {
    /// Every stage, in the order in which it was computed.
    pub stages: Vec<Shown>,
    /// Logits `[tokens, vocab]`.
    pub logits: Array2<f32>,
}

impl Run {
    /// Our value at a tap.
    #[must_use]
    pub fn value(&self, tap: Tap) -> Option<&Array2<f32>> {
        self.stages.iter().find(|shown| shown.tap == tap).map(|shown| &shown.value)
    }

    /// The distance at each tap that the reference has, in the order of the arithmetic.
    ///
    /// # Errors
    /// A value of the reference has another shape than ours.
    pub fn distances(&self, case: &Case) -> Result<Vec<(Tap, Distance)>, Error> {
        let mut out = Vec::new();
        for (tap, theirs) in &case.reference.taps {
            let Some(ours) = self.value(*tap) else { continue };
            if ours.dim() != theirs.dim() {
                let message = format!(
                    "at {}: ours is {:?}, the reference's {:?}",
                    place(*tap),
                    ours.dim(),
                    theirs.dim()
                );
                return Err(Error::Case { path: case.path.clone(), message });
            }
            out.push((*tap, Distance::between(ours.view(), theirs.view())));
        }
        Ok(out)
    }
}

/// A tap, as a sentence has it.
pub(crate) fn place(tap: Tap) -> String {
    tap.layer.map_or_else(|| tap.stage.to_string(), |layer| format!("{} of layer {layer}", tap.stage))
}

struct Watcher<'a> {
    subject: Subject<'a>,
    forced: Option<&'a Reference>,
    stages: Vec<Shown>,
}

impl Observer for Watcher<'_> {
    fn at(&mut self, tap: Tap, ours: Array2<f32>) -> Array2<f32> {
        let value = match self.subject.meddle {
            Some(meddle) => meddle(tap, ours),
            None => ours,
        };
        let theirs = self.forced.and_then(|reference| reference.tap(tap));
        // From what is no number nothing is learnt of the stages behind it.
        let is_fit =
            |theirs: &&Array2<f64>| theirs.dim() == value.dim() && theirs.iter().all(|x| x.is_finite());
        let instead = theirs.filter(is_fit).map(|theirs| theirs.mapv(|x| x as f32));
        let next = instead.as_ref().unwrap_or(&value).clone();
        self.stages.push(Shown { tap, value, instead });
        next
    }
}

/// One pass over the prompt.
///
/// # Errors
/// The model refuses the prompt, or the reference's logits have another shape than ours.
pub fn run(subject: Subject<'_>, case: &Case, course: Course) -> Result<Run, Error> {
    let forced = (course == Course::Forced).then_some(&case.reference);
    let mut watcher = Watcher { subject, forced, stages: Vec::new() };
    let model = subject.model;
    let hidden = model.forward(&case.reference.input_ids, &mut model.cache(), &mut watcher)?;
    let logits = model.logits(hidden.view());
    let expected = case.reference.logits.dim();
    if logits.dim() != expected {
        let message = format!("logits: ours are {:?}, the reference's {expected:?}", logits.dim());
        return Err(Error::Case { path: case.path.clone(), message });
    }
    Ok(Run { stages: watcher.stages, logits })
}

/// A prompt in one call and then the rest of the text token by token, over our cache: the rows of all calls joined.
///
/// # Errors
/// The model refuses a token.
pub fn decode(subject: Subject<'_>, text: &[u32], prompt: usize) -> Result<Run, Error> {
    let mut cache = subject.model.cache();
    let mut calls = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let end = if at == 0 { prompt } else { at + 1 };
        let mut watcher = Watcher { subject, forced: None, stages: Vec::new() };
        let hidden = subject.model.forward(&text[at..end], &mut cache, &mut watcher)?;
        calls.push(Run { stages: watcher.stages, logits: subject.model.logits(hidden.view()) });
        at = end;
    }
    Ok(joined(&calls))
}

fn joined(calls: &[Run]) -> Run {
    let rows = |parts: Vec<&Array2<f32>>| {
        let views: Vec<_> = parts.iter().map(|part| part.view()).collect();
        concatenate(Axis(0), &views).expect("every call has the same features")
    };
    let stage = |index: usize, tap| Shown {
        tap,
        value: rows(calls.iter().map(|call| &call.stages[index].value).collect()),
        instead: None,
    };
    Run {
        stages: calls[0].stages.iter().enumerate().map(|(i, shown)| stage(i, shown.tap)).collect(),
        logits: rows(calls.iter().map(|call| &call.logits).collect()),
    }
}

/// How tokens after the first are computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decoding {
    /// One at a time over the cache.
    Cached,
    /// From the whole text anew.
    Anew,
}

/// The logits `[ids, vocab]` that each token of a continuation is chosen from, where those before it are as given.
///
/// # Errors
/// The model refuses a token.
pub fn continued(
    subject: Subject<'_>,
    prompt: &[u32],
    ids: &[u32],
    decoding: Decoding,
) -> Result<Array2<f32>, Error> {
    let model = subject.model;
    let mut text = prompt.to_vec();
    let mut cache = model.cache();
    let mut fresh = 0;
    let mut out = Array2::zeros((ids.len(), model.architecture().embedding.vocab));
    for (id, mut row) in ids.iter().zip(out.outer_iter_mut()) {
        if decoding == Decoding::Anew {
            (cache, fresh) = (model.cache(), 0);
        }
        let mut watcher = Watcher { subject, forced: None, stages: Vec::new() };
        let hidden = match subject.meddle {
            Some(_) => model.forward(&text[fresh..], &mut cache, &mut watcher)?,
            None => model.forward(&text[fresh..], &mut cache, &mut ())?,
        };
        fresh = text.len();
        row.assign(&model.logits(hidden.slice_axis(Axis(0), Slice::from(-1..))).row(0));
        text.push(*id);
    }
    Ok(out)
}

/// The first of the largest.
pub(crate) fn arg_max<T: PartialOrd + Copy>(logits: ArrayView1<'_, T>) -> u32 {
    let mut best = 0;
    for (id, logit) in logits.iter().enumerate() {
        if *logit > logits[best] {
            best = id;
        }
    }
    best as u32
}
