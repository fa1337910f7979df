//! The subcommands of `camelid`, and what `cargo xtask` calls: each an `Args` and a `run`.

mod chores;
mod explaining;
mod options;
mod output;
mod proving;
mod running;

pub use chores::{assets, docs};
pub use explaining::{convert, describe, diff, families};
pub use options::model;
pub use proving::{verify, verify_tokenizer};
pub use running::{bench, generate, perplexity, tokenize};

use std::path::PathBuf;
use std::process::ExitCode;

use camelid_families::{Declaration, Library};

/// The command's exit status: what it gave, or 2 and its error on standard error.
pub fn finish(result: anyhow::Result<ExitCode>) -> ExitCode {
    result.unwrap_or_else(|error| {
        anstream::eprintln!("{} {}", output::style::bad("error:"), told(&error));
        ExitCode::from(2)
    })
}

/// An error with its causes, each said once: many say what theirs said already.
fn told(error: &anyhow::Error) -> String {
    let mut told = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !told.contains(&cause) {
            told = format!("{told}: {cause}");
        }
    }
    told
}

/// Which family: a built-in one by name, or one that a file declares.
#[derive(Debug, Clone, Default, clap::Args)]
#[group(multiple = false)]
pub struct Which {
    /// A family by name, such as gemma2
    #[arg(long, value_name = "NAME")]
    pub family: Option<String>,
    /// Read the family from a file, which may extend any built-in one
    #[arg(long, value_name = "FILE.toml")]
    pub spec: Option<PathBuf>,
}

impl Which {
    /// The family, if one was named; the library holds it.
    ///
    /// # Errors
    /// The file is no declaration. (That a name is known is seen when it is looked up.)
    pub fn name(&self, library: &mut Library) -> anyhow::Result<Option<String>> {
        match (&self.family, &self.spec) {
            (Some(name), _) => Ok(Some(name.clone())),
            (None, Some(path)) => Ok(Some(library.add(path)?)),
            (None, None) => Ok(None),
        }
    }
}

/// A family's title with its name, as `Gemma 2 (gemma2)`.
fn titled(family: &Declaration) -> String {
    format!("{} ({})", family.title, family.name)
}
