//! Which single change to an architecture explains what is seen; where one does not, which few together.

use std::cmp::Reverse;

use camelid_families::{Architecture, Stage};
use serde_json::{Map, Value as Json, json};

use super::mistakes::changes;
use super::scene::Scene;
use super::unread::Together;
use crate::changes::{Change, Editor};
use crate::error::Error;
use crate::locating::{Fault, Until};
use crate::oracle::{Bank, Oracle, Quirk};
use crate::parallel;

/// The stages at which an oracle is not what is to be explained by more than a tolerance, the first of them first.
pub(crate) type Judge<'a> = &'a (dyn Fn(&Oracle<'_>, f64, Until) -> Result<Vec<Fault>, Error> + Sync);

/// So many changes are laid over one another before the search gives up.
const MOST: usize = 4;
/// So many changes that look promising at the first stage are looked at to the end.
const PROMISING: usize = 32;
/// What rounding alone may come to within one stage.
const ROUNDING: f64 = 3e-6;

/// What is to be explained.
pub(crate) struct Riddle<'a> {
    pub(crate) declared: &'a Architecture,
    pub(crate) config: &'a Map<String, Json>,
    pub(crate) bank: &'a Bank,
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

/// A change, and what still differs with it.
struct Step {
    change: Change,
    left: Vec<Fault>,
    /// Whether the stage that differed first agrees now, in all its tokens.
    repairs: bool,
}

impl Riddle<'_> {
    /// Looks for a change that explains everything; else for one that explains the first stage, or its first tokens, and then
    /// goes on from it. What explains only some tokens counts only if everything is explained in the end.
    pub(crate) fn explain(&self) -> Result<Explanation, Error> {
        let mut found = Explanation { changes: Vec::new(), before: Vec::new(), left: Vec::new(), tried: 0 };
        found.left = self.judged(self.declared, Quirk::None, self.tolerance, Until::End)?;
        let mut sure = 0;
        while found.changes.len() < MOST && !found.left.is_empty() {
            let (steps, tried) = self.next(&found);
            found.tried += tried;
            let Some(last) = steps.last() else { break };
            let repairs = last.repairs && sure == found.changes.len();
            for step in steps {
                let before = found.changes.last().map_or(self.declared, |last| &last.architecture).clone();
                found.before.push(before);
                found.changes.push(step.change);
                found.left = step.left;
            }
            if repairs {
                sure = found.changes.len();
            }
        }
        if !found.left.is_empty() && sure < found.changes.len() {
            found.changes.truncate(sure);
            found.before.truncate(sure);
            let last = found.changes.last().map_or(self.declared, |last| &last.architecture);
            let quirk = found.changes.last().map_or(Quirk::None, |last| last.quirk);
            found.left = self.judged(last, quirk, self.tolerance, Until::End)?;
        }
        Ok(found)
    }

    /// What explains the first stage that differs still: one change, several that are often seen together, a number that is
    /// fitted, or what explains the first tokens alone; the first of these that there is. And how many changes were tried.
    fn next(&self, found: &Explanation) -> (Vec<Step>, usize) {
        let (current, quirk) = found
            .changes
            .last()
            .map_or((self.declared, Quirk::None), |last| (&last.architecture, last.quirk));
        let Some(first) = found.left.first() else { return (Vec::new(), 0) };
        let layers: Vec<usize> = found.left.iter().filter_map(|fault| fault.tap?.layer).collect();
        let scene = Scene {
            editor: Editor::new(current),
            ids: self.ids,
            config: self.config,
            first_token: first.token,
            layers: &layers,
        };
        let mut tries = changes(&scene);
        let own = |change: &mut Change| {
            if change.quirk == Quirk::None {
                change.quirk = quirk;
            }
        };
        tries.iter_mut().for_each(own);
        let some = match self.best(&tries, first) {
            Some(step) if step.repairs => return (vec![step], tries.len()),
            some => some,
        };
        let (together, more) = self.together(&scene, first, quirk);
        let tried = tries.len() + more;
        if !together.is_empty() {
            return (together, tried);
        }
        (self.fit(&scene, first, quirk).or(some).into_iter().collect(), tried)
    }

    /// Several changes that repair the first stage together, where no single one does: as few as there are; and how many
    /// combinations were tried.
    fn together(&self, scene: &Scene<'_>, first: &Fault, quirk: Quirk) -> (Vec<Step>, usize) {
        let (together, strict, mut tried) = (Together::of(scene), self.strict(first), 0);
        for size in together.sizes() {
            let combinations = together.combinations(size);
            tried += combinations.len();
            let seen = parallel::map(&combinations, parallel::cores(), |changes| {
                let last = &changes.last()?.architecture;
                let left = self.judged(last, quirk, strict, Until::FirstFault).ok()?;
                left.first().is_none_or(|next| next.key().stage > first.key().stage).then_some(())
            });
            let repairing = combinations.into_iter().zip(seen).filter(|(_, repairs)| repairs.is_some());
            let judged = repairing.filter_map(|(changes, _)| {
                let last = &changes.last()?.architecture;
                let apart = self.judged(last, quirk, 0.0, Until::End).ok()?;
                let left = apart.iter().filter(|fault| fault.distance.relative > self.tolerance).count();
                let sum: f64 = apart.iter().map(|fault| fault.distance.relative).sum();
                Some((left, sum, changes))
            });
            let best = judged.min_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
            if let Some((_, _, changes)) = best {
                return (self.steps(changes, quirk), tried);
            }
        }
        (Vec::new(), tried)
    }

    fn steps(&self, changes: Vec<Change>, quirk: Quirk) -> Vec<Step> {
        let step = |change: Change| {
            let left = self.judged(&change.architecture, quirk, self.tolerance, Until::End).ok()?;
            Some(Step { change: Change { quirk, ..change }, left, repairs: true })
        };
        changes.into_iter().filter_map(step).collect()
    }

    /// The change that leaves the fewest stages differing, among those that bring the first difference further.
    fn best(&self, tries: &[Change], first: &Fault) -> Option<Step> {
        let strict = self.strict(first);
        let screened = parallel::map(tries, parallel::cores(), |change| {
            self.judged(&change.architecture, change.quirk, strict, Until::FirstFault).ok()
        });
        let next =
            tries.iter().zip(screened).filter_map(|(change, left)| Some((change, left?.into_iter().next())));
        let further = next.filter(|(_, next)| next.as_ref().is_none_or(|next| next.key() > first.key()));
        let mut further: Vec<_> =
            further.map(|(change, next)| (next.map(|next| next.key()), change)).collect();
        further.sort_by_key(|(key, _)| (key.is_some(), Reverse(*key)));
        further.truncate(PROMISING);
        let steps = parallel::map(&further, parallel::cores(), |(key, change)| {
            let left = self.judged(&change.architecture, change.quirk, self.tolerance, Until::End).ok()?;
            let repairs = key.is_none_or(|key| key.stage > first.key().stage || key.step > first.key().step);
            Some(Step { change: (*change).clone(), left, repairs })
        });
        let worth =
            |step: &Step| (!step.repairs, step.left.len(), Reverse(step.left.first().map(Fault::key)));
        steps.into_iter().flatten().min_by_key(worth)
    }

    /// A repair must be much closer than what it repairs, so that no small change passes by being small.
    fn strict(&self, first: &Fault) -> f64 {
        (first.distance.relative / 4.0).clamp(ROUNDING.min(self.tolerance), self.tolerance)
    }

    fn judged(
        &self,
        architecture: &Architecture,
        quirk: Quirk,
        tolerance: f64,
        until: Until,
    ) -> Result<Vec<Fault>, Error> {
        let oracle = Oracle::with(architecture, self.bank, quirk)?;
        (self.judge)(&oracle, tolerance, until)
    }

    /// One number of the architecture, fitted to the first stage that differs.
    fn fit(&self, scene: &Scene<'_>, first: &Fault, quirk: Quirk) -> Option<Step> {
        fitted(first).iter().find_map(|(word, or)| {
            let known = scene.editor.values(word).iter().find_map(Json::as_f64);
            let start = known.filter(|x| *x != 0.0).unwrap_or(*or);
            let changed = |value: f64| scene.editor.set(word, |_, _| Some(json!(value)));
            let apart = |value: f64| {
                let faults = self.judged(&changed(value)?, quirk, 0.0, Until::Tap(first.tap)).ok()?;
                let same = faults.into_iter().find(|fault| fault.tap == first.tap);
                Some(same.map_or(0.0, |fault| fault.distance.relative))
            };
            let value =
                least(start, &|value| apart(value).unwrap_or(f64::INFINITY), first.distance.relative / 2.0)?;
            apart(value).filter(|apart| *apart <= self.strict(first))?;
            let architecture = changed(value)?;
            let left = self.judged(&architecture, quirk, self.tolerance, Until::End).ok()?;
            let repairs = left.first().is_none_or(|next| next.key().stage > first.key().stage);
            let name = "fitted".to_owned();
            let change = Change { word: (*word).to_owned(), name, architecture, quirk };
            repairs.then_some(Step { change, left, repairs })
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
        Stage::Experts => &[("norm.eps", 1e-6)],
        Stage::ExpertWeights => &[("experts.scale", 1.0), ("norm.eps", 1e-6)],
        Stage::MlpInput | Stage::MlpOutput | Stage::Layer => &[
            ("block.branch_scale", 1.0),
            ("block.residual_scale", 1.0),
            ("mlp.limit", 7.0),
            ("norm.eps", 1e-6),
            ("norm.offset", 1.0),
        ],
    }
}

/// Where `apart` is least, around a positive start: a coarse look over six decades, then a golden section. `None` if the
/// coarse look finds nothing below `promising`.
fn least(start: f64, apart: &(dyn Fn(f64) -> f64 + Sync), promising: f64) -> Option<f64> {
    const STEPS: i32 = 20;
    let grid: Vec<f64> = (-STEPS..=STEPS).map(|step| start * 2f64.powf(f64::from(step) / 2.0)).collect();
    let seen = parallel::map(&grid, parallel::cores(), |value| apart(*value));
    let best = (0..grid.len()).min_by(|a, b| seen[*a].total_cmp(&seen[*b]))?;
    // A number near the declared one lies between the steps of the coarse look.
    let near = (best as i32 - STEPS).abs() <= 1;
    if seen[best] > promising && !near {
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
