//! What can go wrong between a family's file, a `config.json` and the tensors, each with its place.

use std::fmt;
use std::path::PathBuf;

use crate::waist::roles::Role;

/// Where an entry of a declaration was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The file as the user knows it: a path, or the name of a built-in family's file.
    pub file: String,
    /// The line, counted from 1.
    pub line: usize,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// A value that may be long, such as a list of layers, cut to what a line holds.
fn short(value: &str) -> String {
    const LONGEST: usize = 100;
    match value.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{} …", &value[..end]),
        None => value.to_owned(),
    }
}

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A family's file could not be read.
    #[error("{}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A family's file is not TOML.
    #[error("{file}: {message}")]
    Toml {
        /// The file.
        file: String,
        /// What the parser said, with line and column.
        message: String,
    },
    /// Something written in a family's file is not part of the schema.
    #[error("{origin}: {message}")]
    Declaration {
        /// Where it stands.
        origin: Origin,
        /// The key, its value, and what would be right.
        message: String,
    },
    /// No family has this name.
    #[error("no family is called `{name}`; there are {}", known.join(", "))]
    UnknownFamily {
        /// The name asked for.
        name: String,
        /// Every name there is.
        known: Vec<String>,
    },
    /// A family extends itself, directly or by way of others.
    #[error("{file}: `extends` runs in a circle: {}", chain.join(" → "))]
    Cycle {
        /// The file at which it was noticed.
        file: String,
        /// The names along the circle.
        chain: Vec<String>,
    },
    /// Files extend one another deeper than any family does.
    #[error("{file}: more than {most} files extend one another")]
    Deep {
        /// The file at which it was noticed.
        file: String,
        /// So many may.
        most: usize,
    },
    /// A checkpoint does not fit a declaration: every problem, all at once.
    #[error("{} does not fit the family `{family}`:{}{}", place, list(problems), advice(problems))]
    Misfit {
        /// The checkpoint's directory or file.
        place: String,
        /// The family it was read as.
        family: String,
        /// What does not fit.
        problems: Vec<Problem>,
    },
    /// No family's `match` accepts a config.json, or several do and disagree.
    #[error("{0}")]
    Undetected(String),
    /// A stage was given what it can't compute with.
    #[error("{0}")]
    Input(String),
    /// A settings check of a component, which resolution should have found before.
    #[error("layer {layer}: {message}")]
    Component {
        /// The layer.
        layer: usize,
        /// What the component said.
        message: String,
    },
    /// The checkpoint itself could not be read.
    #[error(transparent)]
    Checkpoint(#[from] camelid_checkpoint::Error),
}

/// One thing that does not fit between a checkpoint and a declaration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// A key of config.json that no formula reads, and that is neither required nor declared inert.
    UnknownKey {
        /// The key, dotted.
        key: String,
        /// Its value, as JSON.
        value: String,
    },
    /// A key whose value is not the one that is implemented.
    Required {
        /// The key.
        key: String,
        /// Its value, as JSON.
        value: String,
        /// What the declaration requires, and where it says so.
        required: String,
    },
    /// A key that a formula needs is not there.
    MissingKey {
        /// The key.
        key: String,
        /// The word whose formula needs it.
        word: String,
        /// Where the formula stands.
        origin: Origin,
    },
    /// A key that the declaration renames is there under both names with different values.
    Renamed {
        /// What was found under both names.
        message: String,
    },
    /// A word resolved to something that can't be: a wrong type, out of range, a failed formula.
    Value {
        /// The word, dotted, such as `attention.window`.
        word: String,
        /// What is wrong, with the value.
        message: String,
        /// Where it was said, if it was said.
        origin: Option<Origin>,
    },
    /// A tensor of the plan is not in the checkpoint.
    MissingTensor {
        /// Its name.
        name: String,
        /// Its shape, where the plan is known.
        shape: Option<Vec<usize>>,
    },
    /// A tensor of the checkpoint has no place in the plan.
    SurplusTensor {
        /// Its name.
        name: String,
        /// Its shape.
        shape: Vec<usize>,
    },
    /// A tensor has another shape, or a type that can't be computed with.
    WrongTensor {
        /// Its name.
        name: String,
        /// What was found and what was expected.
        message: String,
    },
    /// A tied model brings a head of its own that is not the embedding.
    Untied {
        /// The head's tensor.
        name: String,
    },
    /// A role needs a tensor, and none is named.
    MissingRole {
        /// The role.
        role: Role,
        /// Why it is needed.
        why: String,
    },
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Problem::UnknownKey { key, value } => {
                write!(
                    f,
                    "config.json: `{key}` = {} is not known to this family: what it changes would be left out",
                    short(value)
                )
            }
            Problem::Required { key, value, required } => {
                write!(
                    f,
                    "config.json: `{key}` = {}, but only {required} is implemented (--allow-key {key} goes on as if it were)",
                    short(value)
                )
            }
            Problem::MissingKey { key, word, origin } => {
                write!(f, "config.json: `{key}` is missing, which {word} needs ({origin})")
            }
            Problem::Renamed { message } => write!(f, "config.json: {message}"),
            Problem::Value { word, message, origin: Some(origin) } => {
                write!(f, "{word}: {message} ({origin})")
            }
            Problem::Value { word, message, origin: None } => write!(f, "{word}: {message}"),
            Problem::MissingTensor { name, shape: Some(shape) } => {
                write!(f, "tensor `{name}` {shape:?} is missing")
            }
            Problem::MissingTensor { name, shape: None } => write!(f, "tensor `{name}` is missing"),
            Problem::SurplusTensor { name, shape } => {
                write!(
                    f,
                    "tensor `{name}` {shape:?} is in the checkpoint, but the family has no place for it"
                )
            }
            Problem::WrongTensor { name, message } => write!(f, "tensor `{name}`: {message}"),
            Problem::Untied { name } => {
                write!(f, "tensor `{name}`: the model is tied, but this head is not equal to the embedding")
            }
            Problem::MissingRole { role, why } => write!(f, "no tensor is named for `{role}`, which {why}"),
        }
    }
}

fn list(problems: &[Problem]) -> String {
    problems.iter().map(|problem| format!("\n  - {problem}")).collect()
}

/// How to go on all the same, said once for all of a kind.
fn advice(problems: &[Problem]) -> String {
    let mut ways: Vec<String> = Vec::new();
    let mut keys = problems.iter().filter_map(|problem| match problem {
        Problem::UnknownKey { key, .. } => Some(key),
        _ => None,
    });
    match (keys.next(), keys.next()) {
        (Some(key), None) => ways.push(format!("--allow-key {key}")),
        (Some(_), Some(_)) => ways.push("--allow-key KEY".into()),
        (None, _) => {}
    }
    if problems.iter().any(|problem| matches!(problem, Problem::SurplusTensor { .. })) {
        ways.push("--allow-tensor NAME".into());
    }
    if ways.is_empty() {
        return String::new();
    }
    format!("\n  what is known not to matter is waved through by {}", ways.join(" and "))
}
