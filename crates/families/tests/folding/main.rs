//! Laws of folding: whatever a family says, what is folded into another form computes the same function.

mod folds;
mod structure;

use std::path::Path;

use camelid_checkpoint::{Checkpoint, Dtype, Tensor};
use camelid_families::{Allow, Architecture, Backend, Conversion, Declaration, Model, Source, in_memory};
use ndarray::Array2;
use serde_json::{Map, Value as Json};

/// A checkpoint of random numbers: `spread` of a tensor's name and shape is what they lie around, and how far from it at most.
fn checkpoint(
    architecture: &Architecture,
    config: Map<String, Json>,
    seed: u64,
    spread: impl Fn(&str, &[usize]) -> (f32, f32),
) -> Checkpoint {
    let mut state = seed | 1;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    let tensors = architecture.plan().tensors.into_iter().map(|planned| {
        let count: usize = planned.shape.iter().product();
        let (base, scale) = spread(&planned.name, &planned.shape);
        let bytes: Vec<u8> = (0..count).flat_map(|_| (base + scale * next()).to_le_bytes()).collect();
        Tensor::from_bytes(&planned.name, Dtype::F32, &planned.shape, bytes.into()).expect("a tensor")
    });
    Checkpoint::from_parts(Path::new("mine"), config, tensors.collect()).expect("a checkpoint")
}

fn logits(family: &Declaration, config: &Map<String, Json>, checkpoint: &Checkpoint) -> Array2<f32> {
    let model: Model = family
        .load(config, checkpoint, Backend::serial(), &Allow::default())
        .unwrap_or_else(|error| panic!("{error}"));
    let ids: Vec<u32> = (0..24).map(|at| (at * 7 + 3) % 40).collect();
    let hidden = model.forward(&ids, &mut model.cache(), &mut ()).expect("it runs");
    model.logits(hidden.view())
}

/// Runs a source and what it was converted to: the largest difference of a logit over the largest logit.
fn apart(source: Source<'_>, checkpoint: &Checkpoint, target: &Declaration, conversion: &Conversion) -> f32 {
    let tensors = in_memory(&conversion.tensors, checkpoint, Dtype::F32).expect("the tensors");
    let result = Checkpoint::from_parts(Path::new("folded"), conversion.config.clone(), tensors)
        .expect("a checkpoint");
    let ours = logits(source.family, source.config, checkpoint);
    let theirs = logits(target, &conversion.config, &result);
    let most = |values: &Array2<f32>| values.iter().fold(0f32, |most, x| most.max(x.abs()));
    most(&(&ours - &theirs)) / most(&ours)
}
