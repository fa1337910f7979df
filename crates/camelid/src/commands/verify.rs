//! `camelid verify NAME` and `cargo xtask verify-family NAME`: whether a family equals its original.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use camelid_families::{Backend, Library};
use camelid_verify::{CaseReport, FamilyReport, Greedy};

use super::style::{bad, bold, dim, good};

/// Verify that a family equals its original implementation
///
/// Counts the parameters of every published size, runs every case, and compares at every tap, in logits and in greedy
/// tokens. Exit status: 0 if something ran and all of it passed, 1 if something differed, 2 if it could not run.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The family's name, such as gemma2
    #[arg(required_unless_present = "spec", conflicts_with = "spec")]
    pub name: Option<String>,
    /// Read the family from a file, which may extend any built-in one
    #[arg(long, value_name = "FILE.toml")]
    pub spec: Option<PathBuf>,
    /// Run this case's folder instead of those that the project carries (repeatable)
    #[arg(long = "case", value_name = "DIR")]
    pub cases: Vec<PathBuf>,
    /// Print the report as JSON
    #[arg(long)]
    pub json: bool,
}

/// Verify every family
#[derive(Debug, clap::Args)]
pub struct AllArgs {
    /// Print the reports as JSON
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
        (None, Some(path)) => library.add(path)?,
        (None, None) => bail!("name a family, or give its file with --spec"),
    };
    let cases = if args.cases.is_empty() { carried(&library, &name)? } else { args.cases.clone() };
    let report = camelid_verify::verify(&library, &name, &cases, &Backend::serial())?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print_family(&report);
    }
    Ok(ExitCode::from(report.exit_status()))
}

/// Runs `verify-all`.
///
/// # Errors
/// The cases can't be found.
pub fn run_all(args: AllArgs) -> anyhow::Result<ExitCode> {
    let library = Library::built_in()?;
    let mut reports = Vec::new();
    for family in library.families().filter(|family| family.form_of.is_none()) {
        let cases = carried(&library, &family.name)?;
        let report = camelid_verify::verify(&library, &family.name, &cases, &Backend::serial())?;
        if !args.json {
            print_family(&report);
        }
        reports.push(report);
    }
    if args.json {
        println!("{}", serde_json::to_string_pretty(&reports)?);
    } else {
        print_sum(&reports);
    }
    Ok(ExitCode::from(reports.iter().map(FamilyReport::exit_status).max().unwrap_or(2)))
}

/// The cases that the project carries for a family and for its forms.
pub(crate) fn carried(library: &Library, name: &str) -> anyhow::Result<Vec<PathBuf>> {
    let root = std::env::var_os("CAMELID_CASES").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/cases")),
        PathBuf::from,
    );
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
            "there is no case of `{name}`: {} is no folder of cases; name one with --case DIR",
            place.display()
        );
    }
    Ok(cases)
}

fn folders(path: &Path) -> std::io::Result<Vec<PathBuf>> {
    let entries =
        std::fs::read_dir(path)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>()?;
    let mut folders: Vec<_> = entries.into_iter().filter(|path| path.is_dir()).collect();
    folders.sort();
    Ok(folders)
}

fn print_family(report: &FamilyReport) {
    anstream::println!("{} {}", mark(report.passed), bold(&report.family));
    for size in &report.parameters {
        let published =
            if size.equal { "as published".to_owned() } else { format!("published: {}", size.published) };
        anstream::println!(
            "  {} {:<22} {:>15} parameters, {published}",
            mark(size.equal),
            size.size,
            size.counted
        );
    }
    for case in &report.cases {
        print_case(case);
    }
    for failure in &report.errors {
        anstream::println!("  {} {}", bad("could not run"), failure.message);
    }
}

fn print_case(case: &CaseReport) {
    let worst = case.taps.iter().map(|tap| tap.distance.relative).fold(0.0, f64::max);
    let logits = match (case.error_vs_f64, case.reference_error_vs_f64) {
        (Some(ours), Some(theirs)) => format!("logits {ours:.1e} of f64 (reference {theirs:.1e})"),
        _ => format!("logits {:.1e} of the reference", case.logits.relative),
    };
    let taps = format!("{} taps within {worst:.1e}", case.taps.len());
    let anew = case.greedy_nocache.map(|greedy| format!(", {} anew", count(greedy))).unwrap_or_default();
    let greedy = format!("{} greedy tokens{anew}", count(case.greedy));
    anstream::println!("  {} {:<22} {taps}, {logits}, {greedy}", mark(case.passed), case.name);
    if !case.matches.contains(&case.form) {
        let would = if case.matches.is_empty() { "no family".to_owned() } else { case.matches.join(", ") };
        anstream::println!(
            "      {}",
            dim(format!("read as {}; by its config.json it is {would}", case.form))
        );
    }
    if let Some(first) = &case.first_divergence {
        let layer = first.layer.map(|layer| format!("layer {layer}, ")).unwrap_or_default();
        anstream::println!("      first differs at {layer}{}: {}", bold(&first.stage), first.likely_cause);
    }
}

fn print_sum(reports: &[FamilyReport]) {
    let cases: Vec<_> = reports.iter().flat_map(|report| &report.cases).collect();
    let passed = reports.iter().filter(|report| report.passed).count();
    let sizes: usize = reports.iter().map(|report| report.parameters.len()).sum();
    anstream::println!(
        "{} {passed} of {} families, {} of {} cases, {sizes} published sizes",
        mark(passed == reports.len()),
        reports.len(),
        cases.iter().filter(|case| case.passed).count(),
        cases.len(),
    );
}

fn count(greedy: Greedy) -> String {
    format!("{} of {}", greedy.matched, greedy.of)
}

fn mark(passed: bool) -> String {
    if passed { good("ok    ") } else { bad("FAILED") }
}
