//! `camelid tokenize`: text to ids and back, JSON lines in, JSON lines out.

use std::io::{BufRead, BufReader, BufWriter, IsTerminal, Read, Write, stdin, stdout};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use camelid_families::{Library, plainly};
use camelid_tokenizers::{Specials, Tokenizer};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use crate::commands::options::name::NameArgs;
use crate::commands::options::which::Which;
use crate::commands::output::print::STANDARD_OUTPUT;
use crate::commands::output::style::note;
use crate::commands::running::prompt::PromptArgs;

/// Turn text into ids, or ids into text
///
/// A text that is given with -p or -f is one, line ends and all, and {"ids": […]} is written. Without, JSON lines {"text": …}
/// are read from standard input, and one is written for each; other keys are ignored.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The tokenizer of this checkpoint
    #[command(flatten)]
    name: NameArgs,
    /// A vocabulary in its place: a sentencepiece model, tiktoken ranks, a tokenizer.json or a GGUF file, told apart by content;
    /// never -, since standard input holds the text
    #[arg(long, value_name = "FILE", conflicts_with = "NameArgs")]
    tokenizer: Option<PathBuf>,
    #[command(flatten)]
    which: Which,
    /// The text; with --decode, ids with blanks or commas between them
    #[command(flatten)]
    prompt: PromptArgs,
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

/// Runs `tokenize`.
///
/// # Errors
/// The vocabulary can't be opened; a line is no JSON, has no text, or holds an id that is not in the vocabulary.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let path = match &args.tokenizer {
        Some(file) => file.clone(),
        None => camelid_generate::locate(&args.name.required()?)?,
    };
    let mut library = Library::built_in()?;
    let family = args.which.name(&mut library)?;
    let tokenizer = camelid_generate::vocabulary(&library, &path, family.as_deref())?;
    if let Some(text) = args.prompt.given()? {
        let answer = match args.decode {
            true => decoded(&*tokenizer, &ids(&text)?)?,
            false => encoded(&*tokenizer, &text, &args)?,
        };
        outln!("{answer}");
        return Ok(ExitCode::SUCCESS);
    }
    if stdin().is_terminal() {
        note("JSON lines are read from what you type; -p TEXT or -f FILE takes plain text");
    }
    let line = |line: &[u8]| match args.decode {
        true => decoded(&*tokenizer, &read::<Ids>(line, "{\"ids\": […]}")?.ids),
        false => encoded(&*tokenizer, &read::<Text>(line, "{\"text\": …}")?.text, &args),
    };
    each_line(stdin().lock(), stdout().lock(), line)?;
    Ok(ExitCode::SUCCESS)
}

/// Ids as they are typed.
fn ids(text: &str) -> anyhow::Result<Vec<u32>> {
    let words = text.split(|letter: char| letter.is_whitespace() || ",[]".contains(letter));
    let words = words.filter(|word| !word.is_empty());
    words.map(|word| word.parse().with_context(|| format!("`{word}` is no id"))).collect()
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
fn read<T: DeserializeOwned>(line: &[u8], wanted: &str) -> anyhow::Result<T> {
    if !line.trim_ascii_start().starts_with(b"{") {
        bail!("JSON lines {wanted} are read here; plain text goes with -p TEXT, -f FILE or -f -");
    }
    serde_json::from_slice(line).map_err(|error| anyhow::anyhow!(plainly(&error.to_string(), None)))
}

fn encoded(tokenizer: &dyn Tokenizer, text: &str, args: &Args) -> anyhow::Result<Value> {
    let specials = if args.special { Specials::Parse } else { Specials::Literal };
    let ids = tokenizer.encode(text, specials)?;
    let ids = if args.add_special { tokenizer.frame().around(&ids) } else { ids };
    Ok(serde_json::json!({ "ids": ids }))
}

fn decoded(tokenizer: &dyn Tokenizer, ids: &[u32]) -> anyhow::Result<Value> {
    Ok(serde_json::json!({ "text": tokenizer.decode(ids)? }))
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
            writeln!(output, "{value}").context(STANDARD_OUTPUT)?;
        }
        line.clear();
        // Whoever waits for an answer before the next question gets it.
        if input.buffer().is_empty() {
            output.flush().context(STANDARD_OUTPUT)?;
        }
    }
    output.flush().context(STANDARD_OUTPUT)
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
