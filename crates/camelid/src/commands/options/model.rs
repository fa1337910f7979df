//! The options that say which model is run, and on what.

use std::collections::BTreeMap;

use camelid_checkpoint::Mapping;
use camelid_families::{Allow, Backend, Compute, Library, Model, in_blocks};
use camelid_generate::{How, Opened, Purpose, memory};
use indicatif::ProgressBar;

use crate::commands::options::name::NameArgs;
use crate::commands::options::number::whole;
use crate::commands::options::which::Which;
use crate::commands::output::progress::bar;
use crate::commands::output::style::note;

/// Which checkpoint, and how it is read.
#[derive(Debug, Clone, clap::Args)]
pub struct ModelArgs {
    /// Which one
    #[command(flatten)]
    pub name: NameArgs,
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
    /// Use the local cache only: do not offer to fetch a model that is not there [env: HF_HUB_OFFLINE]
    #[arg(long)]
    pub offline: bool,
    /// Print the result alone: no notes, no bars, no figures
    #[arg(short, long)]
    pub quiet: bool,
}

/// Where and how the arithmetic runs.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct MachineArgs {
    /// Threads [default: the physical cores]
    #[arg(short, long, value_name = "N", value_parser = whole(1_u16, 1024), allow_negative_numbers = true)]
    pub threads: Option<u16>,
    /// The type that products are computed in; bf16 is faster where weights are stored so, q8 where they are quantised, and
    /// both round
    #[arg(long, value_enum, default_value_t = ComputeType::F32)]
    pub compute: ComputeType,
}

/// A type that products are computed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum ComputeType {
    /// Single precision.
    F32,
    /// Products in bfloat16 where weights are stored so, sums in single precision.
    Bf16,
    /// Products with quantised weights in whole numbers: activations are rounded to 8 bits, 32 of them with a scale.
    Q8,
}

impl ComputeType {
    /// What the kernels call it.
    #[must_use]
    pub fn compute(self) -> Compute {
        match self {
            Self::F32 => Compute::F32,
            Self::Bf16 => Compute::Bf16,
            Self::Q8 => Compute::Q8,
        }
    }
}

impl ModelArgs {
    /// Opens the checkpoint: headers and small files only.
    ///
    /// # Errors
    /// As [`Opened::open`].
    pub fn open(&self) -> anyhow::Result<Opened> {
        self.open_for(Purpose::Text)
    }

    /// As [`ModelArgs::open`]; what is to be told beside the result goes to standard error.
    ///
    /// # Errors
    /// As [`Opened::open`].
    pub fn open_for(&self, purpose: Purpose) -> anyhow::Result<Opened> {
        let mut library = Library::built_in()?;
        let how = How {
            family: self.which.name(&mut library)?,
            mapping: if self.no_mmap { Mapping::Read } else { Mapping::Map },
            allow: Allow { keys: self.allow_keys.clone(), tensors: self.allow_tensors.clone() },
            purpose,
        };
        let name = self.name.required()?;
        #[cfg(feature = "fetch")]
        if !self.offline {
            super::fetching::offer(&name, self.quiet)?;
        }
        let opened = Opened::open(&library, &name, &how)?;
        opened.notes().iter().for_each(|text| self.note(text));
        Ok(opened)
    }

    /// Tells something beside the result, unless that alone is wanted.
    pub(in crate::commands) fn note(&self, text: &str) {
        if !self.quiet {
            note(text);
        }
    }

    /// A bar on standard error, unless the result alone is wanted.
    pub(in crate::commands) fn bar(&self, length: u64, what: &'static str) -> ProgressBar {
        if self.quiet { ProgressBar::hidden() } else { bar(length, what) }
    }

    /// A checkpoint by name, read as its config.json says.
    #[must_use]
    pub fn of(name: NameArgs) -> Self {
        let (allow_keys, allow_tensors) = Default::default();
        Self {
            name,
            which: Which::default(),
            allow_keys,
            allow_tensors,
            no_mmap: false,
            offline: true,
            quiet: false,
        }
    }

    /// Loads the model, with a bar on standard error where that is a terminal.
    ///
    /// # Errors
    /// As [`Opened::model`].
    pub fn load(&self, opened: &Opened, backend: Backend) -> anyhow::Result<Model> {
        if backend.compute() == Compute::Q8
            && let Some(text) = not_rounded(opened)
        {
            self.note(&text);
        }
        let tensors = opened.architecture()?.plan().tensors.len();
        let bar = self.bar(tensors as u64, "loading");
        let model = opened.model(backend, &mut |_, _| bar.inc(1));
        bar.finish_and_clear();
        Ok(model?)
    }
}

impl MachineArgs {
    /// The threads, started.
    #[must_use]
    pub fn backend(&self) -> Backend {
        Backend::new(self.threads.map_or_else(memory::cores, usize::from), self.compute.compute())
    }
}

/// Which matrices `--compute q8` leaves as they are, where there are any.
fn not_rounded(opened: &Opened) -> Option<String> {
    let mut left: BTreeMap<String, usize> = BTreeMap::new();
    let matrices = opened.checkpoint().tensors().filter(|tensor| tensor.shape().len() > 1);
    for tensor in matrices.filter(|tensor| !in_blocks(tensor.dtype())) {
        *left.entry(tensor.dtype().to_string()).or_default() += 1;
    }
    let types: Vec<_> = left.iter().map(|(dtype, count)| format!("{count} of {dtype}")).collect();
    (!types.is_empty()).then(|| {
        format!(
            "--compute q8 is for matrices in q8_0, q4_0, q4_1, q5_0, q5_1, q4_k, q5_k or q6_k; others are computed in f32: {}",
            types.join(", ")
        )
    })
}
