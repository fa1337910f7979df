//! The subcommands of `camelid`, and what `cargo xtask` calls: each an `Args` and a `run`.

// First, since its macros are used in the others.
#[macro_use]
mod output;

mod chores;
mod converting;
mod explaining;
mod options;
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

use anyhow::Context;

/// The command's exit status: what it gave, or 2 and its error on standard error; so also if its output could not be written.
pub fn finish(result: anyhow::Result<ExitCode>) -> ExitCode {
    let written = result.and_then(|code| output::print::finished().map(|()| code));
    written.unwrap_or_else(|error| {
        errln!("{} {}", output::style::bad("error:"), told(&error));
        ExitCode::from(2)
    })
}

/// What the options' own reader has to say, with the exit status: help and the version, which must be written, or a refusal.
#[must_use]
pub fn told_of_options(error: &clap::Error) -> ExitCode {
    let tip = options::elsewhere::tip(arguments());
    let asked =
        arguments().any(|argument| ["-h", "--help", "-V", "--version", "help"].contains(&argument.as_str()));
    match (error.use_stderr(), tip) {
        // `-hf ORG/NAME` is read as `-h`, and more.
        (false, Some(tip)) if !asked => errln!("{} {tip}", output::style::bad("error:")),
        (false, _) => {
            let printed = error.print().context(output::print::STANDARD_OUTPUT);
            return finish(printed.map(|()| ExitCode::SUCCESS));
        }
        (true, tip) => {
            // Where not even this can be written, nobody can be told.
            let _ = error.print();
            let text = "MODEL is the one argument without an option; a text goes with -p TEXT or -f FILE";
            if let Some(tip) = tip.or_else(|| is_text(error).then(|| text.to_owned())) {
                errln!("\n  tip: {tip}");
            }
        }
    }
    ExitCode::from(2)
}

/// The arguments; one that is no Unicode is none of those that are asked for here.
fn arguments() -> impl Iterator<Item = String> {
    std::env::args_os().skip(1).map(|argument| argument.to_string_lossy().into_owned())
}

/// Whether what is refused may be meant as the prompt, which other commands take in its place: `run MODEL "Once upon a time"`.
fn is_text(error: &clap::Error) -> bool {
    let unknown = error.kind() == clap::error::ErrorKind::UnknownArgument;
    let argument = error.get(clap::error::ContextKind::InvalidArg).map(ToString::to_string);
    let takes_text = |name: String| ["generate", "run", "tokenize", "trace"].contains(&name.as_str());
    unknown
        && argument.is_some_and(|text| !text.starts_with('-'))
        && arguments().next().is_some_and(takes_text)
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
