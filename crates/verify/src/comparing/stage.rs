//! What a port shows, and our own stages from its inputs.

use std::collections::HashMap;

use camelid_checkpoint::Tensor;
use camelid_families::{Model, Observer, Stage, Tap};
use ndarray::{Array2, ArrayView2, Axis, Slice};

use super::dump::Dump;
use super::names::{Known, Meaning, Names};
use super::precision::Precision;
use crate::error::Error;

/// A stage differs where it is further away than so many times what its precision does.
pub(super) const LIMIT: f64 = 2.0;

/// What a port shows of one text. A value may have the last rows only.
#[derive(Debug)]
pub(super) struct Shows {
    pub(super) ids: Vec<u32>,
    pub(super) taps: HashMap<Tap, Array2<f32>>,
    pub(super) logits: Option<Array2<f32>>,
    pub(super) unmatched: Vec<String>,
}

impl Shows {
    /// Reads what the names know; the first of `names` that knows a tensor counts.
    pub(super) fn read(dump: &Dump, names: &[Names], model: &Model) -> Result<Shows, Error> {
        let Sorted { known, mut unmatched } = Sorted::of(dump, names, model.architecture().layers.len())?;
        let ids = known.get(&Meaning::Ids).and_then(|parts| parts.first()).ok_or_else(|| {
            dump.wrong(
                "there are no `input_ids`: add the prompt's ids to the dump, or name their tensor in --map"
                    .into(),
            )
        })?;
        let ids = dump.ids(ids)?;
        let features = widths(model, &ids)?;
        let (mut taps, mut logits) = (HashMap::new(), None);
        for (meaning, parts) in &known {
            let sum = |features: usize| dump.sum(parts, ids.len(), features);
            match meaning {
                Meaning::Ids => {}
                Meaning::Logits => logits = Some(sum(model.architecture().embedding.vocab)?),
                Meaning::Tap(tap) => match features.get(tap) {
                    Some(features) => {
                        taps.insert(*tap, sum(*features)?);
                    }
                    None => unmatched.extend(parts.iter().map(|tensor| tensor.name().to_owned())),
                },
            }
        }
        if taps.is_empty() && logits.is_none() {
            return Err(dump.wrong(format!(
                "no name in it is known ({}): say with --map FILE.toml what they mean",
                unmatched.iter().take(3).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
            )));
        }
        unmatched.sort();
        Ok(Shows { ids, taps, logits, unmatched })
    }

    /// A value with the port's rows in its place, as far as they are finite.
    pub(super) fn instead(&self, tap: Tap, mut value: Array2<f32>) -> Array2<f32> {
        if let Some(theirs) = self.taps.get(&tap) {
            let skipped = value.nrows() - theirs.nrows();
            for (row, theirs) in theirs.outer_iter().enumerate() {
                if theirs.iter().all(|x| x.is_finite()) {
                    value.row_mut(skipped + row).assign(&theirs);
                }
            }
        }
        value
    }

    /// The taps in the order of the arithmetic.
    pub(super) fn order(&self) -> Vec<Tap> {
        let mut taps: Vec<Tap> = self.taps.keys().copied().collect();
        taps.sort_by_key(|tap| crate::running::order(*tap));
        taps
    }
}

/// The tensors of a dump by what they mean: several where a stage is a sum.
struct Sorted<'a> {
    known: HashMap<Meaning, Vec<&'a Tensor>>,
    unmatched: Vec<String>,
}

impl<'a> Sorted<'a> {
    fn of(dump: &'a Dump, names: &[Names], layers: usize) -> Result<Sorted<'a>, Error> {
        let mut found: HashMap<(Meaning, usize), (Known, &Tensor)> = HashMap::new();
        let mut unmatched = Vec::new();
        for tensor in dump.tensors() {
            let Some(known) = names.iter().find_map(|names| names.known_as(tensor.name(), layers)) else {
                unmatched.push(tensor.name().to_owned());
                continue;
            };
            let key = (known.meaning, known.part.0);
            match found.get(&key) {
                None => {
                    found.insert(key, (known, tensor));
                }
                Some(_) if known.meaning == Meaning::Ids => {}
                // The name that stands first counts; what stands under a later one is told.
                Some((other, _)) if known.rank > other.rank => unmatched.push(tensor.name().to_owned()),
                Some((other, before)) if known.rank < other.rank => {
                    unmatched.push(before.name().to_owned());
                    found.insert(key, (known, tensor));
                }
                Some((_, other)) if !other.same_numbers(tensor)? => {
                    return Err(dump.wrong(format!(
                        "`{}` and `{}` are the same stage and differ: say in --map which it is",
                        other.name(),
                        tensor.name()
                    )));
                }
                Some(_) => {}
            }
        }
        Ok(Sorted::whole(&found, unmatched))
    }

    /// What is whole; a part of a sum without the others is told.
    fn whole(
        found: &HashMap<(Meaning, usize), (Known, &'a Tensor)>,
        mut unmatched: Vec<String>,
    ) -> Sorted<'a> {
        let mut known = HashMap::new();
        for ((meaning, part), (first, _)) in found {
            if *part > 0 && found.contains_key(&(*meaning, 0)) {
                continue;
            }
            let parts: Vec<&Tensor> =
                (0..first.part.1).filter_map(|part| Some(found.get(&(*meaning, part))?.1)).collect();
            if parts.len() == first.part.1 {
                known.insert(*meaning, parts);
            } else {
                unmatched.extend(parts.iter().map(|tensor| tensor.name().to_owned()));
            }
        }
        unmatched.sort();
        unmatched.dedup();
        Sorted { known, unmatched }
    }
}

/// The features of each tap, seen on the first token.
fn widths(model: &Model, ids: &[u32]) -> Result<HashMap<Tap, usize>, Error> {
    struct Widths(HashMap<Tap, usize>);
    impl Observer for Widths {
        fn at(&mut self, tap: Tap, value: Array2<f32>) -> Array2<f32> {
            self.0.insert(tap, value.ncols());
            value
        }
    }
    let mut widths = Widths(HashMap::new());
    let first = if model.architecture().prefix.is_some() { ids } else { &ids[..ids.len().min(1)] };
    model.forward(first, &mut model.cache(), &mut widths)?;
    Ok(widths.0)
}

/// Our stages, each from the port's input to it.
#[derive(Debug)]
pub(super) struct Ours {
    pub(super) taps: HashMap<Tap, Array2<f32>>,
    pub(super) logits: Option<Array2<f32>>,
}

struct Watcher<'a> {
    port: &'a Shows,
    rounding: Option<Precision>,
    seen: HashMap<Tap, Array2<f32>>,
}

impl Observer for Watcher<'_> {
    fn at(&mut self, tap: Tap, mut value: Array2<f32>) -> Array2<f32> {
        if let Some(precision) = self.rounding {
            precision.shown(&mut value);
        }
        if self.port.taps.contains_key(&tap) {
            self.seen.insert(tap, value.clone());
        }
        let mut next = self.port.instead(tap, value);
        if let Some(precision) = self.rounding {
            precision.read(tap, &mut next);
        }
        next
    }
}

/// Runs every stage from the port's input, as it is or rounded.
pub(super) fn ours(model: &Model, port: &Shows, rounding: Option<Precision>) -> Result<Ours, Error> {
    let mut watcher = Watcher { port, rounding, seen: HashMap::new() };
    let hidden = model.forward(&port.ids, &mut model.cache(), &mut watcher)?;
    let logits = port.logits.as_ref().map(|theirs| {
        let rows = Slice::from(-(theirs.nrows() as isize)..);
        let mut logits = model.logits(hidden.slice_axis(Axis(0), rows));
        if let Some(precision) = rounding {
            precision.shown(&mut logits);
        }
        logits
    });
    Ok(Ours { taps: watcher.seen, logits })
}

/// RMS (a − b) / RMS b, over the rows that both have; infinite where a number is not finite.
pub(super) fn residual<A: Copy + Into<f64>, B: Copy + Into<f64>>(
    a: ArrayView2<'_, A>,
    b: ArrayView2<'_, B>,
) -> f64 {
    let last = last_rows(b, a.nrows());
    let (mut apart, mut size) = (0f64, 0f64);
    for (a, b) in a.iter().zip(last) {
        let (a, b): (f64, f64) = ((*a).into(), (*b).into());
        apart += (a - b) * (a - b);
        size += b * b;
    }
    let ratio = if size > 0.0 { (apart / size).sqrt() } else { apart.sqrt() };
    if ratio.is_nan() { f64::INFINITY } else { ratio }
}

/// So many rows from the end.
pub(super) fn last_rows<T>(table: ArrayView2<'_, T>, rows: usize) -> ArrayView2<'_, T> {
    let skipped = table.nrows().saturating_sub(rows);
    table.split_at(Axis(0), skipped).1
}

/// Whether a stage is a whole stream, from which the layers after it can be run.
pub(super) fn is_stream(tap: Tap) -> bool {
    matches!(tap.stage, Stage::Embedding | Stage::Layer)
}
