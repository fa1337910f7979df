//! `cargo xtask trust`: runs what the project's promises rest on, and reports it in one table.

mod deny;
mod fuzz;
mod laws;
mod mutants;
mod print;
mod report;
mod suite;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use cargo_metadata::MetadataCommand;

use deny::Checked;
use report::{Law, NEEDS, Report, Tests};
use suite::Seen;

/// Run every test, law and fuzz target, and report them with the score of the mutants
///
/// Exit status 0 only if everything that ran passed and every law and every target did run. What can't run on this machine
/// is named. The mutants take hours: their score is read from docs/mutants.json, with its commits.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How long each fuzz target runs
    #[arg(long, value_name = "SECONDS", default_value_t = 5.0)]
    fuzz_seconds: f64,
    /// Features to turn on for the tests, as cargo names them
    #[arg(long, value_name = "FEATURES")]
    features: Option<String>,
    /// Write docs/mutants.json from these folders of cargo-mutants, and run nothing
    #[arg(long, value_name = "DIR", num_args = 1..)]
    record_mutants: Vec<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Runs `trust`.
///
/// # Errors
/// Cargo can't be run, the tests do not build, a source file can't be read.
pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("the workspace's folder")?;
    if !args.record_mutants.is_empty() {
        mutants::record(root, &args.record_mutants)?;
        return Ok(ExitCode::SUCCESS);
    }
    let seen = suite::run(root, args.features.as_deref(), args.fuzz_seconds)?;
    let laws = laws(root, &seen)?;
    let fuzz = fuzz::targets(&seen, &targets(root)?);
    let deny = deny::run(root);
    let passed = seen.passed
        && !laws.iter().any(Law::fails)
        && fuzz.iter().all(|target| target.findings == 0 && target.executions > 0)
        && deny.iter().all(|(_, checked)| *checked != Checked::Failed);
    let mutants = mutants::Score::read(root).ok();
    let report = Report { passed, laws, tests: counts(&seen), fuzz, deny, mutants };
    if args.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print::report(&report);
    }
    Ok(if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Every law of every package. One that stands in the sources and was not seen to run did not pass, unless it needs a
/// feature that the test command does not turn on.
fn laws(root: &Path, seen: &Seen) -> anyhow::Result<Vec<Law>> {
    let metadata = MetadataCommand::new().manifest_path(root.join("Cargo.toml")).no_deps().exec()?;
    let mut out: Vec<Law> = Vec::new();
    for (law, cases) in laws::of_models(&seen.printed) {
        out.push(Law::of(seen, laws::MODELS, law, cases));
    }
    for package in metadata.packages {
        let folder = package.manifest_path.parent().context("a package's folder")?;
        let mut apart = Vec::new();
        for target in package.targets.iter().filter(|target| !target.required_features.is_empty()) {
            let path = target.src_path.clone().into_std_path_buf();
            let outcome = format!("{NEEDS}{}", target.required_features.join(", "));
            let unseen = |(law, cases)| Law {
                law,
                cases,
                package: package.name.to_string(),
                outcome: outcome.clone(),
            };
            out.extend(laws::of_file(&path)?.into_iter().map(unseen));
            apart.push(path);
        }
        for (law, cases) in laws::of_package(folder.as_std_path(), &apart)? {
            out.push(Law::of(seen, &package.name, law, cases));
        }
    }
    Ok(out)
}

fn counts(seen: &Seen) -> Vec<Tests> {
    let one = |(package, [passed, ignored, failed]): (&String, &[usize; 3])| Tests {
        package: package.clone(),
        passed: *passed,
        ignored: *ignored,
        failed: *failed,
    };
    seen.counts.iter().map(one).collect()
}

/// The fuzz targets that there must be: the programs in `fuzz/`.
fn targets(root: &Path) -> anyhow::Result<Vec<String>> {
    let folder = root.join("fuzz/fuzz_targets");
    let entries = std::fs::read_dir(&folder).with_context(|| folder.display().to_string())?;
    let mut names = Vec::new();
    for entry in entries {
        names.extend(entry?.path().file_stem().map(|stem| stem.to_string_lossy().into_owned()));
    }
    names.sort();
    Ok(names)
}
