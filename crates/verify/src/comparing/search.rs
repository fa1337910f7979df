//! The cause: changes tried at the first stage that differs, on its own tensors alone.

use std::cmp::Ordering;

use camelid_families::{Architecture, Tap};

use super::bench::{Bench, Place};
use crate::changes::{Change, Editor};
use crate::error::Error;
use crate::explaining::{Scene, Together, changes};
use crate::oracle::Quirk;
use crate::parallel;

/// A change must bring a stage so much closer, however near it was.
const CLOSER: f64 = 0.7;
/// So many changes that repair the stage are looked at further.
const PROMISING: usize = 16;

/// A stage, how far it may be off, and how far it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Aim {
    /// `None` for logits.
    pub(super) tap: Option<Tap>,
    pub(super) limit: f64,
    pub(super) apart: f64,
}

/// What was found.
pub(super) struct Found {
    /// Changes of which any one explains it; or, where they are joined, all together, each over those before it.
    pub(super) changes: Vec<Change>,
    pub(super) joined: bool,
    /// Stages that differ still, of those that were looked at.
    pub(super) left: usize,
    pub(super) tried: usize,
}

/// What a change that repairs the stage leaves.
#[derive(Debug, Clone, Copy)]
struct Judged {
    /// Whether its own layer differs still: then it is no cause.
    own: bool,
    others: usize,
    apart: f64,
    /// How many words it changes.
    words: usize,
}

impl Place<'_> {
    /// Changes that bring the first aim within its limit, and leave the fewest of the others out of theirs. Several only where
    /// nothing tells them apart, or where none does it alone.
    pub(super) fn search(&self, first: Aim, others: &[Aim], tokens: &[usize]) -> Result<Found, Error> {
        let layers: Vec<usize> = others.iter().filter_map(|aim| aim.tap?.layer).collect();
        let scene = Scene {
            editor: Editor::new(self.declared),
            ids: &self.port.ids,
            config: self.config,
            first_token: tokens.first().copied().unwrap_or_default(),
            layers: &layers,
        };
        let mut tries = changes(&scene);
        tries.extend(self.fewer_layers(first));
        let singles: Vec<Vec<Change>> = tries.into_iter().map(|change| vec![change]).collect();
        let bench = Bench::of(self, first.tap)?;
        let mut tried = singles.len();
        let good = self.repairing(&bench, singles, first);
        if !good.is_empty() {
            let judged = self.judged(&good, first, others)?;
            if let Some((left, changes)) = best(&judged, &good) {
                return Ok(Found { changes, joined: false, left, tried });
            }
        }
        let together = Together::of(&scene);
        for size in together.sizes() {
            let combinations = together.combinations(size);
            tried += combinations.len();
            let good = self.repairing(&bench, combinations, first);
            let judged = self.judged(&good, first, others)?;
            let least =
                (0..good.len()).filter(|at| !judged[*at].own).min_by(|a, b| judged[*a].order(&judged[*b]));
            if let Some(at) = least {
                return Ok(Found {
                    changes: good[at].1.clone(),
                    joined: true,
                    left: judged[at].others,
                    tried,
                });
            }
        }
        Ok(Found { changes: Vec::new(), joined: false, left: 0, tried })
    }

    /// Those that bring the first stage within its limit, the nearest first, and how near.
    fn repairing(&self, bench: &Bench<'_>, tries: Vec<Vec<Change>>, first: Aim) -> Vec<(f64, Vec<Change>)> {
        let limit = first.limit.min(CLOSER * first.apart);
        let own = bench.cut(self.declared);
        let seen = parallel::map(&tries, parallel::cores(), |changes| {
            let last = changes.last()?;
            let same = last.quirk == Quirk::None && bench.cut(&last.architecture) == own;
            if same { None } else { bench.apart(&last.architecture, last.quirk) }
        });
        let near = seen.into_iter().zip(tries).filter_map(|(apart, changes)| Some((apart?, changes)));
        let mut good: Vec<_> = near.filter(|(apart, _)| *apart <= limit).collect();
        good.sort_by(|(a, _), (b, _)| a.total_cmp(b));
        good.truncate(PROMISING);
        good
    }

    /// What each leaves of the other stages.
    fn judged(&self, good: &[(f64, Vec<Change>)], first: Aim, others: &[Aim]) -> Result<Vec<Judged>, Error> {
        if good.is_empty() {
            return Ok(Vec::new());
        }
        let mut all: Vec<Judged> = good
            .iter()
            .map(|(apart, changes)| {
                let words = changes.last().map_or(0, |last| words(self.declared, last));
                Judged { own: false, others: 0, apart: *apart, words }
            })
            .collect();
        // One stage in memory at a time.
        for aim in others {
            let bench = Bench::of(self, aim.tap)?;
            let differs = parallel::map(good, parallel::cores(), |(_, changes)| {
                let apart = changes.last().and_then(|last| bench.apart(&last.architecture, last.quirk));
                apart.is_none_or(|apart| apart > aim.limit)
            });
            // What leaves its own layer differing is no cause.
            let own = aim.tap.zip(first.tap).is_some_and(|(a, b)| a.layer == b.layer && b.layer.is_some());
            for (judged, _) in all.iter_mut().zip(differs).filter(|(_, differs)| *differs) {
                judged.others += 1;
                judged.own |= own;
            }
        }
        Ok(all)
    }

    /// Layers left out at the end, where the port shows none of them.
    fn fewer_layers(&self, first: Aim) -> Vec<Change> {
        let of_a_layer = first.tap.is_some_and(|tap| tap.layer.is_some());
        let shown = self.port.taps.keys().filter_map(|tap| tap.layer).max().map_or(0, |layer| layer + 1);
        let all = self.declared.layers.len();
        let counts = if of_a_layer { 0..0 } else { shown.max(all.saturating_sub(3)).max(1)..all };
        counts
            .map(|count| {
                let mut architecture = self.declared.clone();
                architecture.layers.truncate(count);
                architecture.stack.layers = count;
                let (word, name) = ("block.layers".to_owned(), "layers left out at the end".to_owned());
                Change { word, name, architecture, quirk: Quirk::None }
            })
            .collect()
    }
}

impl Judged {
    fn order(&self, other: &Judged) -> Ordering {
        let first = self.others.cmp(&other.others).then(self.apart.total_cmp(&other.apart));
        first.then(self.words.cmp(&other.words))
    }
}

/// The changes that leave least, and how much that is; several where nothing tells them apart.
fn best(judged: &[Judged], good: &[(f64, Vec<Change>)]) -> Option<(usize, Vec<Change>)> {
    let best = *judged.iter().filter(|one| !one.own).min_by(|a, b| a.order(b))?;
    let alike =
        |one: &Judged| !one.own && one.others == best.others && one.apart <= best.apart * 1.001 + 1e-9;
    let fewest = judged.iter().filter(|one| alike(one)).map(|one| one.words).min()?;
    let mut changes: Vec<Change> = Vec::new();
    for (_, (_, change)) in judged.iter().zip(good).filter(|(one, _)| alike(one) && one.words == fewest) {
        for change in change {
            if changes.iter().all(|known| known.label() != change.label()) {
                changes.push(change.clone());
            }
        }
    }
    Some((best.others, changes))
}

/// How many words a change changes.
fn words(declared: &Architecture, change: &Change) -> usize {
    camelid_families::difference(declared, &change.architecture).len()
}
