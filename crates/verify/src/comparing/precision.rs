//! What a port computes in, and how that rounds.

use camelid_checkpoint::{Checkpoint, Dtype, Tensor};
use camelid_families::{Stage, Tap};
use half::{bf16, f16};
use ndarray::Array2;

use crate::error::Error;

/// What a port computes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub enum Precision {
    /// Single precision throughout.
    #[serde(rename = "f32")]
    F32,
    /// Weights and activations in f16.
    #[serde(rename = "f16")]
    F16,
    /// Weights and activations in bf16.
    #[serde(rename = "bf16")]
    Bf16,
    /// Matrices quantised as GGUF's q8_0, activations in f32.
    #[serde(rename = "q8_0")]
    Q8,
    /// Weights as the file has them, the other side of each product in 8 bits, keys and values in f16: llama.cpp's way.
    #[serde(rename = "q8_0 products")]
    Q8Products,
}

/// The numbers that share a scale in q8_0.
const BLOCK: usize = 32;

impl Precision {
    /// What it is called.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Precision::F32 => "f32",
            Precision::F16 => "f16",
            Precision::Bf16 => "bf16",
            Precision::Q8 => "q8_0",
            Precision::Q8Products => "q8_0 products",
        }
    }

    /// What is stored in a checkpoint, as the port has it.
    pub(crate) fn checkpoint(self, checkpoint: &Checkpoint) -> Result<Option<Checkpoint>, Error> {
        if matches!(self, Precision::F32 | Precision::Q8Products) {
            return Ok(None);
        }
        let rounded: Vec<Tensor> =
            checkpoint.tensors().map(|tensor| self.tensor(tensor)).collect::<Result<_, _>>()?;
        let config = checkpoint.config().cloned().unwrap_or_default();
        Ok(Some(Checkpoint::from_parts(checkpoint.path(), config, rounded)?))
    }

    fn tensor(self, tensor: &Tensor) -> Result<Tensor, Error> {
        let shape = tensor.shape();
        let same = match self {
            Precision::F32 | Precision::Q8Products => true,
            Precision::Bf16 => tensor.dtype() == Dtype::Bf16,
            Precision::F16 => tensor.dtype() == Dtype::F16,
            Precision::Q8 => shape.len() < 2,
        };
        if same {
            return Ok(tensor.clone());
        }
        let mut values = Array2::from_shape_vec((1, tensor.elements()), tensor.to_f32()?).unwrap_or_default();
        match self {
            Precision::F16 | Precision::Bf16 => self.halved(&mut values),
            // Blocks lie along a row; a row that is no whole number of blocks ends with a shorter one.
            Precision::Q8 => values
                .as_slice_mut()
                .into_iter()
                .flat_map(|all| all.chunks_mut(shape.last().copied().unwrap_or(1).max(1)))
                .for_each(eighth),
            Precision::F32 | Precision::Q8Products => {}
        }
        let bytes: Vec<u8> = values.iter().flat_map(|x| x.to_le_bytes()).collect();
        Ok(Tensor::from_bytes(tensor.name(), Dtype::F32, shape, bytes.into())?)
    }

    /// A stage's value, as the port would show it.
    pub(crate) fn shown(self, value: &mut Array2<f32>) {
        match self {
            Precision::F16 | Precision::Bf16 => self.halved(value),
            Precision::F32 => value.mapv_inplace(nearly),
            Precision::Q8 | Precision::Q8Products => {}
        }
    }

    /// A stage's value, as what comes next reads it.
    pub(crate) fn read(self, tap: Tap, value: &mut Array2<f32>) {
        if self != Precision::Q8Products {
            return;
        }
        match tap.stage {
            Stage::AttentionInput | Stage::Heads | Stage::MlpInput | Stage::FinalNorm => {
                value.outer_iter_mut().for_each(|row| {
                    if let Some(row) = row.into_slice() {
                        eighth(row);
                    }
                });
            }
            Stage::Query | Stage::Key | Stage::Value => Precision::F16.halved(value),
            Stage::Embedding
            | Stage::AttentionOutput
            | Stage::Experts
            | Stage::ExpertWeights
            | Stage::MlpOutput
            | Stage::Layer => {}
        }
    }

    /// How many times what our taps show a stage is rounded in the port: √ of the roundings within it, of the stream before the
    /// norm, of gate, up, activation and their product, over those that the taps around the stage see.
    pub(crate) fn unseen(self, stage: Option<Stage>) -> f64 {
        let branch = |attention: f64, mlp: f64, layer: f64| match stage {
            Some(Stage::MlpOutput) => mlp,
            Some(Stage::AttentionOutput | Stage::Heads | Stage::Query | Stage::Key | Stage::Value) => {
                attention
            }
            Some(Stage::Layer) => layer,
            Some(
                Stage::Embedding
                | Stage::AttentionInput
                | Stage::MlpInput
                | Stage::Experts
                | Stage::ExpertWeights
                | Stage::FinalNorm,
            )
            | None => 1.3,
        };
        match self {
            Precision::F16 | Precision::Bf16 => branch(1.3, 3f64.sqrt(), 2f64.sqrt()),
            Precision::Q8Products => branch(1.3, 2.0, 1.0),
            Precision::F32 | Precision::Q8 => 1.0,
        }
    }

    fn halved(self, value: &mut Array2<f32>) {
        match self {
            Precision::F16 => value.mapv_inplace(|x| f16::from_f32(x).to_f32()),
            Precision::Bf16 => value.mapv_inplace(|x| bf16::from_f32(x).to_f32()),
            Precision::F32 | Precision::Q8 | Precision::Q8Products => {}
        }
    }
}

/// Four bits fewer than f32 has: about what sums in another order do.
fn nearly(x: f32) -> f32 {
    let bits = x.to_bits();
    f32::from_bits(bits.wrapping_add(8) & !15)
}

/// One row in blocks of 32 with one scale in f16 each.
fn eighth(row: &mut [f32]) {
    for block in row.chunks_mut(BLOCK) {
        let most = block.iter().fold(0f32, |most, x| most.max(x.abs()));
        let scale = most / 127.0;
        let inverse = if scale > 0.0 { 1.0 / scale } else { 0.0 };
        let kept = f16::from_f32(scale).to_f32();
        block.iter_mut().for_each(|x| *x = (*x * inverse).round() * kept);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn q8_0_keeps_the_largest_of_a_block_and_rounds_the_others_to_127_steps() {
        let mut row: Vec<f32> = (0..64).map(|i| i as f32 / 10.0).collect();
        let exact = row.clone();
        eighth(&mut row);
        for (block, exact) in row.chunks(32).zip(exact.chunks(32)) {
            let step = exact[31] / 127.0;
            assert!(
                block.iter().zip(exact).all(|(a, b)| (a - b).abs() <= 0.51 * step + 1e-3 * b),
                "{block:?}"
            );
        }
        assert!(row.iter().zip(&exact).any(|(a, b)| a != b));
    }
}
