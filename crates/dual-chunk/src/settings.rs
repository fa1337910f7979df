//! What a checkpoint says of dual chunk attention, and the checks that it must pass once.

/// The checkpoint's `dual_chunk_attention_config`, under upstream's names. Other keys (those of sparse attention,
/// which is another computation) are refused by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
pub struct Settings {
    /// The farthest position that a query ever takes: at most the trained length.
    pub chunk_size: usize,
    /// How many tokens of the previous chunk keep their exact distance. Chunks are chunk_size − local_size tokens
    /// long.
    pub local_size: usize,
    /// The trained length, if scores are scaled beyond it; none, or upstream's 0, if they are not.
    #[cfg_attr(feature = "serde", serde(default))]
    pub original_max_position_embeddings: Option<usize>,
}

impl Settings {
    /// Whether the numbers are in range.
    ///
    /// # Errors
    /// Where a size is 0, or no token is left for a chunk.
    pub fn check(&self) -> Result<(), Error> {
        let Self { chunk_size, local_size, .. } = *self;
        for (key, size) in [("chunk_size", chunk_size), ("local_size", local_size)] {
            if size == 0 {
                return Err(Error::Zero { key });
            }
        }
        if chunk_size <= local_size {
            return Err(Error::Sizes { chunk_size, local_size });
        }
        Ok(())
    }
}

/// Settings that describe no dual chunk attention.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A size that must be at least one is zero.
    #[error("{key} is 0, but must be at least 1")]
    Zero {
        /// The field of [`Settings`].
        key: &'static str,
    },
    /// Chunks are `chunk_size − local_size` tokens long, which must be at least one.
    #[error("chunk_size {chunk_size} must be larger than local_size {local_size}")]
    Sizes {
        /// The chunk size given.
        chunk_size: usize,
        /// The local size given.
        local_size: usize,
    },
}
