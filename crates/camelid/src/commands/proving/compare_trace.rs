//! `camelid compare-trace`: a dump of another engine, against the family.

use std::path::PathBuf;
use std::process::ExitCode;

use camelid_checkpoint::write_file;
use camelid_verify::{
    About, Compared, Dump, Names, Port, Precision, TraceReport, Verdict, compare_trace, page,
};

use crate::commands::options::model::{MachineArgs, ModelArgs};
use crate::commands::output::style::{bad, dim, good};
use crate::commands::proving::trace::names;

/// Compare what another engine computed, stage by stage, and name the cause
///
/// Every stage is computed from the port's own input to it, and held to what the port's precision does to that stage. At the
/// first that differs, known mistakes are tried on that stage alone. Exit status: 0 if the port is equal, as far as its
/// precision can tell, 1 if it differs, 2 if it could not be compared.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The model that was ported.
    #[command(flatten)]
    pub model: ModelArgs,
    /// Where it runs.
    #[command(flatten)]
    pub machine: MachineArgs,
    /// The dump: a .safetensors, .npz or .pt file of named tensors, or a folder of files with one tensor each (.npy too); never -, since it is read here and there
    #[arg(long, value_name = "FILE|DIR")]
    pub trace: PathBuf,
    /// A file that says what the dump's names mean: tables `[taps]` of tap = ["name", …]
    #[arg(long, value_name = "FILE.toml|-")]
    pub map: Option<PathBuf>,
    /// What the port computes in
    #[arg(long, value_enum, default_value_t = Given::Auto)]
    pub precision: Given,
    /// Say where it differs first, and look for no cause
    #[arg(long)]
    pub locate_only: bool,
    /// Write a page to look at: every stage against its precision, and where the first difference is
    #[arg(long, value_name = "FILE.html")]
    pub report: Option<PathBuf>,
    /// Print the report as JSON
    #[arg(long)]
    pub json: bool,
}

/// What a port computes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Given {
    /// Told from the values.
    Auto,
    /// Single precision.
    F32,
    /// Half precision.
    F16,
    /// Half precision with f32's range.
    Bf16,
    /// Matrices in 8 bits.
    #[value(name = "q8_0")]
    Q8,
}

/// Runs `compare-trace`.
///
/// # Errors
/// The model or the dump can't be read, or do not fit one another.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let dump = Dump::open(&args.trace)?;
    let mut names = args.map.iter().map(|file| names(file)).collect::<anyhow::Result<Vec<_>>>()?;
    names.extend(Names::presets()?);
    let opened = args.model.open()?;
    let model = args.model.load(&opened, args.machine.backend())?;
    let port = Port {
        model: &model,
        config: opened.config(),
        checkpoint: opened.checkpoint(),
        dump: &dump,
        names: &names,
    };
    let precision = match args.precision {
        Given::Auto => None,
        Given::F32 => Some(Precision::F32),
        Given::F16 => Some(Precision::F16),
        Given::Bf16 => Some(Precision::Bf16),
        Given::Q8 => Some(Precision::Q8),
    };
    let depth = if args.locate_only { Compared::Located } else { Compared::Explained };
    let report = compare_trace(&port, precision, depth, &mut |located| {
        if !args.json {
            table(located);
        }
    })?;
    if let Some(path) = &args.report {
        let (name, trace) = (opened.path().display().to_string(), args.trace.display().to_string());
        let about = About { model: &name, family: &opened.family().name, trace: &trace };
        write_file(path, page(&report, about).as_bytes())?;
    }
    if args.json {
        outln!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        told(&report, &opened.family().name);
    }
    Ok(ExitCode::from(u8::from(report.first_divergence.is_some())))
}

/// Every stage with its distance and what its precision does; the first that differs.
fn table(report: &TraceReport) {
    outln!("{}", dim("stage                      apart     its precision does"));
    for stage in &report.stages {
        let name =
            stage.layer.map_or_else(|| stage.stage.clone(), |layer| format!("{layer} {}", stage.stage));
        let apart = stage.residual.map_or_else(|| "not finite".to_owned(), |apart| format!("{apart:.1e}"));
        let line = format!("{name:<24}  {apart:>10}  {:>8.1e}", stage.floor);
        match stage.verdict {
            Verdict::Equal => outln!("{line}  equal"),
            Verdict::Rounding => outln!("{line}  rounding"),
            Verdict::Different => outln!("{line}  {}", bad("different")),
        }
    }
    if let Some(first) = &report.first_divergence {
        outln!("{}", first.sentence);
    }
}

fn told(report: &TraceReport, family: &str) {
    match &report.first_divergence {
        Some(first) if first.tried > 0 => outln!("{}", first.sentence),
        Some(_) => {}
        None => {
            table(report);
            let precision = serde_json::to_value(report.precision).ok();
            let precision = precision.as_ref().and_then(|name| name.as_str()).unwrap_or_default();
            let how = if report.below_precision { ", as far as its precision can tell" } else { "" };
            outln!("{}: the port is {family} in {precision}{how}", good("equal"));
        }
    }
    if !report.unmatched.is_empty() {
        let all = &report.unmatched;
        let some: Vec<_> = all.iter().take(6).map(String::as_str).collect();
        let more = if all.len() > some.len() { ", …" } else { "" };
        outln!("{}", dim(format!("not compared, {} tensors: {}{more}", all.len(), some.join(", "))));
    }
}
