//! `cargo xtask weigh`: what each crate costs who takes it alone.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, ensure};

/// Count the packages that each crate brings, and with --time the processor seconds of building it cold
///
/// The table is docs/weight.md. Seconds are kept from the last run with --time; they are those of the development profile.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Build each crate into an empty folder, and time it
    #[arg(long)]
    time: bool,
    /// Write nothing; fail if the packages are others than the page says
    #[arg(long, conflicts_with = "time")]
    check: bool,
    /// The crates, such as camelid-rope [default: all]
    crates: Vec<String>,
}

/// A crate, with features or none, as it is taken.
const TAKEN: [(&str, &str); 22] = [
    ("camelid-kernels", ""),
    ("camelid-linear", ""),
    ("camelid-checkpoint", ""),
    ("camelid-tokenizers", ""),
    ("camelid-tokenizers", "hugging-face"),
    ("camelid-norm", ""),
    ("camelid-rope", ""),
    ("camelid-yarn", ""),
    ("camelid-alibi", ""),
    ("camelid-attention", ""),
    ("camelid-dual-chunk", ""),
    ("camelid-mlp", ""),
    ("camelid-experts", ""),
    ("camelid-short-conv", ""),
    ("camelid-delta-net", ""),
    ("camelid-latent", ""),
    ("camelid-families", ""),
    ("camelid-generate", ""),
    ("camelid-fetch", ""),
    ("camelid-verify", ""),
    ("camelid", ""),
    ("camelid", "no default features"),
];

const HEAD: &str = "# What each crate weighs\n\
    <!-- Made by `cargo xtask weigh --time`. Do not edit. -->\n\n\
    Packages that a crate brings beside itself, ours among them, and the processor seconds of building it and them into an empty\n\
    folder in the development profile, on two cores of the machine that docs/performance.md names.\n\n\
    | crate | feature | packages | seconds |\n| --- | --- | --- | --- |\n";

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let page = root()?.join("docs/weight.md");
    let written = std::fs::read_to_string(&page).unwrap_or_default();
    let mut text = HEAD.to_owned();
    for (name, feature) in TAKEN {
        let packages = packages(name, feature)?;
        let wanted = args.crates.is_empty() || args.crates.iter().any(|other| other == name);
        let seconds = match args.time && wanted {
            true => format!("{:.1}", seconds(name, feature)?),
            false => known(&written, name, feature),
        };
        let row = format!("| `{name}` | {feature} | {packages} | {seconds} |\n");
        print!("{row}");
        text += &row;
    }
    if args.check {
        ensure!(text == written, "{} is not what the crates weigh; run `cargo xtask weigh`", page.display());
    } else {
        std::fs::write(&page, text).with_context(|| page.display().to_string())?;
    }
    Ok(ExitCode::SUCCESS)
}

fn root() -> anyhow::Result<PathBuf> {
    Ok(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize()?)
}

/// The seconds that the page has for a crate.
fn known(page: &str, name: &str, feature: &str) -> String {
    let start = format!("| `{name}` | {feature} | ");
    let row = page.lines().find_map(|line| line.strip_prefix(&start));
    let cell = row.and_then(|row| row.split('|').nth(1)).map(str::trim).unwrap_or_default();
    cell.to_owned()
}

fn cargo(command: &str, name: &str, feature: &str) -> anyhow::Result<Command> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root()?).args([command, "--locked", "--package", name]);
    match feature {
        "" => {}
        "no default features" => drop(cargo.arg("--no-default-features")),
        feature => drop(cargo.args(["--features", feature])),
    }
    Ok(cargo)
}

/// Packages that are compiled for it, but itself.
fn packages(name: &str, feature: &str) -> anyhow::Result<usize> {
    let mut tree = cargo("tree", name, feature)?;
    let output = tree.args(["--edges", "normal,build", "--prefix", "none", "--format", "{p}"]).output()?;
    ensure!(output.status.success(), "cargo tree: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout)?;
    let lines = text.lines().map(|line| line.trim_end_matches(" (*)").trim());
    let all: std::collections::BTreeSet<&str> = lines.filter(|line| !line.is_empty()).collect();
    Ok(all.len() - 1)
}

/// Processor seconds of a cold build.
fn seconds(name: &str, feature: &str) -> anyhow::Result<f64> {
    let folder = tempfile::tempdir()?;
    let before = children()?;
    let status =
        cargo("build", name, feature)?.arg("--quiet").env("CARGO_TARGET_DIR", folder.path()).status()?;
    ensure!(status.success(), "{name} {feature} does not build");
    Ok(children()? - before)
}

/// Processor seconds of all children that have ended, theirs among them.
fn children() -> anyhow::Result<f64> {
    let stat =
        std::fs::read_to_string("/proc/self/stat").context("weighing reads /proc: it runs on Linux")?;
    // After the name, which may hold anything: the 16th and 17th field are cutime and cstime, in hundredths.
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let times: Vec<f64> = fields.skip(13).take(2).filter_map(|field| field.parse().ok()).collect();
    ensure!(times.len() == 2, "/proc/self/stat is not as it should be");
    Ok(times.iter().sum::<f64>() / 100.0)
}
