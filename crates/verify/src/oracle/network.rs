//! The road through the network: embedding, layers, final norm, logits. What a layer is made of stands in the other files.

use camelid_families::{Architecture, Residual, Role, Stage, Tap, Wiring};
use ndarray::Array2;

use super::position;
use super::sight::{Halt, Hook, Kept, Quirk, Sight};
use super::tensors::{Bank, Tensors, wrong};
use crate::error::Error;

/// The second implementation of one architecture over one checkpoint.
#[derive(Debug)]
pub(crate) struct Oracle<'a> {
    pub(super) architecture: &'a Architecture,
    pub(super) tensors: Tensors,
    pub(super) quirk: Quirk,
}

impl<'a> Oracle<'a> {
    /// The declaration as it is.
    pub(crate) fn new(architecture: &'a Architecture, bank: &Bank) -> Result<Oracle<'a>, Error> {
        Oracle::with(architecture, bank, Quirk::None)
    }

    /// The same with a slip.
    pub(crate) fn with(
        architecture: &'a Architecture,
        bank: &Bank,
        quirk: Quirk,
    ) -> Result<Oracle<'a>, Error> {
        for layer in &architecture.layers {
            position::check(architecture, layer)?;
        }
        Ok(Oracle { architecture, tensors: Tensors::of(architecture, bank)?, quirk })
    }

    pub(crate) fn architecture(&self) -> &Architecture {
        self.architecture
    }

    /// How many heads stand side by side at a stage, if any do.
    pub(crate) fn heads(&self, tap: Tap) -> Option<usize> {
        let layer = &self.architecture.layers[tap.layer?];
        let attention = &layer.attention;
        let [query, key, value, out] = match &layer.delta {
            Some(delta) => [delta.key_heads, delta.key_heads, delta.value_heads, delta.value_heads],
            None => [attention.heads, attention.kv_heads, attention.kv_heads, attention.heads],
        };
        match tap.stage {
            Stage::Query => Some(query),
            Stage::Key => Some(key),
            Stage::Value => Some(value),
            Stage::Heads => Some(out),
            Stage::Embedding
            | Stage::AttentionInput
            | Stage::AttentionOutput
            | Stage::MlpInput
            | Stage::Experts
            | Stage::ExpertWeights
            | Stage::MlpOutput
            | Stage::Layer
            | Stage::FinalNorm => None,
        }
    }

    /// The logits `[tokens, vocab]`; every stage is shown to `hook` in the order of the arithmetic.
    pub(crate) fn run(&self, ids: &[u32], sight: &Sight, hook: Hook<'_>) -> Result<Array2<f64>, Halt> {
        let architecture = self.architecture;
        let embedding = self.tensors.need(None, Role::Embedding)?;
        let (vocab, width) = embedding.dim();
        if let Some(id) = ids.iter().find(|id| **id as usize >= vocab) {
            return Err(wrong(format!("token {id} is not in the vocabulary of {vocab}")).into());
        }
        let x = Array2::from_shape_fn((ids.len(), width), |(token, feature)| {
            embedding[[ids[token] as usize, feature]]
        });
        let x = self.norm(None, Role::EmbeddingNorm, &x)? * architecture.embedding.scale;
        let mut x = hook(Tap { layer: None, stage: Stage::Embedding }, x)?;
        let mut kept = Kept::new();
        let own = self.own_embeddings(ids, &x)?;
        for layer in 0..architecture.layers.len() {
            let stream = self.layer(layer, x, (ids, sight), &mut kept, hook)?;
            let stream = self.joined(layer, stream, own.as_ref())?;
            x = hook(Tap { layer: Some(layer), stage: Stage::Layer }, stream)?;
        }
        let x = self.norm(None, Role::FinalNorm, &x)?;
        let x = hook(Tap { layer: None, stage: Stage::FinalNorm }, x)?;
        Ok(self.logits(&x)?)
    }

    /// r(x) + b·A(n₁x), then the same with the MLP; or both branches on the same input.
    fn layer(
        &self,
        index: usize,
        x: Array2<f64>,
        text: (&[u32], &Sight),
        kept: &mut Kept,
        hook: Hook<'_>,
    ) -> Result<Array2<f64>, Halt> {
        let at = |stage| Tap { layer: Some(index), stage };
        let here = Some(index);
        let block = &self.architecture.layers[index].block;
        let join = |x: &Array2<f64>, normed: &Array2<f64>, branch: &Array2<f64>| {
            let carried = match block.residual {
                Residual::Stream => x,
                Residual::Norm => normed,
            };
            Array2::from_shape_fn(x.dim(), |at| {
                block.residual_scale * carried[at] + block.branch_scale * branch[at]
            })
        };
        let normed = hook(at(Stage::AttentionInput), self.norm(here, Role::AttentionNorm, &x)?)?;
        let attended = self.attention(index, &normed, text, kept, hook)?;
        let attended = hook(at(Stage::AttentionOutput), attended)?;
        let attended = self.norm(here, Role::AttentionOutputNorm, &attended)?;
        let (between, read) = match block.wiring {
            Wiring::Sequential => {
                let x = join(&x, &normed, &attended);
                let read = self.norm(here, Role::MlpNorm, &x)?;
                (x, read)
            }
            Wiring::Parallel if self.architecture.tensor(here, Role::MlpNorm).is_some() => {
                let read = self.norm(here, Role::MlpNorm, &x)?;
                (x, read)
            }
            Wiring::Parallel => (x, normed.clone()),
        };
        let read = hook(at(Stage::MlpInput), read)?;
        let out = self.mlp(index, &between, &read, hook)?;
        let out = self.norm(here, Role::MlpOutputNorm, &out)?;
        Ok(match block.wiring {
            Wiring::Sequential => join(&between, &read, &out),
            Wiring::Parallel => join(&between, &normed, &(attended + out)),
        })
    }
}
