//! `camelid trace`: what a family computes of a text, at every stage, for a port to be held to.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use camelid_checkpoint::write_safetensors;
use camelid_generate::{Opened, framed};
use camelid_verify::{Names, truth};

use crate::commands::options::input::text;
use crate::commands::options::model::{MachineArgs, ModelArgs};
use crate::commands::output::style::dim;
use crate::commands::running::prompt::{PromptArgs, fits};

/// Write what a family computes of a text at every stage, under an engine's names
///
/// The file holds the ids, the value of each stage in f32 and the logits of every token; `compare-trace` reads it as it reads
/// a port's. What the names have no word for is told and left out.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Which checkpoint
    #[command(flatten)]
    pub model: ModelArgs,
    /// Where the arithmetic runs
    #[command(flatten)]
    pub machine: MachineArgs,
    /// The text; standard input where neither it nor --ids is given
    #[command(flatten)]
    pub prompt: PromptArgs,
    /// The ids of the text, as they are
    #[arg(long, conflicts_with = "PromptArgs", value_name = "ID,ID,…", value_delimiter = ',')]
    pub ids: Option<Vec<u32>>,
    /// The file that is written
    #[arg(long, value_name = "FILE.safetensors")]
    pub out: PathBuf,
    /// Whose names the stages have
    #[arg(long, value_name = "ENGINE", default_value = "camelid", value_parser = clap::builder::PossibleValuesParser::new(Names::known()))]
    pub names: String,
    /// A file of names, or - for standard input, in place of an engine's: tables `[taps]` of tap = ["name", …], of which the first is written
    #[arg(long, value_name = "FILE.toml|-", conflicts_with = "names")]
    pub map: Option<PathBuf>,
}

/// Runs `trace`.
///
/// # Errors
/// The model can't be read, the text is none for it, or the file can't be written.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let names = match &args.map {
        Some(file) => names(file)?,
        None => Names::preset(&args.names)?,
    };
    writable(&args.out)?;
    let opened = args.model.open()?;
    let ids = match &args.ids {
        Some(ids) => ids.clone(),
        None => framed(&*opened.tokenizer()?, &args.prompt.read()?)?,
    };
    if ids.is_empty() {
        bail!("the text has no tokens: give some with --prompt or --ids");
    }
    fits(&ids, None, &opened)?;
    let model = args.model.load(&opened, args.machine.backend())?;
    let truth = truth(&model, &ids, &names, class(&opened))?;
    if truth.tensors.is_empty() {
        bail!("the names have no word for any stage of this model");
    }
    write_safetensors(&args.out, &truth.tensors)?;
    let stages = truth.tensors.len();
    outln!("{}: {stages} tensors of {} tokens", args.out.display(), ids.len());
    if !truth.unnamed.is_empty() {
        outln!("{}", dim(format!("these names have none for {}", truth.unnamed.join(", "))));
    }
    Ok(ExitCode::SUCCESS)
}

/// Refuses early what would fail after all the work.
fn writable(out: &Path) -> anyhow::Result<()> {
    if out.is_dir() {
        bail!("--out {}: it is a folder; name a file in it", out.display());
    }
    let folder = out.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::metadata(folder).with_context(|| format!("--out {}: its folder", out.display()))?;
    Ok(())
}

/// How the model's class begins, as upstream calls it.
fn class(opened: &Opened) -> &str {
    let class = opened.config().get("architectures").and_then(|all| all.get(0)?.as_str()).unwrap_or_default();
    class.strip_suffix("ForCausalLM").unwrap_or_default()
}

/// The names of a file, or of standard input.
pub(super) fn names(file: &Path) -> anyhow::Result<Names> {
    match file == Path::new("-") {
        true => Ok(Names::parse(Path::new("standard input"), &text("-")?)?),
        false => Ok(Names::read(file)?),
    }
}
