//! A case: a tiny checkpoint, and what the family's original implementation made of it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use camelid_checkpoint::{Checkpoint, Dtype, Mapping, Source, Tensor, read_safetensors};
use camelid_families::{Stage, Tap};
use ndarray::Array2;
use serde_json::{Map, Value as Json};

use crate::error::Error;
use crate::told::{Distance, NOISE};

/// A case, opened: the reference is read whole, the checkpoint is mapped.
#[derive(Debug)]
pub struct Case {
    /// The folder's name.
    pub name: String,
    /// The folder.
    pub path: PathBuf,
    /// The checkpoint's config.json.
    pub config: Map<String, Json>,
    /// The checkpoint.
    pub checkpoint: Checkpoint,
    /// What the original made of it.
    pub reference: Reference,
}

/// What the original implementation gives.
#[derive(Debug)]
pub struct Reference {
    /// The prompt.
    pub input_ids: Vec<u32>,
    /// Values at as many taps as the case has, in the order of the arithmetic.
    pub taps: Vec<(Tap, Array2<f64>)>,
    /// `[tokens, vocab]`, computed in f32.
    pub logits: Array2<f64>,
    /// The same code in f64, where the case has it.
    pub logits_f64: Option<Array2<f64>>,
    /// The greedy continuation, decoded with the reference's cache.
    pub greedy_ids: Vec<u32>,
    /// The logits that each token of it was chosen from, `[greedy_ids, vocab]`, where the case has them.
    pub greedy_logits: Option<Array2<f64>>,
    /// The greedy continuation where each token is computed from the whole text anew, where that differs.
    pub greedy_ids_nocache: Option<Vec<u32>>,
}

impl Case {
    /// Opens a case's folder.
    ///
    /// # Errors
    /// A file is missing, is not what it should be, or a tensor of the reference has an impossible shape.
    pub fn open(path: &Path) -> Result<Case, Error> {
        let checkpoint = Checkpoint::open(path)?;
        let config = checkpoint.config().cloned().ok_or_else(|| Error::Case {
            path: path.to_owned(),
            message: "there is no config.json".into(),
        })?;
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let source = Source::open(&path.join("reference.safetensors"), Mapping::Read)?;
        let reference = Reference::read(&Arc::new(source))?;
        Ok(Case { name, path: path.to_owned(), config, checkpoint, reference })
    }
}

impl Reference {
    /// The reference's value at a tap, where the case has it.
    #[must_use]
    pub fn tap(&self, tap: Tap) -> Option<&Array2<f64>> {
        self.taps.iter().find(|(known, _)| *known == tap).map(|(_, value)| value)
    }

    /// Reads a case's `reference.safetensors`.
    ///
    /// # Errors
    /// It is no such file, a tensor is missing, or has an impossible shape. What is no finite number is a difference, to be
    /// located as any other; only `logits_f64`, which others are judged by, must be finite.
    pub fn read(source: &Arc<Source>) -> Result<Reference, Error> {
        let path = source.path();
        let tensors = read_safetensors(source)?;
        let find = |name: &str| tensors.iter().find(|tensor| tensor.name() == name);
        let need = |name: &str| find(name).ok_or_else(|| wrong(path, format!("there is no tensor `{name}`")));
        let input_ids = ids(need("input_ids")?)?;
        if input_ids.is_empty() {
            return Err(wrong(path, "`input_ids` is empty".into()));
        }
        let tokens = input_ids.len();
        let logits = table(need("logits")?, tokens)?;
        let logits_f64 = find("logits_f64").map(|tensor| table(tensor, tokens)).transpose()?;
        if let Some(other) = logits_f64.as_ref().filter(|other| other.dim() != logits.dim()) {
            let message = format!("`logits_f64` is {:?}, but `logits` is {:?}", other.dim(), logits.dim());
            return Err(wrong(path, message));
        }
        if let Some(exact) = &logits_f64 {
            agrees_with_itself(path, &logits, exact)?;
        }
        let mut taps = Vec::new();
        for tensor in &tensors {
            if let Some(tap) = tap(tensor.name()) {
                taps.push((tap, table(tensor, tokens)?));
            }
        }
        taps.sort_by_key(|(tap, _)| order(*tap));
        let greedy_ids = ids(need("greedy_ids")?)?;
        let greedy_logits = find("greedy_logits").map(|t| table(t, greedy_ids.len())).transpose()?;
        Ok(Reference {
            taps,
            logits,
            logits_f64,
            greedy_ids,
            greedy_logits,
            greedy_ids_nocache: find("greedy_ids_nocache").map(ids).transpose()?,
            input_ids,
        })
    }
}

/// A reference whose own f32 and f64 are further apart than rounding takes them judges nobody.
fn agrees_with_itself(path: &Path, logits: &Array2<f64>, exact: &Array2<f64>) -> Result<(), Error> {
    if !exact.iter().all(|logit| logit.is_finite()) {
        return Err(wrong(path, "`logits_f64` holds what is no finite number".into()));
    }
    // Located, where it first stands.
    if !logits.iter().all(|logit| logit.is_finite()) {
        return Ok(());
    }
    let apart = Distance::between(logits.view(), exact.view()).relative;
    if apart <= NOISE {
        return Ok(());
    }
    let message = format!(
        "the reference disagrees with itself: `logits` and `logits_f64` are {apart:.1e} of the largest logit apart, where rounding explains {NOISE:.0e} at most"
    );
    Err(wrong(path, message))
}

/// In the order of the arithmetic.
pub(crate) fn order(tap: Tap) -> (usize, Stage) {
    match tap.stage {
        Stage::Embedding => (0, tap.stage),
        Stage::FinalNorm => (usize::MAX, tap.stage),
        stage => (tap.layer.map_or(0, |layer| layer.saturating_add(1)), stage),
    }
}

/// The tap of a reference's tensor, by its name.
fn tap(name: &str) -> Option<Tap> {
    let outside = |stage| Some(Tap { layer: None, stage });
    match name {
        "hidden.embedding" => return outside(Stage::Embedding),
        "hidden.final_norm" => return outside(Stage::FinalNorm),
        _ => {}
    }
    let (kind, layer) = name.rsplit_once('.')?;
    let stage = match kind {
        "hidden.layer" => Stage::Layer,
        "attention" => Stage::AttentionOutput,
        "mlp" => Stage::MlpOutput,
        "experts" => Stage::Experts,
        "expert_weights" => Stage::ExpertWeights,
        "query" => Stage::Query,
        "key" => Stage::Key,
        "value" => Stage::Value,
        "heads" => Stage::Heads,
        _ => return None,
    };
    Some(Tap { layer: Some(layer.parse().ok()?), stage })
}

fn wrong(path: &Path, message: String) -> Error {
    Error::Case { path: path.to_owned(), message }
}

fn ids(tensor: &Tensor) -> Result<Vec<u32>, Error> {
    let id = |id: i64| {
        u32::try_from(id)
            .map_err(|_| wrong(tensor.path(), format!("`{}` holds {id}, which is no id", tensor.name())))
    };
    tensor.to_i64()?.into_iter().map(id).collect()
}

/// A tensor as `[tokens, features]`; heads, where it has them, side by side.
fn table(tensor: &Tensor, tokens: usize) -> Result<Array2<f64>, Error> {
    let fits = tensor.shape().len() >= 2 && tensor.shape()[0] == tokens;
    let values = match tensor.dtype() {
        _ if !fits => Vec::new(),
        Dtype::I64 => tensor.to_i64()?.into_iter().map(|number| number as f64).collect(),
        _ => tensor.to_f64()?,
    };
    let shape = (tokens, values.len() / tokens.max(1));
    let table = Array2::from_shape_vec(shape, values).ok().filter(|_| fits);
    table.ok_or_else(|| {
        let message = format!("`{}` is {:?}, but there are {tokens} tokens", tensor.name(), tensor.shape());
        wrong(tensor.path(), message)
    })
}
