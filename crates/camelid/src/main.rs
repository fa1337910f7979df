//! The command `camelid`.

use std::process::ExitCode;

use camelid::commands;
use clap::{Parser, Subcommand};

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
    Verify(commands::verify::Args),
    Families(commands::families::Args),
    Tokenize(commands::tokenize::Args),
}

fn main() -> ExitCode {
    commands::finish(match Command::parse().command {
        Commands::Generate(args) => commands::generate::run(*args),
        Commands::Verify(args) => commands::verify::run(args),
        Commands::Families(args) => commands::families::run(args),
        Commands::Tokenize(args) => commands::tokenize::run(args),
    })
}
