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
    #[error("{} does not fit the family `{family}`:{}", place, Told(problems))]
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
    /// The head of a model that is not tied is not there.
    MissingHead {
        /// The head's tensor.
        name: String,
        /// The key of config.json that would tie it, where one does.
        key: Option<String>,
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
                    "config.json: `{key}` = {} is not known to this family: what it changes would be left out; if it changes nothing, \
                     add --allow-key {key}",
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
            Problem::MissingHead { name, key: Some(key) } => write!(
                f,
                "tensor `{name}` is missing, the head; if the model is tied, set `{key}` to true in config.json"
            ),
            Problem::MissingHead { name, key: None } => write!(f, "tensor `{name}` is missing, the head"),
            Problem::Untied { name } => {
                write!(f, "tensor `{name}`: the model is tied, but this head is not equal to the embedding")
            }
            Problem::MissingRole { role, why } => write!(f, "no tensor is named for `{role}`, which {why}"),
        }
    }
}

/// So many faults of tensors are named; of the others, how many.
const SHOWN: usize = 4;
/// The same of keys and words, each of which is a fault of its own.
const SHOWN_KEYS: usize = 32;
/// How faults of config.json begin, said once.
const CONFIG: &str = "config.json: ";

/// The problems of a misfit, as lines after its headline: one for config.json and the declaration, one for the tensors, one
/// fault once and not once a layer. The error itself keeps every problem.
struct Told<'a>(&'a [Problem]);

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut config, mut keys) = (Groups::default(), Vec::new());
        let (mut missing, mut surplus, mut wrong) = (Groups::default(), Groups::default(), Groups::default());
        for problem in self.0 {
            match problem {
                Problem::UnknownKey { key, value } => keys.push((key, value)),
                Problem::Required { .. }
                | Problem::MissingKey { .. }
                | Problem::Renamed { .. }
                | Problem::MissingRole { .. } => config.add(&problem.to_string(), problem),
                // Alike is what a word says of one layer and of the next.
                Problem::Value { word, message, .. } => {
                    config.add(&format!("{word} {}", numberless(message)), problem);
                }
                Problem::MissingTensor { name, .. } => missing.add(name, problem),
                Problem::SurplusTensor { name, .. } => surplus.add(name, problem),
                // Alike is what is wrong in the same way, whatever the name.
                Problem::WrongTensor { message, .. } => wrong.add(message, problem),
                Problem::MissingHead { name, .. } | Problem::Untied { name } => wrong.add(name, problem),
            }
        }
        let config = [unknown(&keys), config.told(SHOWN_KEYS)];
        let tensors = [wrong.told(SHOWN), missing.told(SHOWN), surplus.told(SHOWN), surplus.way_out()];
        for line in [&config[..], &tensors[..]] {
            let parts: Vec<&str> = line.iter().map(String::as_str).filter(|part| !part.is_empty()).collect();
            if !parts.is_empty() {
                write!(f, "\n  - {}", parts.join("; "))?;
            }
        }
        Ok(())
    }
}

/// Keys that nothing reads, and how to wave them through.
fn unknown(keys: &[(&String, &String)]) -> String {
    match keys {
        [] => String::new(),
        [(key, value)] => Problem::UnknownKey { key: (*key).clone(), value: (*value).clone() }.to_string(),
        many => {
            let written = |(key, value): &(&String, &String)| format!("`{key}` = {}", short(value));
            let shown: Vec<_> = many.iter().take(SHOWN_KEYS).map(written).collect();
            let allow: Vec<_> =
                many.iter().take(SHOWN_KEYS).map(|(key, _)| format!("--allow-key {key}")).collect();
            format!(
                "{CONFIG}{}{} are not known: nothing reads them; if they change nothing, add {}",
                shown.join(", "),
                more(many.len().saturating_sub(SHOWN_KEYS)),
                allow.join(" ")
            )
        }
    }
}

/// Faults one after the other; that they are config.json's is said by the first.
fn joined(faults: &[String], most: usize) -> String {
    let bare = |(at, fault): (usize, &String)| match fault.strip_prefix(CONFIG) {
        Some(rest) if at > 0 && faults[at - 1].starts_with(CONFIG) => rest.to_owned(),
        Some(_) | None => fault.clone(),
    };
    let shown: Vec<_> = faults.iter().enumerate().take(most).map(bare).collect();
    format!("{}{}", shown.join("; "), more(faults.len().saturating_sub(most)))
}

fn more(count: usize) -> String {
    if count == 0 { String::new() } else { format!(" and {count} more") }
}

/// Faults that differ in numbers only, with the first of each and how many there are.
#[derive(Default)]
struct Groups<'a>(Vec<(String, &'a Problem, usize)>);

impl<'a> Groups<'a> {
    fn add(&mut self, name: &str, problem: &'a Problem) {
        let pattern = pattern(name);
        match self.0.iter_mut().find(|(known, ..)| *known == pattern) {
            Some((_, _, count)) => *count += 1,
            None => self.0.push((pattern, problem, 1)),
        }
    }

    fn told(&self, most: usize) -> String {
        let told = |(_, problem, count): &(String, &Problem, usize)| match count {
            1 => problem.to_string(),
            _ => format!("{problem} ({count} like it)"),
        };
        joined(&self.0.iter().map(told).collect::<Vec<_>>(), most)
    }

    /// How to wave through what has no place.
    fn way_out(&self) -> String {
        if self.0.is_empty() {
            return String::new();
        }
        let allow: Vec<_> =
            self.0.iter().take(SHOWN).map(|(pattern, ..)| format!("--allow-tensor '{pattern}'")).collect();
        let more = if self.0.len() > SHOWN { " …" } else { "" };
        format!("if they change nothing, add {}{more}", allow.join(" "))
    }
}

/// A text with `*` for each number.
fn numberless(text: &str) -> String {
    let mut letters =
        text.chars().map(|letter| if letter.is_ascii_digit() { '*' } else { letter }).collect::<Vec<_>>();
    letters.dedup_by(|next, last| *next == '*' && *last == '*');
    letters.into_iter().collect()
}

/// A name with `*` for each number.
fn pattern(name: &str) -> String {
    let star = |part: &str| {
        let number = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if number { "*".to_owned() } else { part.to_owned() }
    };
    name.split('.').map(star).collect::<Vec<_>>().join(".")
}
