//! Where what a user says comes from: an editor of lines at a terminal, else standard input.

use std::io::{BufRead, IsTerminal};
use std::path::PathBuf;

use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::FileHistory;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Behavior, Config, Editor, Helper};

use super::entry::{Entry, entry};
use crate::commands::output::style::{dim, note};

/// Lines that are kept for the next time.
const KEPT: usize = 1000;

/// A user, saying one thing after the other.
pub(super) struct Lines(Source);

enum Source {
    Terminal { editor: Box<Editor<Rules, FileHistory>>, history: Option<PathBuf> },
    Pipe,
}

/// When a line goes on in the next.
struct Rules;

impl Completer for Rules {
    type Candidate = String;
}

impl Hinter for Rules {
    type Hint = String;
}

impl Highlighter for Rules {}

impl Helper for Rules {}

impl Validator for Rules {
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        Ok(match entry(context.input()) {
            Entry::GoesOn => ValidationResult::Incomplete,
            Entry::Whole(_) => ValidationResult::Valid(None),
        })
    }
}

impl Lines {
    /// An editor with what was said before, where a terminal is at hand.
    pub(super) fn open() -> anyhow::Result<Lines> {
        if !std::io::stdin().is_terminal() {
            return Ok(Lines(Source::Pipe));
        }
        // The terminal itself, so that standard output can be another's.
        let config = Config::builder().behavior(Behavior::PreferTerm).bracketed_paste(true);
        let config = config.max_history_size(KEPT)?.history_ignore_space(true).build();
        let mut editor = Editor::with_config(config)?;
        editor.set_helper(Some(Rules));
        let history = history();
        if let Some(path) = history.as_ref().filter(|path| path.exists())
            && let Err(error) = editor.load_history(path)
        {
            note(&format!("{}: {error}", path.display()));
        }
        errln!("{}", dim("/help tells what can be typed; Ctrl-C ends an answer, Ctrl-D the conversation"));
        Ok(Lines(Source::Terminal { editor: Box::new(editor), history }))
    }

    /// Whether somebody sits there.
    pub(super) fn is_terminal(&self) -> bool {
        matches!(self.0, Source::Terminal { .. })
    }

    /// What is said next; `None` at the end.
    pub(super) fn next(&mut self) -> anyhow::Result<Option<String>> {
        match &mut self.0 {
            Source::Pipe => piped(&mut std::io::stdin().lock()),
            Source::Terminal { editor, history } => loop {
                match editor.readline("> ") {
                    Ok(line) => {
                        keep(editor, history, &line);
                        return Ok(Some(whole(line)));
                    }
                    // What was typed is dropped, as in a shell.
                    Err(ReadlineError::Interrupted) => {}
                    Err(ReadlineError::Eof) => return Ok(None),
                    Err(error) => return Err(error.into()),
                }
            },
        }
    }
}

/// Adds a line to those that are kept; where that fails, it is told once.
fn keep(editor: &mut Editor<Rules, FileHistory>, history: &mut Option<PathBuf>, line: &str) {
    let added = editor.add_history_entry(line);
    let Some(path) = history.as_ref().filter(|_| matches!(added, Ok(true))) else { return };
    let folder = path.parent().map_or(Ok(()), std::fs::create_dir_all);
    let saved = folder.map_err(ReadlineError::from).and_then(|()| editor.append_history(path));
    if let Err(error) = saved {
        note(&format!("{}: {error}; what you say is not kept", path.display()));
        *history = None;
    }
}

/// Where lines are kept: `$XDG_STATE_HOME/camelid/history`, else `~/.local/state/camelid/history`.
fn history() -> Option<PathBuf> {
    let state = std::env::var_os("XDG_STATE_HOME").filter(|path| !path.is_empty()).map(PathBuf::from);
    let state = state.or_else(|| Some(std::env::home_dir()?.join(".local/state")));
    Some(state?.join("camelid").join("history"))
}

/// The next of a pipe's lines, with those that it goes on in.
fn piped(input: &mut dyn BufRead) -> anyhow::Result<Option<String>> {
    let mut text = String::new();
    while input.read_line(&mut text)? > 0 {
        let line = text.strip_suffix('\n').map(|line| line.strip_suffix('\r').unwrap_or(line));
        if let Entry::Whole(said) = entry(line.unwrap_or(&text)) {
            return Ok(Some(said));
        }
    }
    Ok((!text.is_empty()).then_some(text))
}

/// What a line that is whole says.
fn whole(line: String) -> String {
    match entry(&line) {
        Entry::Whole(said) => said,
        Entry::GoesOn => line,
    }
}

#[cfg(test)]
mod tests {
    use super::piped;

    #[test]
    fn a_pipe_s_lines_may_go_on() {
        let mut input = b"one\r\ntwo \\\nthree\n\"\"\"four\n\nfive\"\"\"\n\"\"\"open" as &[u8];
        let mut said = Vec::new();
        while let Some(text) = piped(&mut input).expect("it reads") {
            said.push(text);
        }
        assert_eq!(said, ["one", "two \nthree", "four\n\nfive", "\"\"\"open"]);
    }
}
