//! `camelid fetch`: a model of the hub's, into its cache.

use std::process::ExitCode;

use camelid_fetch::{Hub, Name};
use camelid_generate::memory;

use crate::commands::options::fetching::fetch;

/// Fetch a model of the Hugging Face hub into its cache, and print where it lies
///
/// Only what is needed to run it: config.json, weights (safetensors before .bin), vocabularies and templates; or one GGUF file
/// with its parts. What a connection that ended has left is gone on with; sizes and hashes are checked. HF_HOME, HF_HUB_CACHE,
/// HF_ENDPOINT, HF_TOKEN and HF_HUB_OFFLINE mean what they mean to Hugging Face's own client.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The model; @REVISION is a branch, a tag or a commit, :VARIANT a word of a GGUF file's name, such as Q4_K_M
    #[arg(value_name = "ORG/NAME[@REVISION][:VARIANT]")]
    pub model: String,
    /// List the files with their sizes, and fetch nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Show no progress
    #[arg(short, long)]
    pub quiet: bool,
}

/// Runs `fetch`.
///
/// # Errors
/// There is no such model, or it can't be had or kept.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let name: Name = args.model.parse()?;
    let hub = Hub::from_environment()?;
    let wanted = hub.list(&name)?;
    if args.dry_run {
        for file in &wanted.files {
            outln!("{:>10}  {}", memory::written(file.size), file.path);
        }
        outln!("{:>10}  in all, at commit {}", memory::written(wanted.bytes()), wanted.commit);
    } else {
        outln!("{}", fetch(&hub, &wanted, args.quiet)?.display());
    }
    Ok(ExitCode::SUCCESS)
}
