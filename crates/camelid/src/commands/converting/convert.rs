//! `camelid convert`: the same function in another family's layout, or in a form that an engine reads.

use std::process::ExitCode;

use anyhow::bail;
use camelid_families::{Conversion, Form, Grade, Library};
use camelid_generate::Opened;

pub use super::args::Args;
use super::choose::{Chosen, choose};
use super::proof::{Proof, prove};
use super::record::Record;
use super::staged::Staged;
use super::written::Rounded;
use super::{beside, python, weights};
use crate::commands::output::style::{bold, dim, note};
use crate::commands::output::titles::titled;
use crate::commands::output::values::thousands;

/// Runs `convert`.
///
/// # Errors
/// The checkpoint can't be read, no form holds it, the result is not equal, or it can't be written.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let opened = args.model.open()?;
    let library = Library::built_in()?;
    let engine = if args.to_gguf { Some("llama.cpp") } else { args.engine.as_deref() };
    let chosen = choose(&library, &opened, args.to.as_deref(), engine, args.allow.allowed())?;
    let staged = Staged::beside(&args.out, chosen.form.is_some_and(Form::is_gguf))?;
    let work = Work { args: &args, opened: &opened, chosen: &chosen };
    let (record, bytes) = work.write(&staged)?;
    staged.finish()?;
    if args.json {
        outln!("{:#}", record.json());
    } else {
        work.tell(&record, bytes);
    }
    Ok(ExitCode::SUCCESS)
}

/// One conversion.
struct Work<'a> {
    args: &'a Args,
    opened: &'a Opened,
    chosen: &'a Chosen<'a>,
}

impl Work<'_> {
    fn conversion(&self) -> &Conversion {
        &self.chosen.conversion
    }

    /// Writes the result under hidden names, reads it back, and holds it to the source.
    fn write(&self, staged: &Staged) -> anyhow::Result<(Record, u64)> {
        let written = match self.chosen.form.filter(|form| form.is_gguf()) {
            Some(form) => weights::gguf(self.args, self.opened, self.conversion(), form, staged)?,
            None => weights::folder(self.args, self.opened, self.chosen, staged)?,
        };
        let mut record = Record::new(self.opened, self.chosen, &written);
        if !self.chosen.is_gguf() {
            beside::write(self.opened, self.chosen, staged)?;
            staged.file("config.json", &self.config(&written.dtype))?;
            staged.file(camelid_generate::RECORD, &record.text())?;
        }
        let proof = self.proved(staged, &written.rounded)?;
        record.prove(proof);
        if let Some(program) = &self.args.prove_with {
            record.engine = Some(python::run(program, staged, (self.opened, self.chosen), &written.rounded)?);
        }
        record.sum(written.sums.finish()?);
        if !self.chosen.is_gguf() {
            staged.file(camelid_generate::RECORD, &record.text())?;
        }
        Ok((record, written.bytes))
    }

    fn config(&self, dtype: &str) -> String {
        let mut config = self.conversion().config.clone();
        let key = if config.contains_key("dtype") { "dtype" } else { "torch_dtype" };
        let same = self.opened.family().name == self.chosen.family.name && self.args.dtype.is_none();
        if !same || !config.contains_key(key) {
            config.insert(key.into(), dtype.into());
        }
        format!("{:#}\n", serde_json::Value::Object(config))
    }

    fn proved(&self, staged: &Staged, rounded: &[Rounded]) -> anyhow::Result<Option<Proof>> {
        if self.args.prove_tokens == 0 {
            return Ok(None);
        }
        let proof = prove(self.args.prove_tokens, self.opened, self.chosen, &staged.path())?;
        let limit = proof.limit(rounded);
        if proof.error > limit {
            bail!(
                "the result is not what it was made of: over {} tokens its logits lie {:.1e} off, where {limit:.1e} is what \
                 rounding explains; nothing was written. This is a fault of camelid's: please report it",
                proof.tokens,
                proof.error
            );
        }
        Ok(Some(proof))
    }

    fn tell(&self, record: &Record, bytes: u64) {
        let conversion = self.conversion();
        let as_what = match self.chosen.form.filter(|form| form.is_gguf()) {
            Some(form) => format!("a GGUF file of the architecture `{}`", form.name),
            None => titled(self.chosen.family),
        };
        outln!("{} as {}", self.opened.path().display(), bold(as_what));
        outln!("  {} tensors, {} bytes", record.tensors, thousands(bytes));
        let grade = match conversion.grade {
            Grade::Bytes => "bytes: rows moved, no number changed".to_owned(),
            Grade::Exact => {
                "exact: the same function, computed in double precision and rounded once".to_owned()
            }
            Grade::Within(tokens) => {
                format!("within {tokens} tokens: the same function up to there, which is its context")
            }
        };
        outln!("  {}", bold(grade));
        for fold in &conversion.folds {
            outln!("    {}: {}", fold.word, fold.what);
        }
        if let Some(worst) = record.worst_rounding() {
            outln!("  {}", dim(worst));
        }
        record.proved.iter().chain(&record.engine).for_each(|line| outln!("  {line}"));
        if let Some(better) = &self.chosen.better {
            note(better);
        }
    }
}
