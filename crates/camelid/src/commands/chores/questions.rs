//! docs/questions.md: a learner's questions, each answered by one command, which is run to make the page.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Parser;
use serde::Deserialize;

use crate::commands::explaining::{describe, diff, families};

/// The questions, as written.
#[derive(Debug, Deserialize)]
struct Questions {
    question: Vec<Question>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Question {
    ask: String,
    /// The command's arguments, as a shell takes them: what stands in single quotes is one.
    command: String,
    /// What of the answer is shown: lines that hold one of these; without it, all.
    #[serde(default)]
    lines: Vec<String>,
    /// What the answer means.
    so: String,
}

/// The commands that answer.
#[derive(Debug, Parser)]
enum Answering {
    Describe(describe::Args),
    Diff(diff::Args),
    Families(families::Args),
}

/// The page.
pub(super) fn page(made: &str) -> anyhow::Result<String> {
    let questions: Questions = toml::from_str(include_str!("docs/questions.toml"))?;
    let mut text = format!("# Questions\n{made}\n");
    text += "Each is answered by the command that stands under it; the answers were made by running it.\n";
    for (number, Question { ask, command, lines, so }) in (1..).zip(questions.question) {
        let answer = answer(&command).with_context(|| command.clone())?;
        let shown = excerpt(&answer, &lines).with_context(|| command.clone())?;
        text += &format!("\n## {number}. {ask}\n```console\n$ camelid {command}\n{shown}```\n\n{so}\n");
    }
    Ok(text)
}

/// What a command prints, without colours; folders are those of the project, wherever it is run.
fn answer(command: &str) -> anyhow::Result<String> {
    let arguments = split(command);
    let parsed = Answering::try_parse_from(std::iter::once("camelid".to_owned()).chain(arguments))?;
    let printed = match parsed {
        Answering::Describe(args) => describe::answer(&args)?,
        Answering::Diff(args) => diff::answer(&args)?,
        Answering::Families(mut args) => {
            args.models = args.models.iter().map(|model| root().join(model).display().to_string()).collect();
            let root = format!("{}/", root().display());
            families::answer(&args)?.replace(&root, "")
        }
    };
    Ok(anstream::adapter::strip_str(&printed).to_string())
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A command's arguments.
fn split(command: &str) -> Vec<String> {
    let mut arguments = Vec::new();
    for (at, part) in command.split('\'').enumerate() {
        if at % 2 == 1 {
            arguments.push(part.to_owned());
        } else {
            arguments.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    arguments
}

/// The lines that hold one of the texts, and a mark where lines are left out.
fn excerpt(answer: &str, wanted: &[String]) -> anyhow::Result<String> {
    for text in wanted {
        if !answer.contains(text.as_str()) {
            bail!("no line of the answer holds `{text}`:\n{answer}");
        }
    }
    let is_wanted = |line: &str| wanted.is_empty() || wanted.iter().any(|text| line.contains(text.as_str()));
    let mut out = String::new();
    let mut left_out = false;
    for line in answer.lines() {
        if is_wanted(line) {
            out += if left_out && !out.is_empty() { "  …\n" } else { "" };
            out += &format!("{line}\n");
        }
        left_out = !is_wanted(line);
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_split_as_a_shell_does() {
        let found = split(r#"describe --family a --set 'x={"y": 1}' --part sees"#);
        assert_eq!(found, ["describe", "--family", "a", "--set", r#"x={"y": 1}"#, "--part", "sees"]);
    }

    #[test]
    fn an_excerpt_says_what_it_leaves_out_and_lacks() {
        let wanted = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        assert_eq!(excerpt("a\nb\nc\n", &wanted(&["a", "c"])).unwrap(), "a\n  …\nc\n");
        assert!(excerpt("a\n", &wanted(&["z"])).unwrap_err().to_string().contains("`z`"));
    }
}
