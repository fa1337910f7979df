//! The command `camelid`.

use std::process::ExitCode;

use camelid::commands;
use clap::{Parser, Subcommand};

/// Keeps freed memory at hand: an activation of a long prompt would else be mapped anew, page by page, in every layer.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The family tree of Llama-like language models: run them, compare them, prove them.
#[derive(Parser)]
#[command(version, propagate_version = true, arg_required_else_help = true)]
struct Command {
    #[command(subcommand)]
    command: Commands,
}

#[derive(Subcommand)]
enum Commands {
    Generate(Box<commands::generate::Args>),
    #[cfg(feature = "serve")]
    Serve(commands::serve::Args),
    Perplexity(commands::perplexity::Args),
    Describe(commands::describe::Args),
    Diff(commands::diff::Args),
    Convert(commands::convert::Args),
    Bench(commands::bench::Args),
    Verify(commands::verify::Args),
    Trace(Box<commands::trace::Args>),
    CompareTrace(Box<commands::compare_trace::Args>),
    Families(commands::families::Args),
    Tokenize(commands::tokenize::Args),
}

fn main() -> ExitCode {
    commands::finish(match Command::parse().command {
        Commands::Generate(args) => commands::generate::run(*args),
        #[cfg(feature = "serve")]
        Commands::Serve(args) => commands::serve::run(args),
        Commands::Perplexity(args) => commands::perplexity::run(args),
        Commands::Describe(args) => commands::describe::run(args),
        Commands::Diff(args) => commands::diff::run(args),
        Commands::Convert(args) => commands::convert::run(args),
        Commands::Bench(args) => commands::bench::run(args),
        Commands::Verify(args) => commands::verify::run(args),
        Commands::Trace(args) => commands::trace::run(&args),
        Commands::CompareTrace(args) => commands::compare_trace::run(&args),
        Commands::Families(args) => commands::families::run(args),
        Commands::Tokenize(args) => commands::tokenize::run(args),
    })
}
