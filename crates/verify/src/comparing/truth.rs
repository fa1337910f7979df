//! The family's truth at every tap of one text, under an engine's names: what a port may be held to in its own language.

use bytes::Bytes;
use camelid_checkpoint::{Dtype, Tensor};
use camelid_families::{Model, Observer, Tap};
use ndarray::Array2;

use super::names::{Meaning, Names};
use crate::error::Error;
use crate::told::stage_name;

/// What a family computes of a text.
#[derive(Debug)]
pub struct Truth {
    /// The ids, every stage that the names can say, and the logits.
    pub tensors: Vec<Tensor>,
    /// The stages that the names can't say, each once.
    pub unnamed: Vec<&'static str>,
}

/// Runs a model over a text and names what it computes. `front` is how the class of the model begins, for names that begin
/// with it.
///
/// # Errors
/// The model refuses the text.
pub fn truth(model: &Model, ids: &[u32], names: &Names, front: &str) -> Result<Truth, Error> {
    let mut watcher = Watcher(Vec::new());
    let hidden = model.forward(ids, &mut model.cache(), &mut watcher)?;
    let logits = model.logits(hidden.view());
    let layers = model.architecture().layers.len();
    let mut truth = Truth { tensors: Vec::new(), unnamed: Vec::new() };
    let bytes: Vec<u8> = ids.iter().flat_map(|id| i64::from(*id).to_le_bytes()).collect();
    if let Some(name) = names.name(Meaning::Ids, layers, front) {
        truth.tensors.push(Tensor::from_bytes(&name, Dtype::I64, &[ids.len()], Bytes::from(bytes))?);
    }
    let taps = watcher.0.iter().map(|(tap, value)| (Meaning::Tap(*tap), value, stage_name(tap.stage)));
    for (meaning, value, stage) in taps.chain([(Meaning::Logits, &logits, "logits")]) {
        match names.name(meaning, layers, front) {
            Some(name) => truth.tensors.push(tensor(&name, value)?),
            None if truth.unnamed.contains(&stage) => {}
            None => truth.unnamed.push(stage),
        }
    }
    Ok(truth)
}

struct Watcher(Vec<(Tap, Array2<f32>)>);

impl Observer for Watcher {
    fn at(&mut self, tap: Tap, value: Array2<f32>) -> Array2<f32> {
        self.0.push((tap, value.clone()));
        value
    }
}

fn tensor(name: &str, value: &Array2<f32>) -> Result<Tensor, Error> {
    let bytes: Vec<u8> = value.iter().flat_map(|x| x.to_le_bytes()).collect();
    Ok(Tensor::from_bytes(name, Dtype::F32, &[value.nrows(), value.ncols()], Bytes::from(bytes))?)
}
