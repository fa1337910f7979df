//! What can go wrong between a file and its ids.

use std::fmt;
use std::path::{Path, PathBuf};

use super::kind::Kind;

/// Why a tokenizer could not be opened, or why a text or an id was refused.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The file could not be read.
    Read {
        /// The file that was asked for.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The directory holds none of the files that were looked for.
    Missing {
        /// The directory that was searched.
        directory: PathBuf,
        /// The names that were looked for, in order.
        names: Vec<String>,
    },
    /// The content is none of the known formats.
    Unrecognised,
    /// The file was never downloaded: a note of git-LFS stands in its place.
    Pointer,
    /// A `vocab.json` has no readable `merges.txt` beside it, or one that does not fit.
    Pair(String),
    /// The content is of another format than the settings say.
    Kind {
        /// The format that the content shows.
        found: Kind,
        /// The format that the settings name.
        expected: Kind,
    },
    /// A sentencepiece model breaks its own rules.
    SentencePiece(String),
    /// A line of a rank file is wrong.
    Ranks {
        /// The line, counted from 1; 0 where the fault is in the file as a whole.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// A `tokenizer.json` was refused.
    Json(String),
    /// A GGUF's tokenizer arrays contradict each other.
    Gguf {
        /// The key behind `tokenizer.ggml.`.
        key: &'static str,
        /// What is wrong with its value.
        reason: String,
    },
    /// A word of the `[tokenizer]` table has a value that does not fit the file or the other words.
    Setting {
        /// The word, with the entry where it is a table.
        key: String,
        /// What is wrong with its value.
        reason: String,
    },
    /// An id that the vocabulary does not have.
    UnknownId {
        /// The id.
        id: u32,
        /// One more than the largest id there is.
        size: usize,
    },
    /// The split pattern gave up on a text.
    Split {
        /// Where in the text the search began.
        at: usize,
        /// What the pattern's engine said.
        reason: String,
    },
    /// A text longer than positions can count.
    TooLong {
        /// The length of the text.
        bytes: usize,
        /// The largest length that can be encoded at once.
        limit: usize,
    },
    /// Another error, with the file that it arose in.
    In {
        /// The file.
        path: PathBuf,
        /// What was wrong in it.
        source: Box<Error>,
    },
}

// By hand, since this crate is to be light, and a macro's package takes longer to build than these lines to read.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Read { path, source } => write!(f, "cannot read {}: {source}", path.display()),
            Error::Missing { directory, names } => {
                write!(f, "{} holds no tokenizer: looked for {}", directory.display(), names.join(", "))
            }
            Error::Unrecognised => f.write_str(
                "neither a sentencepiece model, nor tiktoken ranks, nor a tokenizer.json, nor a vocab.json",
            ),
            Error::Pointer => f.write_str(
                "only a git-LFS pointer, not the file itself: fetch it with `git lfs pull`, or download it again",
            ),
            Error::Pair(reason) => write!(f, "vocab.json and merges.txt: {reason}"),
            Error::Kind { found, expected } => write!(f, "holds {found}, but the settings say {expected}"),
            Error::SentencePiece(reason) => write!(f, "sentencepiece model: {reason}"),
            Error::Ranks { line, reason } => write!(f, "tiktoken ranks, line {line}: {reason}"),
            Error::Json(reason) => write!(f, "tokenizer.json: {reason}"),
            Error::Gguf { key, reason } => write!(f, "tokenizer.ggml.{key}: {reason}"),
            Error::Setting { key, reason } => write!(f, "tokenizer.{key}: {reason}"),
            Error::UnknownId { id, size } => write!(f, "id {id} is not in the vocabulary of {size} ids"),
            Error::Split { at, reason } => write!(f, "the split pattern failed at byte {at}: {reason}"),
            Error::TooLong { bytes, limit } => write!(f, "a text of {bytes} bytes is longer than {limit}"),
            Error::In { path, source } => write!(f, "{}: {source}", path.display()),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Read { source, .. } => Some(source),
            Error::In { source, .. } => Some(source.as_ref()),
            Error::Missing { .. }
            | Error::Unrecognised
            | Error::Pointer
            | Error::Pair(_)
            | Error::Kind { .. }
            | Error::SentencePiece(_)
            | Error::Ranks { .. }
            | Error::Json(_)
            | Error::Gguf { .. }
            | Error::Setting { .. }
            | Error::UnknownId { .. }
            | Error::Split { .. }
            | Error::TooLong { .. } => None,
        }
    }
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
