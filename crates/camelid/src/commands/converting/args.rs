//! What `camelid convert` is asked.

use std::path::PathBuf;

use crate::commands::options::model::ModelArgs;
use crate::commands::options::number::whole;

/// Write a checkpoint in another family's form, the same function
///
/// Names change, packed rows are split or joined, and config.json is written in the target's keys. By default no number
/// changes; --allow fold lets numbers be computed (in double precision, rounded once), --allow length also lets the result
/// be equal for texts up to a length only, which then is its context. What can't be had is refused with every reason.
/// The result is read back and run beside the source before it gets its name; it is there whole or not at all.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Which checkpoint
    #[command(flatten)]
    pub model: ModelArgs,
    /// The family in whose form it is written
    #[arg(long, value_name = "FAMILY", required_unless_present_any = ["engine", "to_gguf"])]
    pub to: Option<String>,
    /// The engine that is to read it: the form with the fewest roundings is chosen
    #[arg(long = "for", value_name = "ENGINE")]
    pub engine: Option<String>,
    /// Write a GGUF file; the same as --for llama.cpp
    #[arg(long, conflicts_with = "engine")]
    pub to_gguf: bool,
    /// What may happen to numbers beyond moving
    #[arg(long, value_enum, value_name = "WHAT", default_value_t = Allow::Bytes)]
    pub allow: Allow,
    /// The type that numbers are stored in, in place of the source's; a narrower one rounds
    #[arg(long, value_enum, value_name = "TYPE")]
    pub dtype: Option<StoredType>,
    /// The folder that is written, or with --to-gguf the file; it must not hold a checkpoint
    #[arg(long, value_name = "DIR|FILE.gguf")]
    pub out: PathBuf,
    /// The most that one file holds, in megabytes
    #[arg(long, value_name = "MB", default_value_t = 5_000, value_parser = whole(1, u64::MAX), allow_negative_numbers = true)]
    pub shard_size: u64,
    /// How many tokens source and result are compared on before the result gets its name; 0 compares nothing
    #[arg(long, value_name = "N", default_value_t = 24)]
    pub prove_tokens: usize,
    /// Run the result in its engine too, with this program: `python` with transformers, or with llama-cpp-python for GGUF
    #[arg(long, value_name = "PROGRAM")]
    pub prove_with: Option<String>,
    /// Print the record of the conversion as JSON
    #[arg(long)]
    pub json: bool,
}

/// What may happen to numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Allow {
    /// Rows may move, and nothing else.
    Bytes,
    /// Numbers may be computed and rounded once.
    Fold,
    /// As fold; and the result may be equal for texts up to some length only.
    Length,
}

impl Allow {
    pub(super) fn allowed(self) -> camelid_families::Allowed {
        match self {
            Allow::Bytes => camelid_families::Allowed::Bytes,
            Allow::Fold => camelid_families::Allowed::Fold,
            Allow::Length => camelid_families::Allowed::Length,
        }
    }
}

/// A type that numbers are stored in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum StoredType {
    /// Single precision.
    F32,
    /// bfloat16.
    Bf16,
    /// Half precision.
    F16,
}

impl StoredType {
    pub(super) fn dtype(self) -> camelid_checkpoint::Dtype {
        match self {
            StoredType::F32 => camelid_checkpoint::Dtype::F32,
            StoredType::Bf16 => camelid_checkpoint::Dtype::Bf16,
            StoredType::F16 => camelid_checkpoint::Dtype::F16,
        }
    }
}
