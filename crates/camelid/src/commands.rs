//! The subcommands of `camelid`, and what `cargo xtask` calls: each an `Args` and a `run`.

mod chores;
mod converting;
mod explaining;
mod options;
mod output;
mod proving;
mod running;

pub use chores::{assets, conversions, docs};
pub use converting::convert;
pub use explaining::{describe, diff, families, manual};
pub use options::model;
pub use options::name::NameArgs;
pub use options::which::Which;
pub use proving::{compare_trace, trace, verify, verify_tokenizer};
#[cfg(feature = "fetch")]
pub use running::fetch;
#[cfg(feature = "serve")]
pub use running::serve;
pub use running::{bench, generate, perplexity, tokenize};

use std::process::ExitCode;

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
