//! `camelid verify NAME` and `cargo xtask verify-family NAME`: whether a family equals its original.

mod print;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use camelid_families::{Allow, Library};
use camelid_verify::{Depth, FamilyReport, ProofReport, Settings, stale};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::commands::options::input::declared;
use crate::commands::proving::verify_tokenizer::{self, Places, Row};

/// Verify that a family equals its original implementation
///
/// Counts the parameters of every published size, runs every case, and compares at every tap, in logits and in greedy
/// tokens. What differs is located and diagnosed. Where the family's real vocabulary is at hand, its tokenizer is compared
/// with the reference's ids. Exit status: 0 if something ran and all of it passed, 1 if something
/// differed, 2 if it could not run.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The family's name, such as gemma2
    #[arg(required_unless_present = "spec", conflicts_with = "spec")]
    pub name: Option<String>,
    /// Read the family from a file, which may extend any built-in one; - is standard input
    #[arg(long, value_name = "FILE.toml|-")]
    pub spec: Option<PathBuf>,
    /// Run this case's folder instead of those that the project carries (repeatable)
    #[arg(long = "case", value_name = "DIR")]
    pub cases: Vec<PathBuf>,
    /// Change every word of the declaration in turn: some case must fail for it
    #[arg(long)]
    pub prove: bool,
    /// A key of config.json to wave through, unread (repeatable)
    #[arg(long = "allow-key", value_name = "KEY")]
    pub allow_keys: Vec<String>,
    /// A tensor of the checkpoint to wave through, unused (repeatable)
    #[arg(long = "allow-tensor", value_name = "NAME")]
    pub allow_tensors: Vec<String>,
    /// Where the family's real vocabulary is.
    #[command(flatten)]
    pub places: Places,
    /// Print the report as JSON
    #[arg(long)]
    pub json: bool,
}

/// A family's report, with its tokenizer's.
#[derive(Serialize)]
struct Verified<'r> {
    #[serde(flatten)]
    report: &'r FamilyReport,
    /// A line for each real vocabulary that is at hand.
    tokenizer: &'r [Row],
}

/// Verify every family
#[derive(Debug, clap::Args)]
pub struct AllArgs {
    /// Change every word of every declaration in turn: some case must fail for it
    #[arg(long)]
    pub prove: bool,
    /// Print the reports as JSON: a list with one object for each family
    #[arg(long)]
    pub json: bool,
}

/// Runs `verify NAME`.
///
/// # Errors
/// No family has the name, its file is none, or there is no case.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let mut library = Library::built_in()?;
    let name = match (&args.name, &args.spec) {
        (Some(name), _) => name.clone(),
        (None, Some(path)) => declared(&mut library, path)?,
        (None, None) => bail!("name a family, or give its file with --spec"),
    };
    let cases = if args.cases.is_empty() { carried(&library, &name)? } else { args.cases.clone() };
    let settings = Settings {
        allow: Allow { keys: args.allow_keys, tensors: args.allow_tensors },
        depth: depth(args.prove),
        ..Settings::default()
    };
    let report = verify(&library, &name, &cases, &settings)?;
    // Cases that are named are all that is asked for.
    let tokenizer = match args.cases.is_empty() {
        true => Some(verify_tokenizer::of_family(&library, &name, &args.places)?),
        false => None,
    };
    let rows = tokenizer.as_deref().unwrap_or_default();
    if args.json {
        outln!("{}", serde_json::to_string_pretty(&Verified { report: &report, tokenizer: rows })?);
    } else {
        print::family(&report);
        tokenizer.iter().for_each(|rows| print::tokenizer(rows));
    }
    let differs = rows.iter().filter_map(|row| row.score.as_ref()).any(|score| !score.passed());
    Ok(ExitCode::from(report.exit_status().max(u8::from(differs))))
}

/// Runs `verify-all`.
///
/// # Errors
/// The cases can't be found.
pub fn run_all(args: AllArgs) -> anyhow::Result<ExitCode> {
    let library = Library::built_in()?;
    let settings = Settings { depth: depth(args.prove), ..Settings::default() };
    let mut reports = Vec::new();
    for family in library.families().filter(|family| family.form_of.is_none()) {
        let cases = carried(&library, &family.name)?;
        let report = verify(&library, &family.name, &cases, &settings)?;
        if !args.json {
            print::family(&report);
        }
        reports.push(report);
    }
    let proofs: Vec<&ProofReport> = reports.iter().filter_map(|report| report.proof.as_ref()).collect();
    let stale = if args.prove { stale(&proofs) } else { Vec::new() };
    if args.json {
        outln!("{}", serde_json::to_string_pretty(&reports)?);
    } else {
        print::sum(&reports, &stale);
    }
    let worst = reports.iter().map(FamilyReport::exit_status).max().unwrap_or(2);
    Ok(ExitCode::from(worst.max(u8::from(!stale.is_empty()))))
}

fn depth(prove: bool) -> Depth {
    if prove { Depth::Prove } else { Depth::Compare }
}

/// Verifies with a bar on standard error, which is only there on a terminal and only while it takes.
fn verify(
    library: &Library,
    name: &str,
    cases: &[PathBuf],
    settings: &Settings,
) -> anyhow::Result<FamilyReport> {
    let style = ProgressStyle::with_template("{prefix} {wide_bar} {pos}/{len} {msg}")?;
    let bar = ProgressBar::new(cases.len() as u64).with_style(style).with_prefix(name.to_owned());
    let report = camelid_verify::verify(library, name, cases, settings, &|done, of, what| {
        bar.set_length(of as u64);
        bar.set_position(done as u64);
        bar.set_message(what.to_owned());
    });
    bar.finish_and_clear();
    Ok(report?)
}

/// The cases that the project carries for a family and for its forms.
pub(crate) fn carried(library: &Library, name: &str) -> anyhow::Result<Vec<PathBuf>> {
    let root = root_of_cases();
    let mut cases = Vec::new();
    for form in library.forms(name) {
        let folder = root.join(&form.name);
        if folder.is_dir() {
            cases.extend(folders(&folder).with_context(|| folder.display().to_string())?);
        }
    }
    if cases.is_empty() {
        library.get(name)?;
        let place = root.join(name);
        bail!(
            "there is no case of `{name}`: {} is no folder of cases. They come with the project's sources: run it within a clone, \
             name their folder in CAMELID_CASES, or one of them with --case DIR",
            place.display()
        );
    }
    Ok(cases)
}

/// Where cases are: as the environment says, else in the clone that we are run in, else in the one that we were built in.
fn root_of_cases() -> PathBuf {
    if let Some(named) = std::env::var_os("CAMELID_CASES") {
        return PathBuf::from(named);
    }
    let here = std::env::current_dir().unwrap_or_default();
    let clone = here.ancestors().map(|folder| folder.join("tests/cases")).find(|cases| cases.is_dir());
    clone.unwrap_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/cases")))
}

fn folders(path: &Path) -> std::io::Result<Vec<PathBuf>> {
    let entries =
        std::fs::read_dir(path)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>()?;
    let mut folders: Vec<_> = entries.into_iter().filter(|path| path.is_dir()).collect();
    folders.sort();
    Ok(folders)
}
