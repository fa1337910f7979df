//! What can go wrong on the way from the hub.

use std::path::PathBuf;

/// Why a model could not be fetched. What was fetched up to then is kept, and gone on with.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The environment says that there is no network.
    #[error("{name}: HF_HUB_OFFLINE is set, so nothing is fetched")]
    Offline {
        /// The model.
        name: String,
    },
    /// There is no place for a cache.
    #[error("there is no home folder to keep the cache in: set HF_HOME")]
    NoCache,
    /// A value of the environment is of no use.
    #[error("{variable} = `{value}`: {wanted}")]
    Variable {
        /// The variable.
        variable: &'static str,
        /// Its value.
        value: String,
        /// What would be right.
        wanted: &'static str,
    },
    /// The hub does not let us have it.
    #[error("{url}: {status}: {advice}")]
    Refused {
        /// What was asked for.
        url: String,
        /// The status.
        status: u16,
        /// What to do.
        advice: String,
    },
    /// No answer, or one that ended early.
    #[error("{url}: {problem}")]
    Network {
        /// What was asked for.
        url: String,
        /// What happened.
        problem: String,
    },
    /// The hub's answer is none that it should give.
    #[error("{url}: the hub's answer is not as it should be: {problem}")]
    Answer {
        /// What was asked for.
        url: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The files of a model are none that can be read here, or it is not clear which are meant.
    #[error("{name}: {problem}")]
    Files {
        /// The model.
        name: String,
        /// What there is, and what to name.
        problem: String,
    },
    /// A file is not what the hub says it is. It is removed.
    #[error(
        "{path}: {problem}; what was fetched is removed: fetch it again, and tell the hub if it stays so"
    )]
    Corrupt {
        /// The file in the model's repository.
        path: String,
        /// Which hash it has, and which it should have.
        problem: String,
    },
    /// A file of the cache can't be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A name that is none, or leads to no file.
    #[error(transparent)]
    Checkpoint(#[from] camelid_checkpoint::Error),
}

/// An error of the file system, with its place.
pub(crate) fn io(path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Io { path, source }
}
