//! What can go wrong between a file and its ids.

use std::path::{Path, PathBuf};

use super::kind::Kind;

/// Why a tokenizer could not be opened, or why a text or an id was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file could not be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file that was asked for.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The directory holds none of the files that were looked for.
    #[error("{} holds no tokenizer: looked for {}", directory.display(), names.join(", "))]
    Missing {
        /// The directory that was searched.
        directory: PathBuf,
        /// The names that were looked for, in order.
        names: Vec<String>,
    },
    /// The content is none of the known formats.
    #[error("neither a sentencepiece model, nor tiktoken ranks, nor a tokenizer.json, nor a vocab.json")]
    Unrecognised,
    /// The file was never downloaded: a note of git-LFS stands in its place.
    #[error(
        "only a git-LFS pointer, not the file itself: fetch it with `git lfs pull`, or download it again"
    )]
    Pointer,
    /// A `vocab.json` has no readable `merges.txt` beside it, or one that does not fit.
    #[error("vocab.json and merges.txt: {0}")]
    Pair(String),
    /// The content is of another format than the settings say.
    #[error("holds {found}, but the settings say {expected}")]
    Kind {
        /// The format that the content shows.
        found: Kind,
        /// The format that the settings name.
        expected: Kind,
    },
    /// A sentencepiece model breaks its own rules.
    #[error("sentencepiece model: {0}")]
    SentencePiece(String),
    /// A line of a rank file is wrong.
    #[error("tiktoken ranks, line {line}: {reason}")]
    Ranks {
        /// The line, counted from 1; 0 where the fault is in the file as a whole.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// A `tokenizer.json` was refused.
    #[error("tokenizer.json: {0}")]
    Json(String),
    /// A GGUF's tokenizer arrays contradict each other.
    #[error("tokenizer.ggml.{key}: {reason}")]
    Gguf {
        /// The key behind `tokenizer.ggml.`.
        key: &'static str,
        /// What is wrong with its value.
        reason: String,
    },
    /// A word of the `[tokenizer]` table has a value that does not fit the file or the other words.
    #[error("tokenizer.{key}: {reason}")]
    Setting {
        /// The word, with the entry where it is a table.
        key: String,
        /// What is wrong with its value.
        reason: String,
    },
    /// An id that the vocabulary does not have.
    #[error("id {id} is not in the vocabulary of {size} ids")]
    UnknownId {
        /// The id.
        id: u32,
        /// One more than the largest id there is.
        size: usize,
    },
    /// The split pattern gave up on a text.
    #[error("the split pattern failed at byte {at}: {reason}")]
    Split {
        /// Where in the text the search began.
        at: usize,
        /// What the pattern's engine said.
        reason: String,
    },
    /// A text longer than positions can count.
    #[error("a text of {bytes} bytes is longer than {limit}")]
    TooLong {
        /// The length of the text.
        bytes: usize,
        /// The largest length that can be encoded at once.
        limit: usize,
    },
    /// Another error, with the file that it arose in.
    #[error("{}: {source}", path.display())]
    In {
        /// The file.
        path: PathBuf,
        /// What was wrong in it.
        source: Box<Error>,
    },
}

impl Error {
    /// The same error, told with the file that it arose in.
    #[must_use]
    pub fn within(self, path: &Path) -> Error {
        match self {
            Error::Read { .. } | Error::Missing { .. } | Error::In { .. } => self,
            other => Error::In { path: path.to_owned(), source: Box::new(other) },
        }
    }

    pub(crate) fn setting(key: impl Into<String>, reason: impl Into<String>) -> Error {
        Error::Setting { key: key.into(), reason: reason.into() }
    }
}
