//! One stage alone, so that a change costs a stage and not a model.

use std::collections::HashSet;

use camelid_checkpoint::Checkpoint;
use camelid_families::{Architecture, Role, Stage, Tap};
use ndarray::{Array2, ArrayView2, Axis, Slice};
use serde_json::{Map, Value as Json};

use super::stage::{Shows, is_stream, residual};
use crate::error::Error;
use crate::oracle::{Bank, Halt, Oracle, Quirk, Sight};

/// So many columns of logits tell a head.
const COLUMNS: usize = 256;

/// Where a cause is looked for.
pub(super) struct Place<'a> {
    pub(super) declared: &'a Architecture,
    pub(super) config: &'a Map<String, Json>,
    pub(super) checkpoint: &'a Checkpoint,
    pub(super) port: &'a Shows,
}

/// One stage alone: the layers from the last stream that the port shows to it, and only their tensors.
pub(super) struct Bench<'a> {
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
    pub(super) fn of(place: &Place<'a>, tap: Option<Tap>) -> Result<Bench<'a>, Error> {
        let (declared, port) = (place.declared, place.port);
        let end = match tap {
            Some(Tap { layer: Some(layer), .. }) => layer + 1,
            Some(Tap { stage: Stage::Embedding, .. }) => 0,
            Some(_) | None => declared.layers.len(),
        };
        let entry = entry(declared, port, tap);
        let start = entry.map_or(0, |entry| entry.layer.map_or(0, |layer| layer + 1));
        let (layers, ids) = (start..end, port.ids.clone());
        let mut bench = Bench { port, tap, entry, layers, ids, rows: None, bank: Bank::default() };
        bench.choose_rows(declared);
        bench.read(declared, place.checkpoint)?;
        Ok(bench)
    }

    /// Reads the stage's own tensors, and of the embedding and the head the rows that it needs.
    fn read(&mut self, declared: &Architecture, checkpoint: &Checkpoint) -> Result<(), Error> {
        let needed: HashSet<String> =
            self.cut(declared).plan().tensors.into_iter().map(|planned| planned.name).collect();
        let outside = [Role::Embedding, Role::Output].map(|role| name_of(declared, role));
        let keep = |name: &str| needed.contains(name) || outside.iter().flatten().any(|known| known == name);
        let rows = |name: &str| {
            let is_outside = outside.iter().flatten().any(|known| known == name);
            self.rows.as_deref().filter(|_| is_outside)
        };
        self.bank = Bank::chosen(checkpoint, &keep, &rows)?;
        Ok(())
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
    pub(super) fn cut(&self, whole: &Architecture) -> Architecture {
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
    pub(super) fn apart(&self, architecture: &Architecture, quirk: Quirk) -> Option<f64> {
        let part = self.cut(architecture);
        let oracle = Oracle::with(&part, &self.bank, quirk).ok()?;
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

fn name_of(architecture: &Architecture, role: Role) -> Option<String> {
    let named = architecture.tensor(None, role).filter(|named| named.roles == [role])?;
    Some(named.part(camelid_families::Part::Weight, None))
}

/// The last whole stream that the port shows before a stage, from which the layers to it can be run.
fn entry(declared: &Architecture, port: &Shows, tap: Option<Tap>) -> Option<Tap> {
    let whole =
        declared.per_layer.is_some() || declared.layers.iter().any(|layer| layer.attention.source.is_some());
    let before = |entry: &Tap| match (entry.layer, tap) {
        (layer, Some(tap)) if tap.layer.is_some() => layer < tap.layer,
        (_, Some(tap)) => tap.stage != Stage::Embedding,
        (_, None) => true,
    };
    let full = |entry: &Tap| {
        port.taps[entry].nrows() == port.ids.len() && port.taps[entry].iter().all(|x| x.is_finite())
    };
    let streams = port.order().into_iter().filter(|entry| is_stream(*entry) && before(entry) && full(entry));
    streams.rev().find(|entry| !whole || entry.layer.is_none())
}
