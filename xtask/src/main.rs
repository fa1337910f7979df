//! The project's own chores: thin calls into the crates.

mod examples;
mod trust;
mod weigh;

use std::process::ExitCode;

use camelid::commands;
use clap::{Parser, Subcommand};

/// The project's own chores
#[derive(Parser)]
#[command(arg_required_else_help = true)]
struct Command {
    #[command(subcommand)]
    command: Commands,
}

#[derive(Subcommand)]
enum Commands {
    VerifyFamily(commands::verify::Args),
    VerifyAll(commands::verify::AllArgs),
    Families(commands::families::Args),
    VerifyTokenizer(commands::verify_tokenizer::Args),
    Assets(commands::assets::Args),
    Docs(commands::docs::Args),
    Conversions(commands::conversions::Args),
    Trust(trust::Args),
    Examples(examples::Args),
    Weigh(weigh::Args),
}

fn main() -> ExitCode {
    commands::finish(match Command::parse().command {
        Commands::VerifyFamily(args) => commands::verify::run(args),
        Commands::VerifyAll(args) => commands::verify::run_all(args),
        Commands::Families(args) => commands::families::run(args),
        Commands::VerifyTokenizer(args) => commands::verify_tokenizer::run(args),
        Commands::Assets(args) => commands::assets::run(args),
        Commands::Conversions(args) => commands::conversions::run(args),
        Commands::Docs(args) => commands::docs::run(args),
        Commands::Trust(args) => trust::run(args),
        Commands::Examples(args) => examples::run(&args),
        Commands::Weigh(args) => weigh::run(&args),
    })
}
