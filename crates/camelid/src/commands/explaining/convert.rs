//! `camelid convert`: the same function in another family's layout.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail, ensure};
use bytes::Bytes;
use camelid_checkpoint::{Checkpoint, Dtype, Error, Planned, Tensor, Writer, write_file};
use camelid_families::{Conversion, Declaration, Library, Rearranged};
use camelid_generate::Opened;

use crate::commands::options::model::ModelArgs;
use crate::commands::options::number::whole;
use crate::commands::output::progress::bar;
use crate::commands::output::style::{bold, dim};
use crate::commands::output::titles::titled;
use crate::commands::output::values::thousands;

/// Files beside the weights that go with them: vocabularies, and what says how to use them.
const BESIDE: [&str; 11] = [
    "*.model",
    "*.tiktoken",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "generation_config.json",
    "chat_template.jinja",
    "chat_template.json",
    "vocab.json",
    "merges.txt",
];

/// Write a checkpoint in another family's layout, where that is exact
///
/// Names change, packed rows are split or joined, and config.json is written in the target's keys; no number changes. What
/// the target can't say exactly is refused, with the words that stand in the way. The folder is there whole or not at all.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Which checkpoint
    #[command(flatten)]
    pub model: ModelArgs,
    /// The family in whose layout it is written
    #[arg(long, value_name = "FAMILY")]
    pub to: String,
    /// The folder that is written; it must not hold a checkpoint
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// The most that one file holds, in megabytes
    #[arg(long, value_name = "MB", default_value_t = 5_000, value_parser = whole(1, u64::MAX), allow_negative_numbers = true)]
    pub shard_size: u64,
}

/// Runs `convert`.
///
/// # Errors
/// The checkpoint can't be read, the target can't say it exactly, or the folder can't be written.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let opened = args.model.open()?;
    ensure!(opened.path().is_dir(), "{}: only folders are converted", opened.path().display());
    let config_path = args.out.join("config.json");
    ensure!(!config_path.exists(), "{}: it is there already", config_path.display());
    let library = Library::built_in()?;
    let target = library.get(&args.to)?;
    let architecture = opened.architecture()?;
    let conversion = target
        .converted(opened.family(), opened.config(), &architecture)
        .with_context(|| format!("{} can't be said exactly as `{}`", opened.path().display(), target.name))?;
    let carried = carried(&opened, target, &conversion);
    let mut written = Written::default();
    let bytes = write(&args, opened.checkpoint(), &conversion, &carried, &mut written)?;
    let copied = copy_beside(opened.path(), &args.out, &mut written)?;
    // Last: without it the folder is no checkpoint.
    write_file(
        &config_path,
        format!("{:#}\n", serde_json::Value::Object(conversion.config.clone())).as_bytes(),
    )?;
    written.keep();
    anstream::println!("{} as {}", opened.path().display(), bold(titled(target)));
    anstream::println!("  {} tensors, {} bytes", conversion.tensors.len() + carried.len(), thousands(bytes));
    anstream::println!(
        "  {}",
        dim(format!("config.json in {}'s keys; beside it {}", target.name, copied.join(", ")))
    );
    Ok(ExitCode::SUCCESS)
}

/// The files that were written, which go again unless all of them are.
#[derive(Default)]
struct Written(Vec<PathBuf>);

impl Written {
    fn keep(mut self) {
        self.0.clear();
    }
}

impl Drop for Written {
    fn drop(&mut self) {
        for path in &self.0 {
            // The error at hand is the one to tell; that a file can't be removed follows from it.
            let _ = std::fs::remove_file(path);
        }
    }
}

/// Tensors that mean nothing to either family, and a tied head that stands there all the same: they go along as they are.
fn carried<'a>(opened: &'a Opened, target: &Declaration, conversion: &Conversion) -> Vec<&'a Tensor> {
    let inert: Vec<glob::Pattern> =
        target.unread_tensors().iter().filter_map(|text| glob::Pattern::new(text).ok()).collect();
    let head = conversion.architecture.plan().tied.map(|planned| planned.name);
    let goes = |tensor: &&Tensor| {
        inert.iter().any(|glob| glob.matches(tensor.name())) || head.as_deref() == Some(tensor.name())
    };
    opened.checkpoint().tensors().filter(goes).collect()
}

/// Writes the tensors; gives how many bytes.
fn write(
    args: &Args,
    checkpoint: &Checkpoint,
    conversion: &Conversion,
    carried: &[&Tensor],
    written: &mut Written,
) -> anyhow::Result<u64> {
    let mut planned = Vec::new();
    for tensor in &conversion.tensors {
        planned.push(Planned {
            name: tensor.name.clone(),
            dtype: dtype(checkpoint, tensor)?,
            shape: tensor.shape.clone(),
        });
    }
    for tensor in carried {
        let (name, shape) = (tensor.name().to_owned(), tensor.shape().to_vec());
        planned.push(Planned { name, dtype: tensor.dtype(), shape });
    }
    let sizes = planned.iter().map(|planned| planned.dtype.byte_len(&planned.shape).unwrap_or(0) as u64);
    let total: u64 = sizes.sum();
    let bar = bar(planned.len() as u64, "writing");
    let mut writer = Writer::create(&args.out, planned, args.shard_size.saturating_mul(1_000_000))?;
    for tensor in &conversion.tensors {
        writer.write(&tensor.name, pieces(checkpoint, tensor))?;
        bar.inc(1);
    }
    for tensor in carried {
        writer.write(tensor.name(), [tensor.bytes()])?;
        bar.inc(1);
    }
    written.0 = writer.finish()?;
    bar.finish_and_clear();
    Ok(total)
}

/// The type that all of a tensor's rows are stored in.
fn dtype(checkpoint: &Checkpoint, tensor: &Rearranged) -> anyhow::Result<Dtype> {
    let dtypes = tensor.pieces.iter().filter_map(|piece| Some(checkpoint.tensor(&piece.tensor)?.dtype()));
    let dtypes: Vec<Dtype> = dtypes.collect();
    match dtypes.split_first() {
        Some((first, rest)) if rest.iter().all(|other| other == first) => Ok(*first),
        Some(_) => bail!("tensor `{}` would join rows of different types", tensor.name),
        None => bail!("no tensor holds the rows of `{}`", tensor.name),
    }
}

fn pieces<'a>(
    checkpoint: &'a Checkpoint,
    tensor: &'a Rearranged,
) -> impl Iterator<Item = Result<Bytes, Error>> + 'a {
    tensor.pieces.iter().filter_map(|piece| {
        let source = checkpoint.tensor(&piece.tensor)?;
        let row = source.byte_len() / source.shape()[0].max(1);
        Some(source.bytes().map(|bytes| bytes.slice(piece.rows.start * row..piece.rows.end * row)))
    })
}

fn copy_beside(from: &Path, to: &Path, written: &mut Written) -> anyhow::Result<Vec<String>> {
    let globs: Vec<glob::Pattern> = BESIDE.iter().filter_map(|text| glob::Pattern::new(text).ok()).collect();
    let mut copied = Vec::new();
    for entry in std::fs::read_dir(from).with_context(|| from.display().to_string())? {
        let path = entry?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        if path.is_file() && globs.iter().any(|glob| glob.matches(name)) {
            let bytes = std::fs::read(&path).with_context(|| path.display().to_string())?;
            let copy = to.join(name);
            let is_new = !copy.exists();
            write_file(&copy, &bytes)?;
            written.0.extend(is_new.then_some(copy));
            copied.push(name.to_owned());
        }
    }
    copied.sort();
    if copied.is_empty() {
        copied.push("nothing".into());
    }
    Ok(copied)
}
