//! Why a verification could not run.

use std::path::PathBuf;

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A case's folder is not one.
    #[error("{}: {message}", path.display())]
    Case {
        /// The folder or file.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// A dump is none, or does not fit the model.
    #[error("{}: {message}", path.display())]
    Trace {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// The second implementation does not know what an architecture says, or a tensor does not fit it.
    #[error("the oracle: {0}")]
    Oracle(String),
    /// The checkpoint could not be read.
    #[error(transparent)]
    Checkpoint(#[from] camelid_checkpoint::Error),
    /// The checkpoint does not fit the family, or the family is none.
    #[error(transparent)]
    Family(#[from] camelid_families::Error),
}
