//! `camelid serve`: an endpoint that OpenAI's clients talk to.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use camelid_serve::{Access, Limits, Origin, Server, Setup, Stop};

use crate::commands::options::input::text;
use crate::commands::options::model::{MachineArgs, ModelArgs};

/// The variable that may hold the key.
const KEY: &str = "CAMELID_API_KEY";

/// Answer OpenAI's clients over HTTP: /v1/completions, /v1/chat/completions, /v1/models, /health, /metrics
///
/// Several texts share each pass over the weights, and each has the same bits as alone. Ctrl-C or SIGTERM once lets what runs
/// end, twice ends at once. docs/serving.md is the manual.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Which checkpoint
    #[command(flatten)]
    pub model: ModelArgs,
    /// Where the arithmetic runs
    #[command(flatten)]
    pub machine: MachineArgs,
    /// The address to listen at; any but a loopback's lets other machines in
    #[arg(long, value_name = "IP", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    pub host: IpAddr,
    /// The port to listen at; 0 takes a free one
    #[arg(long, value_name = "PORT", default_value_t = 8080)]
    pub port: u16,
    /// The name that requests call the model by [default: its folder's or file's]
    #[arg(long, value_name = "NAME")]
    pub alias: Option<String>,
    /// A file, or - for standard input, whose first line is the key that requests must show; the variable CAMELID_API_KEY does as well
    #[arg(long, value_name = "FILE|-")]
    pub api_key_file: Option<PathBuf>,
    /// An origin whose pages may ask and read the answers, as http://localhost:3000 (repeatable) [default: none]
    #[arg(long, value_name = "ORIGIN")]
    pub cors_origin: Vec<Origin>,
    /// Texts at once
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub parallel: u16,
    /// Texts that wait beyond these; who comes then is told to come back
    #[arg(long, value_name = "N", default_value_t = 64)]
    pub queue: u16,
    /// The longest sequence in tokens, prompt and all [default: what the checkpoint was made for, 8192 at most]
    #[arg(long, value_name = "N")]
    pub context: Option<usize>,
    /// Bytes for keys and values of all texts, as 2GB [default: half of what is free beside the weights]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub memory: Option<u64>,
    /// Bytes for prompts that are remembered, as 500MB; 0 remembers none [default: an eighth of what is free beside the weights]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub cache_ram: Option<u64>,
    /// Bytes of a request, at most
    #[arg(long, value_name = "SIZE", default_value = "4MB", value_parser = size)]
    pub max_body: u64,
    /// Seconds that an answer may take, its wait among it
    #[arg(long, value_name = "SECONDS", default_value_t = 600, value_parser = clap::value_parser!(u32).range(1..))]
    pub timeout: u32,
    /// Write the log as JSON, a line each
    #[arg(long)]
    pub log_json: bool,
}

/// Runs `serve`.
///
/// # Errors
/// The checkpoint can't be read or does not fit, the address can't be had, the key's file can't be read.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let access = Access { key: key(args.api_key_file.as_deref())?, origins: args.cors_origin.clone() };
    if !args.host.is_loopback() && access.key.is_none() {
        args.model.note(&format!(
            "whoever reaches {} can use this server: a key is not asked for (--api-key-file)",
            args.host
        ));
    }
    ensure!(args.context != Some(0), "--context 0: at least one token");
    let opened = args.model.open()?;
    opened.tokenizer()?;
    let model = args.model.load(&opened, args.machine.backend())?;
    let setup = Setup::new(&opened, model, args.alias.clone().or_else(|| named(&args.model.name.find()?)))?;
    let limits = limits(&args, Limits::for_model(setup.model.architecture(), setup.weights))?;
    let address = SocketAddr::new(args.host, args.port);
    let server = Server::bind(setup, limits, address, &access).with_context(|| address.to_string())?;
    log(args.log_json);
    server.told().iter().for_each(|line| errln!("{line}"));
    outln!("listening at http://{}/v1", server.address()?);
    server.run(Stop::by_signals())?;
    Ok(ExitCode::SUCCESS)
}

fn limits(args: &Args, usual: Limits) -> anyhow::Result<Limits> {
    let bytes = |size: u64, option: &str| usize::try_from(size).with_context(|| format!("{option} {size}"));
    Ok(Limits {
        parallel: args.parallel.into(),
        queue: args.queue.into(),
        context: args.context.unwrap_or(usual.context),
        memory: args.memory.unwrap_or(usual.memory),
        prefixes: args.cache_ram.map_or(Ok(usual.prefixes), |size| bytes(size, "--cache-ram"))?,
        body: bytes(args.max_body, "--max-body")?,
        timeout: Duration::from_secs(args.timeout.into()),
        ..usual
    })
}

/// A name of the hub's; a folder or a file has its own.
fn named(model: &str) -> Option<String> {
    (!Path::new(model).exists()).then(|| model.to_owned())
}

/// The log goes to standard error.
fn log(as_json: bool) {
    let lines = tracing_subscriber::fmt().with_writer(std::io::stderr).with_target(false);
    if as_json {
        lines.json().init();
    } else {
        lines.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).init();
    }
}

/// The key of the file, else of the environment.
fn key(file: Option<&Path>) -> anyhow::Result<Option<String>> {
    let (text, place) = match file {
        Some(file) => {
            let place = format!("--api-key-file {}", file.display());
            (text(&file.to_string_lossy()).with_context(|| place.clone())?, place)
        }
        None => match std::env::var(KEY) {
            Ok(key) => (key, KEY.to_owned()),
            Err(std::env::VarError::NotPresent) => return Ok(None),
            Err(error) => bail!("{KEY}: {error}"),
        },
    };
    let key = text.lines().next().unwrap_or_default().trim();
    ensure!(!key.is_empty(), "{place}: the first line holds no key");
    Ok(Some(key.to_owned()))
}

/// `500MB`, `2GB`, or a number of bytes.
fn size(text: &str) -> Result<u64, String> {
    let digits = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let times = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => Some(1),
        "k" | "kb" => Some(1_000),
        "m" | "mb" => Some(1_000_000),
        "g" | "gb" => Some(1_000_000_000),
        "kib" => Some(1 << 10),
        "mib" => Some(1 << 20),
        "gib" => Some(1 << 30),
        _ => None,
    };
    let size = number.parse::<u64>().ok().zip(times).and_then(|(number, times)| number.checked_mul(times));
    size.ok_or_else(|| "a number of bytes, such as 500MB or 2GB".to_owned())
}

#[cfg(test)]
mod tests {
    use super::size;

    #[test]
    fn sizes_are_bytes_with_units() {
        let sizes = ["0", "12", "3kB", "500MB", "2 GB", "1GiB"].map(size);
        let wanted = [0, 12, 3_000, 500_000_000, 2_000_000_000, 1 << 30].map(Ok);
        assert_eq!(sizes, wanted);
        for wrong in ["", "-1", "MB", "1.5GB", "9TB", "99999999999GB"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
    }
}
