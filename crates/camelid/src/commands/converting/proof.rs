//! The result, opened by its own declaration, beside the source: the same ids through both.

use std::path::Path;

use anyhow::ensure;
use camelid_families::{Backend, Compute, Grade, Library, Model, Observer, Stage, Tap};
use camelid_generate::{How, Opened, memory};
use ndarray::Array2;

use super::choose::Chosen;
use super::written::Rounded;

/// Stages that no fold changes: what layers read, what heads give, the stream. Others are scaled, or in another order.
const SHARED: [Stage; 5] =
    [Stage::Embedding, Stage::AttentionInput, Stage::Heads, Stage::MlpInput, Stage::Layer];
/// What f32 itself may differ by where sums are taken in another order.
const NOISE: f64 = 2e-5;
/// How much a rounding may show in the logits: depth and the sharpness of softmax make more of it.
pub(super) const GROWTH: f64 = 100.0;

/// What a comparison came to, each the largest difference over the largest number of the source.
#[derive(Debug, Clone)]
pub(super) struct Proof {
    pub(super) tokens: usize,
    pub(super) error: f64,
    pub(super) stages: f64,
    /// The stage that differs most.
    pub(super) worst: String,
}

impl Proof {
    /// What roundings explain.
    pub(super) fn limit(&self, rounded: &[Rounded]) -> f64 {
        let worst = rounded.iter().map(|it| it.by).fold(0.0, f64::max);
        NOISE + GROWTH * worst
    }
}

/// What a run showed.
pub(super) struct Shown<'a> {
    opened: &'a Opened,
    stages: Vec<(Tap, Array2<f32>)>,
    pub(super) logits: Array2<f32>,
}

impl Observer for Shown<'_> {
    fn at(&mut self, tap: Tap, value: Array2<f32>) -> Array2<f32> {
        if SHARED.contains(&tap.stage) {
            self.stages.push((tap, value.clone()));
        }
        // A layer is read once, and needs no more room than the largest tensor.
        self.opened.checkpoint().release();
        value
    }
}

/// Runs source and result on the same ids.
///
/// # Errors
/// The result is not read as what it is, or one of them does not run.
pub(super) fn prove(
    tokens: usize,
    opened: &Opened,
    chosen: &Chosen<'_>,
    path: &Path,
) -> anyhow::Result<Proof> {
    let result = open(path, opened, chosen)?;
    let ids = ids(tokens, opened, chosen)?;
    let before = run(opened, &ids)?;
    let after = run(&result, &ids)?;
    ensure!(before.logits.dim() == after.logits.dim(), "the result has logits of another shape");
    let (mut stages, mut worst) = (0.0, "none".to_owned());
    for (tap, value) in &before.stages {
        let Some((_, other)) = after.stages.iter().find(|(known, _)| known == tap) else { continue };
        let differs = if value.dim() == other.dim() { distance(value, other) } else { f64::INFINITY };
        if differs > stages {
            let layer = tap.layer.map_or_else(String::new, |layer| format!(" of layer {layer}"));
            (stages, worst) = (differs, format!("{}{layer}", tap.stage));
        }
    }
    Ok(Proof { tokens: ids.len(), error: distance(&before.logits, &after.logits), stages, worst })
}

/// The result, by its own declaration; what stayed in its family is read as the source was, and a GGUF file, which several
/// families may read alike, as the one that it was written as.
fn open(path: &Path, source: &Opened, chosen: &Chosen<'_>) -> anyhow::Result<Opened> {
    let library = Library::built_in()?;
    let named = chosen.is_gguf() || source.family().name == chosen.family.name;
    let family = named.then(|| chosen.family.name.clone());
    let how = How { family, ..How::default() };
    let result = Opened::open(&library, &path.display().to_string(), &how)?;
    ensure!(
        result.family().name == chosen.family.name,
        "the result would be read as `{}`, not as `{}`: config.json does not tell them apart",
        result.family().name,
        chosen.family.name
    );
    Ok(result)
}

/// Ids from all over the vocabulary, the same for every run.
pub(super) fn ids(tokens: usize, opened: &Opened, chosen: &Chosen<'_>) -> anyhow::Result<Vec<u32>> {
    let architecture = opened.architecture()?;
    let mut length = tokens.min(architecture.stack.context.unwrap_or(tokens));
    if let Grade::Within(within) = chosen.conversion.grade {
        length = length.min(within);
    }
    let vocab = architecture.embedding.vocab.max(1) as u64;
    let id = |at: u64| ((at + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 17) % vocab;
    let mut ids: Vec<u32> = (0..length as u64).map(|at| id(at) as u32).collect();
    // A prompt that is read both ways must say where it ends.
    if let Some(prefix) = &architecture.prefix {
        ids.retain(|id| *id != prefix.until && !prefix.hold.contains(id));
        ids.truncate(length.saturating_sub(2));
        let middle = ids.len() / 2;
        ids.insert(middle, prefix.until);
        ids.splice(middle..middle, prefix.hold.first().copied());
    }
    ensure!(!ids.is_empty(), "there is no token to compare on");
    Ok(ids)
}

pub(super) fn run<'a>(opened: &'a Opened, ids: &[u32]) -> anyhow::Result<Shown<'a>> {
    let model: Model = opened.model(Backend::new(memory::cores(), Compute::F32), &mut |_, _| {})?;
    let mut shown = Shown { opened, stages: Vec::new(), logits: Array2::zeros((0, 0)) };
    opened.checkpoint().release();
    let hidden = model.forward(ids, &mut model.cache(), &mut shown)?;
    shown.logits = model.logits(hidden.view());
    opened.checkpoint().release();
    Ok(shown)
}

pub(super) fn distance(a: &Array2<f32>, b: &Array2<f32>) -> f64 {
    let largest = a.iter().fold(0.0_f64, |most, x| most.max(f64::from(x.abs())));
    let most = a.iter().zip(b).fold(0.0_f64, |most, (a, b)| {
        let differs = (f64::from(*a) - f64::from(*b)).abs();
        // A NaN is no small difference.
        if differs.is_nan() { f64::INFINITY } else { most.max(differs) }
    });
    if largest > 0.0 { most / largest } else { most }
}
