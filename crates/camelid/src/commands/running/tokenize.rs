//! `camelid tokenize`: text to ids and back, JSON lines in, JSON lines out.

use std::io::{BufRead, BufReader, BufWriter, Read, Write, stdin, stdout};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use camelid_families::{Library, plainly};
use camelid_tokenizers::{Specials, Tokenizer};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

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
    let tokenizer = camelid_generate::vocabulary(&library, path, family.as_deref())?;
    let line = |line: &[u8]| match args.decode {
        true => decode_line(&*tokenizer, line),
        false => encode_line(&*tokenizer, line, &args),
    };
    let (input, output) = (stdin().lock(), stdout().lock());
    each_line(input, output, line)?;
    Ok(ExitCode::SUCCESS)
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
