//! Which single change to an architecture explains what is seen; where one does not, which few together.

use camelid_checkpoint::Checkpoint;
use camelid_families::{Architecture, Stage};
use serde_json::json;

use super::code::{Fault, rank};
use super::mistakes::{Scene, changes};
use crate::change::{Change, Editor};
use crate::error::Error;
use crate::oracle::{Oracle, Quirk};
use crate::parallel;

/// The stages at which an oracle is not what is to be explained, the first of them first; further than a tolerance.
pub(crate) type Judge<'a> = &'a (dyn Fn(&Oracle<'_>, f64) -> Result<Vec<Fault>, Error> + Sync);

/// So many changes are laid over one another before the search gives up.
const MOST: usize = 4;
/// What rounding alone may come to within one stage.
const ROUNDING: f64 = 3e-6;

/// What is to be explained.
pub(crate) struct Riddle<'a> {
    pub(crate) declared: &'a Architecture,
    pub(crate) checkpoint: &'a Checkpoint,
    pub(crate) ids: &'a [u32],
    pub(crate) judge: Judge<'a>,
    pub(crate) tolerance: f64,
}

/// What was found.
#[derive(Debug)]
pub(crate) struct Explanation {
    /// The changes, each over those before it.
    pub(crate) changes: Vec<Change>,
    /// What each of them was made to.
    pub(crate) before: Vec<Architecture>,
    /// Stages that still differ.
    pub(crate) left: Vec<Fault>,
    /// Changes that were tried, in all.
    pub(crate) tried: usize,
}

impl Riddle<'_> {
    /// Looks for a change that explains everything; else for one that explains the first stage, and then goes on from it.
    pub(crate) fn explain(&self) -> Result<Explanation, Error> {
        let mut found = Explanation { changes: Vec::new(), before: Vec::new(), left: Vec::new(), tried: 0 };
        found.left = self.judged(self.declared, Quirk::None, self.tolerance)?;
        let (mut current, mut quirk) = (self.declared.clone(), Quirk::None);
        while let Some(first) = found.left.first() {
            if found.changes.len() == MOST {
                break;
            }
            let layers: Vec<usize> = found.left.iter().filter_map(|fault| fault.tap?.layer).collect();
            let scene = Scene {
                editor: Editor::new(&current),
                ids: self.ids,
                first_token: first.first_token(self.tolerance),
                layers: &layers,
            };
            let tries: Vec<Change> = changes(&scene)
                .into_iter()
                .map(|change| if change.quirk == Quirk::None { Change { quirk, ..change } } else { change })
                .collect();
            found.tried += tries.len();
            let best = match self.best(&tries, first) {
                Some(best) => best,
                None => match self.fit(&scene, first, quirk) {
                    Some(best) => best,
                    None => break,
                },
            };
            let (change, left) = best;
            found.before.push(std::mem::replace(&mut current, change.architecture.clone()));
            quirk = change.quirk;
            found.changes.push(change);
            found.left = left;
        }
        Ok(found)
    }

    /// The change that leaves the fewest stages differing, among those that repair the first one and break none before it.
    fn best(&self, tries: &[Change], first: &Fault) -> Option<(Change, Vec<Fault>)> {
        let strict = self.strict(first);
        let judged = parallel::map(tries, parallel::cores(), |change| {
            self.judged(&change.architecture, change.quirk, strict).ok()
        });
        let repaired = tries.iter().zip(judged).filter_map(|(change, left)| Some((change, left?)));
        let repaired =
            repaired.filter(|(_, left)| left.first().is_none_or(|next| rank(next.tap) > rank(first.tap)));
        let (change, _) = repaired.min_by_key(|(_, left)| left.len())?;
        let left = self.judged(&change.architecture, change.quirk, self.tolerance).ok()?;
        Some((change.clone(), left))
    }

    /// A repair must be much closer than what it repairs, so that no small change passes by being small.
    fn strict(&self, first: &Fault) -> f64 {
        (first.distance.relative / 4.0).clamp(ROUNDING.min(self.tolerance), self.tolerance)
    }

    fn judged(&self, architecture: &Architecture, quirk: Quirk, tolerance: f64) -> Result<Vec<Fault>, Error> {
        let oracle = Oracle::with(architecture, self.checkpoint, quirk)?;
        (self.judge)(&oracle, tolerance)
    }

    /// One number of the architecture, fitted to the first stage that differs.
    fn fit(&self, scene: &Scene<'_>, first: &Fault, quirk: Quirk) -> Option<(Change, Vec<Fault>)> {
        fitted(first).iter().find_map(|(word, or)| {
            let known = scene.editor.values(word).iter().find_map(serde_json::Value::as_f64);
            let start = known.filter(|x| *x != 0.0).unwrap_or(*or);
            let at = |value: f64| {
                let architecture = scene.editor.set(word, |_, _| Some(json!(value)))?;
                let faults = self.judged(&architecture, quirk, 0.0).ok()?;
                let same = faults.into_iter().find(|fault| fault.tap == first.tap);
                Some((architecture, same.map_or(0.0, |fault| fault.distance.relative)))
            };
            let apart = |value: f64| at(value).map_or(f64::INFINITY, |(_, apart)| apart);
            let value = least(start, &apart, first.distance.relative / 2.0)?;
            let (architecture, apart) = at(value)?;
            if apart > self.strict(first) {
                return None;
            }
            let left = self.judged(&architecture, quirk, self.tolerance).ok()?;
            let repaired = left.first().is_none_or(|next| rank(next.tap) > rank(first.tap));
            let name = "fitted".to_owned();
            let change = Change { word: (*word).to_owned(), name, architecture, quirk };
            repaired.then_some((change, left))
        })
    }
}

/// The numbers that bear on a stage, with a value to start from where there is none.
fn fitted(first: &Fault) -> &'static [(&'static str, f64)] {
    let Some(tap) = first.tap else { return &[("output.scale", 1.0), ("output.softcap", 30.0)] };
    match tap.stage {
        Stage::Embedding => &[("embedding.scale", 1.0)],
        Stage::AttentionInput | Stage::FinalNorm => &[("norm.eps", 1e-6), ("norm.offset", 1.0)],
        Stage::Query | Stage::Key => &[("rope.theta", 1e4), ("rope.scaling.factor", 1.0), ("norm.eps", 1e-6)],
        Stage::Value => &[("norm.eps", 1e-6)],
        Stage::Heads | Stage::AttentionOutput => &[
            ("attention.scale", 1.0),
            ("attention.softcap", 30.0),
            ("rope.theta", 1e4),
            ("rope.scaling.factor", 1.0),
            ("norm.eps", 1e-6),
            ("norm.offset", 1.0),
        ],
        Stage::MlpInput | Stage::MlpOutput | Stage::Layer => &[
            ("block.branch_scale", 1.0),
            ("block.residual_scale", 1.0),
            ("norm.eps", 1e-6),
            ("norm.offset", 1.0),
        ],
    }
}

/// Where `apart` is least, around a positive start: a coarse look over six decades, then a golden section. `None` if the
/// coarse look finds nothing below `promising`.
fn least(start: f64, apart: &(dyn Fn(f64) -> f64 + Sync), promising: f64) -> Option<f64> {
    const STEPS: i32 = 40;
    let grid: Vec<f64> = (-STEPS..=STEPS).map(|step| start * 2f64.powf(f64::from(step) / 4.0)).collect();
    let seen = parallel::map(&grid, parallel::cores(), |value| apart(*value));
    let best = (0..grid.len()).min_by(|a, b| seen[*a].total_cmp(&seen[*b]))?;
    if seen[best] > promising {
        return None;
    }
    let golden = (5f64.sqrt() - 1.0) / 2.0;
    let (mut low, mut high) = (grid[best.saturating_sub(1)], grid[(best + 1).min(grid.len() - 1)]);
    for _ in 0..48 {
        let (a, b) = (high - golden * (high - low), low + golden * (high - low));
        if apart(a) < apart(b) { high = b } else { low = a }
    }
    Some((low + high) / 2.0)
}
