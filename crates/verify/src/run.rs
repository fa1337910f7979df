//! Runs a model over a case's prompt, watched at every tap, and decodes on from it.

use camelid_families::{Model, Observer, Tap};
use ndarray::{Array2, ArrayView1};

use crate::case::{Case, Reference};
use crate::compare::Distance;
use crate::error::Error;

/// How a run goes on from a tap for which the reference has a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Course {
    /// With our own value, as a user's run would.
    Free,
    /// With the reference's value: so each stage is computed from the reference's own input to it.
    Forced,
}

/// What a run came to, beside the reference.
#[derive(Debug)]
pub struct Run {
    /// The distance at each tap that the reference has, in the order of the arithmetic.
    pub taps: Vec<(Tap, Distance)>,
    /// Logits `[tokens, vocab]`.
    pub logits: Array2<f32>,
}

struct Watcher<'a> {
    reference: &'a Reference,
    course: Course,
    found: Vec<(Tap, Distance)>,
    misshapen: Option<String>,
}

impl Observer for Watcher<'_> {
    fn at(&mut self, tap: Tap, ours: Array2<f32>) -> Array2<f32> {
        let Some((_, theirs)) = self.reference.taps.iter().find(|(known, _)| *known == tap) else {
            return ours;
        };
        if ours.dim() != theirs.dim() {
            let message =
                format!("at {}: ours is {:?}, the reference's {:?}", tap.stage, ours.dim(), theirs.dim());
            self.misshapen.get_or_insert(message);
            return ours;
        }
        self.found.push((tap, Distance::between(ours.view(), theirs.mapv(f64::from).view())));
        match self.course {
            Course::Free => ours,
            Course::Forced => theirs.clone(),
        }
    }
}

/// One pass over the prompt.
///
/// # Errors
/// The model refuses the prompt, or the reference's values have other shapes than ours.
pub fn run(model: &Model, case: &Case, course: Course) -> Result<Run, Error> {
    let mut watcher = Watcher { reference: &case.reference, course, found: Vec::new(), misshapen: None };
    let hidden = model.forward(&case.reference.input_ids, &mut model.cache(), &mut watcher)?;
    let logits = model.logits(hidden.view());
    let expected = case.reference.logits.dim();
    if watcher.misshapen.is_none() && logits.dim() != expected {
        watcher.misshapen =
            Some(format!("logits: ours are {:?}, the reference's {expected:?}", logits.dim()));
    }
    match watcher.misshapen {
        Some(message) => Err(Error::Case { path: case.path.clone(), message }),
        None => Ok(Run { taps: watcher.found, logits }),
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

/// The greedy continuation of the case's prompt.
///
/// # Errors
/// The model refuses a token.
pub fn greedy(model: &Model, prompt: &[u32], count: usize, decoding: Decoding) -> Result<Vec<u32>, Error> {
    let mut text = prompt.to_vec();
    let mut cache = model.cache();
    let mut fresh = 0;
    for _ in 0..count {
        if decoding == Decoding::Anew {
            (cache, fresh) = (model.cache(), 0);
        }
        let hidden = model.forward(&text[fresh..], &mut cache, &mut ())?;
        fresh = text.len();
        let logits = model.logits(hidden.slice_axis(ndarray::Axis(0), ndarray::Slice::from(-1..)));
        text.push(arg_max(logits.row(0)));
    }
    Ok(text.split_off(prompt.len()))
}

/// The first of the largest.
fn arg_max(logits: ArrayView1<'_, f32>) -> u32 {
    let mut best = 0;
    for (id, logit) in logits.iter().enumerate() {
        if *logit > logits[best] {
            best = id;
        }
    }
    best as u32
}
