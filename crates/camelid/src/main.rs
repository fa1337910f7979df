//! The command `camelid`.

use std::process::ExitCode;

use camelid::commands;
use clap::{CommandFactory, Parser, Subcommand};

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
    // What ollama calls them, for hands that are used to it.
    #[command(alias = "run")]
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
    #[cfg(feature = "fetch")]
    #[command(alias = "pull")]
    Fetch(commands::fetch::Args),
    Families(commands::families::Args),
    Tokenize(commands::tokenize::Args),
    Completions(commands::manual::CompletionsArgs),
    Man(commands::manual::ManArgs),
}

fn main() -> ExitCode {
    // Who reads our output may have had enough: that ends the command, as it ends others.
    sigpipe::reset();
    let Command { command } = match Command::try_parse() {
        Ok(command) => command,
        Err(error) => return commands::told_of_options(&error),
    };
    commands::finish(match command {
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
        #[cfg(feature = "fetch")]
        Commands::Fetch(args) => commands::fetch::run(&args),
        Commands::Families(args) => commands::families::run(args),
        Commands::Tokenize(args) => commands::tokenize::run(args),
        Commands::Completions(args) => commands::manual::completions(&args, Command::command()),
        Commands::Man(args) => commands::manual::man(&args, Command::command()),
    })
}
