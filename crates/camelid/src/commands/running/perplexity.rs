//! `camelid perplexity`: how surprised a model is by a text.

use std::process::ExitCode;

use anyhow::ensure;
use camelid_generate::perplexity;
use camelid_tokenizers::Specials;

use crate::commands::options::input;
use crate::commands::options::model::{MachineArgs, ModelArgs};
use crate::commands::options::number::at_least;

/// Tokens of a window where neither the option nor the checkpoint says fewer.
const WINDOW: usize = 2048;

/// Measure how surprised a model is by a text: e to the mean of −ln p(token)
///
/// The text is read in windows that do not overlap, each by itself, with BOS in front where the family adds it; every token
/// that something stands before is scored. (llama.cpp scores the second half of each window only: its figures are lower.)
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Which checkpoint
    #[command(flatten)]
    pub model: ModelArgs,
    /// Where the arithmetic runs
    #[command(flatten)]
    pub machine: MachineArgs,
    /// The text, UTF-8; - is standard input
    #[arg(short, long, value_name = "FILE|-")]
    pub file: String,
    /// Tokens of a window, more than the checkpoint was made for too [default: its context, 2048 at most]
    #[arg(short, long, visible_alias = "ctx-size", value_name = "N", value_parser = at_least(2), allow_negative_numbers = true)]
    pub context: Option<usize>,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// Runs `perplexity`.
///
/// # Errors
/// The checkpoint or the text can't be read, or the text has no two tokens.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let opened = args.model.open()?;
    let tokenizer = opened.tokenizer()?;
    let text = input::text(&args.file)?;
    let longest = opened.architecture()?.stack.context.unwrap_or(usize::MAX);
    let context = args.context.unwrap_or(longest.min(WINDOW));
    let before = tokenizer.frame().before.clone();
    ensure!(context >= before.len() + 2, "--context {context}: at least {} tokens", before.len() + 2);
    let ids = tokenizer.encode(&text, Specials::Literal)?;
    ensure!(ids.len() + before.len() >= 2, "{}: it has fewer than two tokens", args.file);
    let model = args.model.load(&opened, args.machine.backend())?;
    let bar = args.model.bar(ids.len() as u64, "reading");
    let nll = perplexity(&model, &ids, &before, context, &mut |read| bar.set_position(read as u64));
    bar.finish_and_clear();
    let nll = nll?;
    if args.json {
        let report = serde_json::json!({
            "perplexity": nll.perplexity(), "nll": nll.sum / nll.tokens as f64, "tokens": nll.tokens, "context": context,
        });
        outln!("{report}");
    } else {
        outln!("perplexity {:.4} over {} tokens, in windows of {context}", nll.perplexity(), nll.tokens);
    }
    Ok(ExitCode::SUCCESS)
}
