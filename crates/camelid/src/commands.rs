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
pub use options::which::Which;
pub use proving::{verify, verify_tokenizer};
pub use running::{bench, generate, perplexity, tokenize};

use std::process::ExitCode;

/// The command's exit status: what it gave, or 2 and its error on standard error.
pub fn finish(result: anyhow::Result<ExitCode>) -> ExitCode {
    result.unwrap_or_else(|error| {
        anstream::eprintln!("{} {error:#}", output::style::bad("error:"));
        ExitCode::from(2)
    })
}
