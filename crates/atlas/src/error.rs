//! What can go wrong on the way from declarations to facts.

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A family has no size of this name.
    #[error("`{family}` has no size `{size}`; there are {known}")]
    Size {
        /// The family.
        family: String,
        /// What was asked for.
        size: String,
        /// What there is.
        known: String,
    },
    /// A key is set within what is no table.
    #[error("`{key}`: what stands before the last dot is no table of config.json")]
    Set {
        /// The key.
        key: String,
    },
    /// A declaration does not resolve over a config.json.
    #[error("{0}")]
    Unresolved(String),
    /// A chat template can't be read or rendered.
    #[error(transparent)]
    Chat(#[from] camelid_generate::Error),
    /// A family is not known.
    #[error(transparent)]
    Family(#[from] camelid_families::Error),
    /// A page can't be made.
    #[error("the atlas: {0}")]
    Site(String),
}
