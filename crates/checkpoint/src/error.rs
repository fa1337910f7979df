//! What can be wrong with what lies on disk, each with its file, tensor, key or value.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::Dtype;

/// Why a checkpoint could not be opened, read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused: no such file, no permission, a full disk.
    #[error("{}: {source}", .path.display())]
    Io {
        /// The file or folder that was asked for.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A folder, a pipe or a device stands where a regular file was expected.
    #[error("{}: not a regular file", .path.display())]
    NotAFile {
        /// The path in question.
        path: PathBuf,
    },
    /// Memory for this many bytes could not be had.
    #[error("{}: no memory for {bytes} bytes", .path.display())]
    OutOfMemory {
        /// The file that the bytes come from.
        path: PathBuf,
        /// How many bytes were asked for.
        bytes: u64,
    },
    /// A side file is larger than any honest one, and is not read.
    #[error("{}: {bytes} bytes, more than the {limit} that such a file may have", .path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
        /// The most that is read.
        limit: u64,
    },
    /// Not JSON, not an object, or a key twice; the message gives line and column.
    #[error("{}: {problem}", .path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        problem: String,
    },
    /// A folder that holds none of the files that weights come in.
    #[error("{}: no weights here{}", .path.display(), Near(.near, .looked_for))]
    NoWeights {
        /// The folder.
        path: PathBuf,
        /// The names that were looked for.
        looked_for: &'static str,
        /// Folders or files below it that could be opened, three at most.
        near: Vec<String>,
    },
    /// Several files could be meant.
    #[error("{}: several files could be meant: {}; name one of them", .path.display(), .candidates.join(", "))]
    Ambiguous {
        /// The folder.
        path: PathBuf,
        /// The file names, sorted.
        candidates: Vec<String>,
    },
    /// An index names a shard that is missing or that is no plain file name.
    #[error("{}: shard {shard:?} {problem}", .index.display())]
    Shard {
        /// The index file.
        index: PathBuf,
        /// The shard's name as the index writes it.
        shard: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// One tensor name twice.
    #[error("{}: tensor {tensor:?} stands also in {}", .second.display(), .first.display())]
    DuplicateTensor {
        /// The name.
        tensor: String,
        /// The file that held it first.
        first: PathBuf,
        /// The file that holds it again; the same file where it stands there twice.
        second: PathBuf,
    },
    /// The file breaks the rules of its format.
    #[error("{}: not a sound {format} file: {problem}", .path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The format it was read as.
        format: &'static str,
        /// What is wrong, with the values.
        problem: String,
    },
    /// One tensor's entry is impossible, or of a kind that is not read.
    #[error("{}: tensor {tensor:?}: {problem}", .path.display())]
    Tensor {
        /// The file.
        path: PathBuf,
        /// The tensor's name.
        tensor: String,
        /// What is wrong, with the values.
        problem: String,
    },
    /// A pickle asks for something that tensors do not need. Nothing of it was run.
    #[error("{}: its pickle asks for {what}, which no tensor needs: refused, nothing was run", .path.display())]
    Code {
        /// The file.
        path: PathBuf,
        /// The opcode, function or class.
        what: String,
    },
    /// A sound file of a kind that is not read; the message says what to do instead.
    #[error("{}: {problem}", .path.display())]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// What it is, and what to do.
        problem: String,
    },
    /// Something stands where it would be written.
    #[error("{}: exists already, and is not overwritten", .path.display())]
    Exists {
        /// What stands there.
        path: PathBuf,
    },
    /// A model's hub name leads to nothing in the local cache.
    #[error("{name}: not in the local cache: {} {problem}", .looked.display())]
    NotCached {
        /// The hub name.
        name: String,
        /// Where it was looked for.
        looked: PathBuf,
        /// What is wrong there.
        problem: &'static str,
    },
    /// A name that can't be one of the hub's.
    #[error("{name}: a hub name has the form ORG/NAME, with @REVISION and :VARIANT where one is meant")]
    HubName {
        /// The name.
        name: String,
    },
    /// A model of the hub's has no GGUF file of the variant that is asked for, or several.
    #[error("{name}: {problem}")]
    NoVariant {
        /// The hub name.
        name: String,
        /// Which files there are.
        problem: String,
    },
    /// A tensor was asked for in a type that it does not convert to.
    #[error("{}: tensor {tensor:?} is {dtype} and was asked for as {wanted}", .path.display())]
    Conversion {
        /// The file.
        path: PathBuf,
        /// The tensor's name.
        tensor: String,
        /// Its type.
        dtype: Dtype,
        /// The type asked for.
        wanted: &'static str,
    },
}

impl Error {
    /// What stands at `path` is of a kind that is not read.
    pub(crate) fn unsupported(path: &Path, problem: String) -> Error {
        Error::Unsupported { path: path.to_owned(), problem }
    }
}

/// What lies below a folder without weights, or what was looked for in it.
struct Near<'a>(&'a [String], &'a str);

impl fmt::Display for Near<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            [] => write!(f, ": looked for {}", self.1),
            [one] => write!(f, "; name {one}"),
            [some @ .., last] => {
                write!(f, "; name one of those below, such as {} or {last}", some.join(", "))
            }
        }
    }
}
