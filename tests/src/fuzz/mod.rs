//! Fuzzing: one target per parser. A target takes whatever bytes and returns, or it panics, and that is a finding.
//!
//! `fuzz/` runs the targets under libFuzzer, by hand and for long; `tests/fuzz.rs` runs them for a fixed time on any stable
//! toolchain, under [changes](Changes) drawn from a seed. Both begin with `fuzz/corpus/TARGET`; what once broke a target
//! stands in `fuzz/findings/TARGET` and is tried first.

mod changes;
mod files;
mod text;
mod tokenizers;

use std::path::{Path, PathBuf};

pub use changes::Changes;
pub use files::{case, config_json, folder, gguf, gguf_model, numpy, pickle, safetensors};
pub use text::{chat_template, conversation, family_file, formula, request, resolve};
pub use tokenizers::{beside, sentencepiece, tiktoken, tokenizer_json};

/// A parser and what is done with all that it accepts.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// The name of its folder and of its program in `fuzz/`.
    pub name: &'static str,
    /// Tries one input; whether all of it was accepted.
    pub run: fn(&[u8]) -> bool,
}

/// Every target.
pub const TARGETS: [Target; 18] = [
    Target { name: "beside", run: beside },
    Target { name: "case", run: case },
    Target { name: "chat_template", run: chat_template },
    Target { name: "config_json", run: config_json },
    Target { name: "conversation", run: conversation },
    Target { name: "family_file", run: family_file },
    Target { name: "folder", run: folder },
    Target { name: "formula", run: formula },
    Target { name: "gguf", run: gguf },
    Target { name: "gguf_model", run: gguf_model },
    Target { name: "numpy", run: numpy },
    Target { name: "pickle", run: pickle },
    Target { name: "request", run: request },
    Target { name: "resolve", run: resolve },
    Target { name: "safetensors", run: safetensors },
    Target { name: "sentencepiece", run: sentencepiece },
    Target { name: "tiktoken", run: tiktoken },
    Target { name: "tokenizer_json", run: tokenizer_json },
];

/// The inputs that a target begins with: `fuzz/corpus/TARGET` or `fuzz/findings/TARGET`, in the order of their names.
///
/// # Panics
/// Where a file can't be read.
#[must_use]
pub fn inputs(kind: &str, target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz").join(kind).join(target);
    let Ok(entries) = std::fs::read_dir(&folder) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    let read = |path: PathBuf| {
        let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        (path, bytes)
    };
    paths.into_iter().map(read).collect()
}
