//! What decoding reads for each token, and how fast this machine reads it: the limit that a decode rate is held to.

use std::time::Instant;

use bytes::Bytes;
use camelid_checkpoint::Checkpoint;
use camelid_families::{Architecture, Backend, Role};
use camelid_generate::Opened;

/// Bytes that one part of a read takes.
const PART: usize = 1 << 20;

/// How often everything is read, after once to bring it near; the fastest counts.
const TIMES: usize = 3;

/// What one token costs to read.
#[derive(Debug)]
pub(super) struct Reading {
    /// Bytes of the files' tensors, all of them.
    pub(super) file: u64,
    /// Bytes of the tensors that each token reads; of experts, those of as many as are chosen.
    pub(super) per_token: u64,
    /// Bytes a second, read by all threads from where they lie.
    pub(super) rate: f64,
}

impl Reading {
    /// Reads every matrix that a token reads, as often as it takes.
    ///
    /// # Errors
    /// Where a tensor can't be read.
    pub(super) fn measure(opened: &Opened, backend: &Backend) -> anyhow::Result<Self> {
        let (architecture, checkpoint) = (opened.architecture()?, opened.checkpoint());
        let bytes = read_by_a_token(&architecture, checkpoint)?;
        let parts: Vec<&[f32]> = bytes.iter().flat_map(|bytes| words(bytes).chunks(PART / 4)).collect();
        let pass = || {
            let begin = Instant::now();
            // What is largest is of no meaning: it must be read to be known.
            backend.run(parts.len(), |part| {
                std::hint::black_box(backend.max(parts[part]));
            });
            begin.elapsed().as_secs_f64()
        };
        pass();
        let fastest = (0..TIMES).map(|_| pass()).fold(f64::INFINITY, f64::min);
        let per_token = bytes.iter().map(|bytes| bytes.len() as u64).sum::<u64>();
        let file = checkpoint.tensors().map(|tensor| tensor.byte_len() as u64).sum();
        Ok(Self { file, per_token, rate: per_token as f64 / fastest })
    }

    /// What part of the memory's limit a rate of decoding is.
    pub(super) fn share(&self, tokens_a_second: f64) -> f64 {
        tokens_a_second * self.per_token as f64 / self.rate
    }
}

/// What a token reads of each tensor. Of embeddings that are looked up it reads a row; of experts, the first stand for
/// those that it would choose.
fn read_by_a_token(architecture: &Architecture, checkpoint: &Checkpoint) -> anyhow::Result<Vec<Bytes>> {
    let mut all = Vec::new();
    for planned in architecture.plan().tensors {
        let role = planned.roles[0];
        let looked_up = match role {
            Role::Embedding => !architecture.output.tie,
            Role::LayerEmbedding => true,
            _ => false,
        };
        let Some(tensor) = checkpoint.tensor(&planned.name).filter(|_| !looked_up) else { continue };
        let layer = planned.layer.and_then(|layer| architecture.layers.get(layer));
        let experts = layer.and_then(|layer| layer.experts.as_ref()).filter(|_| role.is_of_experts());
        match (experts, planned.expert) {
            (Some(experts), Some(expert)) if expert >= experts.chosen => {}
            (Some(experts), None) => {
                let bytes = tensor.bytes()?;
                all.push(bytes.slice(..bytes.len() / experts.count.max(1) * experts.chosen));
            }
            _ => all.push(tensor.bytes()?),
        }
    }
    Ok(all)
}

/// The whole words of some bytes, but for those before the first aligned one.
fn words(bytes: &[u8]) -> &[f32] {
    let skipped = bytes.as_ptr().align_offset(4).min(bytes.len());
    let bytes = &bytes[skipped..];
    bytemuck::cast_slice(&bytes[..bytes.len() - bytes.len() % 4])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_the_rate_of_the_bytes_over_that_of_the_memory() {
        let reading = Reading { file: 1_200, per_token: 1_000, rate: 20_000.0 };
        assert_eq!(reading.share(5.0), 0.25);
    }

    #[test]
    fn words_are_whole_and_aligned() {
        let all = [0_u8; 64];
        for from in 0..8 {
            let words = words(&all[from..61]);
            assert!(words.len() >= 12 && words.as_ptr().align_offset(4) == 0, "{} from {from}", words.len());
        }
    }
}
