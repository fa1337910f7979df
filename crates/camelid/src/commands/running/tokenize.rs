//! `camelid tokenize`: text to ids and back, JSON lines in, JSON lines out.

use std::io::{BufRead, BufReader, BufWriter, Read, Write, stdin, stdout};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use camelid_checkpoint::gguf::Metadata;
use camelid_checkpoint::{Checkpoint, read_json};
use camelid_families::{Declaration, Library, plainly};
use camelid_tokenizers::{Gguf, Kind, Settings, Specials, Tokenizer};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use crate::commands::options::which::Which;

/// Turn text into ids, or ids into text
///
/// Reads JSON lines {"text": …} from standard input and writes {"ids": […]}, one line for each; other keys are ignored.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    source: SourceArgs,
    #[command(flatten)]
    which: Which,
    /// Read {"ids": […]} and write {"text": …}
    #[arg(long)]
    decode: bool,
    /// Text that spells a special token is that token; without this it is text like any other
    #[arg(long)]
    special: bool,
    /// Add what the family puts around a text: BOS, EOS, prefix tokens
    #[arg(long, conflicts_with = "decode")]
    add_special: bool,
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct SourceArgs {
    /// The tokenizer of this checkpoint: a directory, or a GGUF file
    #[arg(long, value_name = "DIR")]
    model: Option<PathBuf>,
    /// A vocabulary: a sentencepiece model, tiktoken ranks, a tokenizer.json or a GGUF file, told apart by content
    #[arg(long, value_name = "FILE")]
    tokenizer: Option<PathBuf>,
}

/// Runs `tokenize`.
///
/// # Errors
/// The vocabulary can't be opened; a line is no JSON, has no text, or holds an id that is not in the vocabulary.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let Some(path) = args.source.model.as_ref().or(args.source.tokenizer.as_ref()) else {
        bail!("name a checkpoint with --model or a vocabulary with --tokenizer");
    };
    let mut library = Library::built_in()?;
    let family = args.which.name(&mut library)?;
    let tokenizer = open(path, &library, family.as_deref())?;
    let line = |line: &[u8]| match args.decode {
        true => decode_line(&*tokenizer, line),
        false => encode_line(&*tokenizer, line, &args),
    };
    let (input, output) = (stdin().lock(), stdout().lock());
    each_line(input, output, line)?;
    Ok(ExitCode::SUCCESS)
}

/// Opens the tokenizer at `path` — a directory, a vocabulary or a GGUF file — with a family's settings.
///
/// The family is the one that is named, else the one that config.json beside the file tells; where there is neither,
/// the file has to say everything itself.
///
/// # Errors
/// The family is not known or not clear, or the vocabulary can't be opened with its settings.
pub fn open(path: &Path, library: &Library, family: Option<&str>) -> anyhow::Result<Box<dyn Tokenizer>> {
    let settings = if is_gguf(path) { Settings::default() } else { settings(path, library, family)? };
    open_with(path, &settings)
}

/// Opens the tokenizer at `path` with settings that are known already.
///
/// # Errors
/// As [`camelid_tokenizers::open`] and [`camelid_tokenizers::open_gguf`].
pub fn open_with(path: &Path, settings: &Settings) -> anyhow::Result<Box<dyn Tokenizer>> {
    if !is_gguf(path) {
        return Ok(camelid_tokenizers::open(path, settings)?);
    }
    let checkpoint = Checkpoint::open(path)?;
    let metadata = checkpoint.gguf_metadata().context("a GGUF file without metadata")?;
    let gguf = arrays(metadata).with_context(|| path.display().to_string())?;
    camelid_tokenizers::open_gguf(&gguf, settings).with_context(|| path.display().to_string())
}

/// The `[tokenizer]` table of the family that is named, or that the checkpoint or the vocabulary shows to be.
fn settings(path: &Path, library: &Library, family: Option<&str>) -> anyhow::Result<Settings> {
    let directory = if path.is_dir() { path } else { path.parent().unwrap_or(Path::new(".")) };
    let config = directory.join("config.json");
    let config = if config.is_file() { Some(read_json(&config)?) } else { None };
    match (family, config) {
        (Some(name), config) => declared(library.get(name)?, &config.unwrap_or_default()),
        (None, Some(config)) if path.is_dir() => {
            let found = library.detect(&config, &[]);
            let found = found.context("name the family with --family")?;
            declared(found.family, &config)
        }
        // A lone vocabulary says everything itself, but for ranks: those tell their family by their number.
        (None, Some(_) | None) => by_ranks(path, library),
    }
}

/// The settings of the one family whose special tokens begin where the ranks of this file end; the default for a file
/// that holds no ranks.
fn by_ranks(path: &Path, library: &Library) -> anyhow::Result<Settings> {
    let file = if path.is_file() { std::fs::read(path)? } else { Vec::new() };
    if !matches!(camelid_tokenizers::kind_of(&file), Ok(Kind::Tiktoken)) {
        return Ok(Settings::default());
    }
    let ranks = file.split(|&byte| byte == b'\n').filter(|line| !line.trim_ascii().is_empty()).count();
    let mut fitting: Vec<(&str, Settings)> = Vec::new();
    for family in library.families() {
        let Ok(settings) = declared(family, &Map::new()) else { continue };
        let first = settings.specials()?.first().map(|special| special.id as usize);
        if settings.pattern.is_some()
            && first == Some(ranks)
            && !fitting.iter().any(|(_, known)| *known == settings)
        {
            fitting.push((&family.name, settings));
        }
    }
    match fitting.len() {
        1 => Ok(fitting.remove(0).1),
        _ => {
            let names: Vec<_> = fitting.iter().map(|(name, _)| *name).collect();
            let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            bail!("{}: name the family with --family; of {ranks} ranks: {names}", path.display())
        }
    }
}

/// A family's `[tokenizer]` table, its formulas evaluated over config.json.
///
/// # Errors
/// A word that the table does not have, or a formula over a key that config.json lacks.
pub fn declared(family: &Declaration, config: &Map<String, Value>) -> anyhow::Result<Settings> {
    family.evaluate("tokenizer", &family.tokenizer, config).map_err(|problems| {
        let problems: Vec<_> = problems.iter().map(ToString::to_string).collect();
        anyhow::anyhow!("the tokenizer of {}: {}", family.name, problems.join("; "))
    })
}

fn is_gguf(path: &Path) -> bool {
    let mut magic = [0; 4];
    let read = std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut magic));
    read.is_ok() && magic == *b"GGUF"
}

/// What stands under `tokenizer.ggml.` in a GGUF file.
fn arrays(metadata: &Metadata) -> anyhow::Result<Gguf> {
    let entries = metadata.iter().filter_map(|(key, value)| {
        let key = key.strip_prefix("tokenizer.ggml.")?;
        Some((key.to_owned(), value.to_json()?))
    });
    let entries: Map<String, Value> = entries.collect();
    serde_json::from_value(Value::Object(entries))
        .map_err(|error| anyhow::anyhow!("tokenizer.ggml: {}", plainly(&error.to_string(), None)))
}

#[derive(Deserialize)]
struct Text {
    text: String,
}

#[derive(Deserialize)]
struct Ids {
    ids: Vec<u32>,
}

/// A line of JSON; what is wrong with it, in a reader's words.
fn read<T: DeserializeOwned>(line: &[u8]) -> anyhow::Result<T> {
    serde_json::from_slice(line).map_err(|error| anyhow::anyhow!(plainly(&error.to_string(), None)))
}

fn encode_line(tokenizer: &dyn Tokenizer, line: &[u8], args: &Args) -> anyhow::Result<Value> {
    let Text { text } = read(line)?;
    let specials = if args.special { Specials::Parse } else { Specials::Literal };
    let ids = tokenizer.encode(&text, specials)?;
    let ids = if args.add_special { tokenizer.frame().around(&ids) } else { ids };
    Ok(serde_json::json!({ "ids": ids }))
}

fn decode_line(tokenizer: &dyn Tokenizer, line: &[u8]) -> anyhow::Result<Value> {
    let Ids { ids } = read(line)?;
    Ok(serde_json::json!({ "text": tokenizer.decode(&ids)? }))
}

/// One line out for every line in; an error names its line.
fn each_line(
    input: impl Read,
    output: impl Write,
    answer: impl Fn(&[u8]) -> anyhow::Result<Value>,
) -> anyhow::Result<()> {
    let (mut input, mut output) = (BufReader::new(input), BufWriter::new(output));
    let mut line = Vec::new();
    let mut number = 0;
    while input.read_until(b'\n', &mut line)? > 0 {
        number += 1;
        if !line.trim_ascii().is_empty() {
            let value = answer(&line).with_context(|| format!("standard input, line {number}"));
            // What was answered before an error stays answered.
            let value = value.inspect_err(|_| output.flush().unwrap_or_default())?;
            serde_json::to_writer(&mut output, &value)?;
            output.write_all(b"\n")?;
        }
        line.clear();
        // Whoever waits for an answer before the next question gets it.
        if input.buffer().is_empty() {
            output.flush()?;
        }
    }
    Ok(output.flush()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(input: &str) -> (anyhow::Result<()>, String) {
        let mut output = Vec::new();
        let result = each_line(input.as_bytes(), &mut output, |line| {
            let Ids { ids } = serde_json::from_slice(line)?;
            Ok(serde_json::json!(ids.len()))
        });
        (result, String::from_utf8(output).unwrap())
    }

    #[test]
    fn a_line_is_answered_by_a_line() {
        let (result, output) = answers("{\"ids\":[1,2],\"index\":7}\n\n{\"ids\":[]}");
        result.unwrap();
        assert_eq!(output, "2\n0\n");
    }

    #[test]
    fn a_line_that_is_wrong_is_named() {
        let (result, output) = answers("{\"ids\":[1]}\n{\"ids\":[-1]}\n{\"ids\":[1]}\n");
        assert_eq!(output, "1\n");
        assert!(format!("{:#}", result.unwrap_err()).starts_with("standard input, line 2: invalid value"));
    }
}
