//! What decoding reads for each token, and how fast this machine reads it: the limit that a decode rate is held to.

use std::time::Instant;

use camelid_families::{Backend, Role};
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
    /// Bytes of matrices that each token reads; of experts as if all were chosen.
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
        // Of an embedding that is no output, a token reads one row.
        let looked_up: Vec<_> = architecture
            .plan()
            .tensors
            .into_iter()
            .filter(|planned| planned.roles.contains(&Role::Embedding) && !architecture.output.tie)
            .map(|planned| planned.name)
            .collect();
        let read = checkpoint.tensors().filter(|tensor| !looked_up.iter().any(|name| name == tensor.name()));
        let bytes = read.map(|tensor| tensor.bytes()).collect::<Result<Vec<_>, _>>()?;
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
