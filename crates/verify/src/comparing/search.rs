//! The cause: changes tried at the first stage that differs, on its own tensors alone.

use std::collections::HashSet;

use camelid_checkpoint::Checkpoint;
use camelid_families::{Architecture, Role, Stage, Tap};
use ndarray::{Array2, ArrayView2, Axis, Slice};
use serde_json::{Map, Value as Json};

use super::stage::{Shows, is_stream, residual};
use crate::changes::{Change, Editor};
use crate::error::Error;
use crate::explaining::{Scene, changes};
use crate::oracle::{Bank, Halt, Oracle, Quirk, Sight};
use crate::parallel;

/// A change must bring a stage so much closer, however near it was.
const CLOSER: f64 = 0.7;
/// So many changes that repair the stage are looked at further.
const PROMISING: usize = 16;
/// So many columns of logits tell a head.
const COLUMNS: usize = 256;

/// Where a cause is looked for.
pub(super) struct Place<'a> {
    pub(super) declared: &'a Architecture,
    pub(super) config: &'a Map<String, Json>,
    pub(super) checkpoint: &'a Checkpoint,
    pub(super) port: &'a Shows,
}

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
    pub(super) changes: Vec<Change>,
    /// Stages that differ still, of those that were looked at.
    pub(super) left: usize,
    pub(super) tried: usize,
}

impl Place<'_> {
    /// Changes that bring the first aim within its limit, and leave the fewest of the others out of theirs. Several only where
    /// nothing tells them apart.
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
        let tried = tries.len();
        let bench = Bench::of(self, first.tap)?;
        let limit = first.limit.min(CLOSER * first.apart);
        let seen = parallel::map(&tries, parallel::cores(), |change| {
            let same =
                change.quirk == Quirk::None && bench.cut(&change.architecture) == bench.cut(self.declared);
            if same { None } else { bench.apart(change) }
        });
        let mut good: Vec<(f64, &Change)> =
            seen.into_iter().zip(&tries).filter_map(|(apart, change)| Some((apart?, change))).collect();
        good.retain(|(apart, _)| *apart <= limit);
        good.sort_by(|(a, _), (b, _)| a.total_cmp(b));
        good.truncate(PROMISING);
        let benches: Vec<(Aim, Bench<'_>)> =
            others.iter().map(|aim| Ok((*aim, Bench::of(self, aim.tap)?))).collect::<Result<_, Error>>()?;
        let judged = parallel::map(&good, parallel::cores(), |(apart, change)| {
            let differs: Vec<&Aim> = benches
                .iter()
                .filter(|(aim, bench)| bench.apart(change).is_none_or(|apart| apart > aim.limit))
                .map(|(aim, _)| aim)
                .collect();
            // What leaves its own layer differing is no cause.
            let own = |aim: &&Aim| {
                aim.tap.zip(first.tap).is_some_and(|(a, b)| a.layer == b.layer && b.layer.is_some())
            };
            let leaves = differs.iter().copied().any(|aim| own(&aim));
            (leaves, differs.len(), *apart, words(self.declared, change))
        });
        let order = |a: &(bool, usize, f64, usize), b: &(bool, usize, f64, usize)| {
            a.1.cmp(&b.1).then(a.2.total_cmp(&b.2)).then(a.3.cmp(&b.3))
        };
        let best = judged.iter().copied().filter(|judged| !judged.0).min_by(order);
        let Some(best) = best else { return Ok(Found { changes: Vec::new(), left: 0, tried }) };
        let alike =
            |one: &(bool, usize, f64, usize)| !one.0 && one.1 == best.1 && one.2 <= best.2 * 1.001 + 1e-9;
        let fewest = judged.iter().filter(|one| alike(one)).map(|one| one.3).min().unwrap_or_default();
        let mut changes: Vec<Change> = Vec::new();
        for (_, (_, change)) in judged.iter().zip(&good).filter(|(one, _)| alike(one) && one.3 == fewest) {
            if changes.iter().all(|known| known.label() != change.label()) {
                changes.push((*change).clone());
            }
        }
        Ok(Found { changes, left: best.1, tried })
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

/// One stage alone: the layers from the last stream that the port shows to it, and only their tensors.
struct Bench<'a> {
    port: &'a Shows,
    tap: Option<Tap>,
    /// The stream that they begin with.
    entry: Option<Tap>,
    layers: std::ops::Range<usize>,
    ids: Vec<u32>,
    /// The rows of the table of embeddings, and of the head, that are kept; all where it is `None`.
    rows: Option<Vec<usize>>,
    bank: Bank,
}

impl<'a> Bench<'a> {
    fn of(place: &Place<'a>, tap: Option<Tap>) -> Result<Bench<'a>, Error> {
        let (declared, port) = (place.declared, place.port);
        let end = match tap {
            Some(Tap { layer: Some(layer), .. }) => layer + 1,
            Some(Tap { stage: Stage::Embedding, .. }) => 0,
            Some(_) | None => declared.layers.len(),
        };
        let whole = declared.per_layer.is_some()
            || declared.layers.iter().any(|layer| layer.attention.source.is_some());
        let before = |entry: &Tap| match (entry.layer, tap) {
            (layer, Some(tap)) if tap.layer.is_some() => layer < tap.layer,
            (_, Some(tap)) => tap.stage != Stage::Embedding,
            (_, None) => true,
        };
        let full = |entry: &Tap| {
            port.taps[entry].nrows() == port.ids.len() && port.taps[entry].iter().all(|x| x.is_finite())
        };
        let mut streams =
            port.order().into_iter().filter(|entry| is_stream(*entry) && before(entry) && full(entry));
        let entry = streams.rfind(|entry| !whole || entry.layer.is_none());
        let start = entry.map_or(0, |entry| entry.layer.map_or(0, |layer| layer + 1));
        let mut bench = Bench {
            port,
            tap,
            entry,
            layers: start..end,
            ids: port.ids.clone(),
            rows: None,
            bank: Bank::default(),
        };
        bench.choose_rows(declared);
        let needed: HashSet<String> =
            bench.cut(declared).plan().tensors.into_iter().map(|planned| planned.name).collect();
        let outside = [Role::Embedding, Role::Output].map(|role| name_of(declared, role));
        let keep = |name: &str| needed.contains(name) || outside.iter().flatten().any(|known| known == name);
        bench.bank = Bank::chosen(place.checkpoint, &keep)?;
        if let Some(rows) = &bench.rows {
            for name in outside.iter().flatten() {
                bench.bank = bench.bank.with_rows(name, rows);
            }
        }
        Ok(bench)
    }

    /// Which rows of the embedding and of the head the stage needs.
    fn choose_rows(&mut self, declared: &Architecture) {
        if declared.per_layer.is_some() || declared.prefix.is_some() {
            return;
        }
        match (self.entry, self.tap) {
            (Some(_), None) => {
                let vocab = declared.embedding.vocab;
                self.rows = Some((0..vocab).step_by(vocab.div_ceil(COLUMNS).max(1)).collect());
                self.ids = vec![0; self.port.ids.len()];
            }
            (Some(_), Some(_)) => {
                self.rows = Some(vec![0]);
                self.ids = vec![0; self.port.ids.len()];
            }
            (None, Some(_)) => {
                let mut rows: Vec<usize> = self.port.ids.iter().map(|id| *id as usize).collect();
                rows.sort_unstable();
                rows.dedup();
                let place = |id: &u32| rows.binary_search(&(*id as usize)).unwrap_or_default() as u32;
                self.ids = self.port.ids.iter().map(place).collect();
                self.rows = Some(rows);
            }
            (None, None) => {}
        }
    }

    /// The part of an architecture that the stage is.
    fn cut(&self, whole: &Architecture) -> Architecture {
        let mut part = whole.clone();
        let end = self.layers.end.min(whole.layers.len());
        part.layers = whole.layers[self.layers.start.min(end)..end].to_vec();
        part.stack.layers = part.layers.len();
        if let Some(rows) = &self.rows {
            part.embedding.vocab = rows.len();
        }
        part
    }

    /// How far the port is from a changed stage; `None` where the change can't be made here.
    fn apart(&self, change: &Change) -> Option<f64> {
        let part = self.cut(&change.architecture);
        let oracle = Oracle::with(&part, &self.bank, change.quirk).ok()?;
        let mut found = None;
        let logits = oracle.run(&self.ids, &Sight::whole(self.ids.len()), &mut |tap, value| {
            let real = Tap { layer: tap.layer.map(|layer| layer + self.layers.start), ..tap };
            if Some(real) == self.tap {
                let theirs = self.port.taps.get(&real);
                found = theirs
                    .filter(|theirs| theirs.ncols() == value.ncols())
                    .map(|theirs| residual(theirs.view(), value.view()));
                return Err(Halt::Enough);
            }
            let begins = tap.stage == Stage::Embedding && self.entry.is_some();
            Ok(self.given(if begins { self.entry.unwrap_or(real) } else { real }, value))
        });
        match logits {
            Ok(logits) => self.port.logits.as_ref().and_then(|theirs| self.of_logits(theirs.view(), &logits)),
            Err(Halt::Enough) => found,
            Err(Halt::Wrong(_)) => None,
        }
    }

    /// The port's value, where it shows one.
    fn given(&self, tap: Tap, mut value: Array2<f64>) -> Array2<f64> {
        if let Some(theirs) = self.port.taps.get(&tap).filter(|theirs| theirs.ncols() == value.ncols()) {
            let skipped = value.nrows() - theirs.nrows();
            value.slice_axis_mut(Axis(0), Slice::from(skipped..)).assign(&theirs.mapv(f64::from));
        }
        value
    }

    fn of_logits(&self, theirs: ArrayView2<'_, f32>, ours: &Array2<f64>) -> Option<f64> {
        let columns = match &self.rows {
            Some(rows) => theirs.select(Axis(1), rows),
            None => theirs.to_owned(),
        };
        (columns.ncols() == ours.ncols()).then(|| residual(columns.view(), ours.view()))
    }
}

/// How many words a change changes.
fn words(declared: &Architecture, change: &Change) -> usize {
    camelid_families::difference(declared, &change.architecture).len()
}

fn name_of(architecture: &Architecture, role: Role) -> Option<String> {
    let named = architecture.tensor(None, role).filter(|named| named.roles == [role])?;
    Some(named.part(camelid_families::Part::Weight, None))
}
