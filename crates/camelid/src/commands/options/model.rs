//! The options that say which model is run, and on what.

use camelid_checkpoint::Mapping;
use camelid_families::{Allow, Backend, Compute, Library, Model};
use camelid_generate::{How, Opened, memory};

use crate::commands::options::which::Which;
use crate::commands::output::progress::bar;

/// Which checkpoint, and how it is read.
#[derive(Debug, Clone, clap::Args)]
pub struct ModelArgs {
    /// A folder with config.json, a GGUF file, or a name of the Hugging Face hub's that is in the local cache
    #[arg(long, value_name = "DIR|FILE.gguf|ORG/NAME")]
    pub model: String,
    /// Read the checkpoint as this family
    #[command(flatten)]
    pub which: Which,
    /// A key of config.json to wave through, unread (repeatable)
    #[arg(long = "allow-key", value_name = "KEY")]
    pub allow_keys: Vec<String>,
    /// A tensor of the checkpoint to wave through, unused (repeatable)
    #[arg(long = "allow-tensor", value_name = "NAME")]
    pub allow_tensors: Vec<String>,
    /// Read the weights into memory instead of mapping their files
    #[arg(long)]
    pub no_mmap: bool,
}

/// Where and how the arithmetic runs.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct MachineArgs {
    /// Threads [default: the physical cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
    /// The type that products are computed in; bf16 is faster where weights are stored so, and rounds
    #[arg(long, value_enum, default_value_t = ComputeType::F32)]
    pub compute: ComputeType,
}

/// A type that products are computed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum ComputeType {
    /// Single precision.
    F32,
    /// Products in bfloat16, sums in single precision.
    Bf16,
}

impl ModelArgs {
    /// Opens the checkpoint: headers and small files only.
    ///
    /// # Errors
    /// As [`Opened::open`].
    pub fn open(&self) -> anyhow::Result<Opened> {
        let mut library = Library::built_in()?;
        let how = How {
            family: self.which.name(&mut library)?,
            mapping: if self.no_mmap { Mapping::Read } else { Mapping::Map },
            allow: Allow { keys: self.allow_keys.clone(), tensors: self.allow_tensors.clone() },
        };
        Ok(Opened::open(&library, &self.model, &how)?)
    }
}

impl MachineArgs {
    /// The threads, started.
    #[must_use]
    pub fn backend(&self) -> Backend {
        let compute = match self.compute {
            ComputeType::F32 => Compute::F32,
            ComputeType::Bf16 => Compute::Bf16,
        };
        Backend::new(self.threads.map_or_else(memory::cores, usize::from), compute)
    }
}

/// Loads the model, with a bar on standard error where that is a terminal.
///
/// # Errors
/// As [`Opened::model`].
pub fn load(opened: &Opened, backend: Backend) -> anyhow::Result<Model> {
    let tensors = opened.architecture()?.plan().tensors.len();
    let bar = bar(tensors as u64, "loading");
    let model = opened.model(backend, &mut |_, _| bar.inc(1));
    bar.finish_and_clear();
    Ok(model?)
}
