//! A loaded checkpoint in the command's hands: turns, printed as they come.

use std::io::{IsTerminal, Write};

use camelid_families::Model;
use camelid_generate::{Session, Settings, Stop, Timings};
use camelid_tokenizers::Tokenizer;

use crate::commands::output::style::dim;
use crate::commands::running::interrupt::Interrupt;

/// Everything that turns need, once it is loaded.
pub(super) struct Loaded {
    pub(super) json: bool,
    pub(super) model: Model,
    pub(super) tokenizer: Box<dyn Tokenizer>,
    pub(super) settings: Settings,
    pub(super) interrupt: Interrupt,
    pub(super) load_s: f64,
}

/// What one turn gave.
pub(super) struct Turn {
    pub(super) text: String,
    pub(super) stop: Option<Stop>,
}

impl Loaded {
    /// Continues the session to a prompt's end and beyond: prints the text, then what it took.
    pub(super) fn turn<'m>(&'m self, session: &mut Session<'m>, prompt: &[u32]) -> anyhow::Result<Turn> {
        let _busy = self.interrupt.busy();
        let generation = session.generate(prompt, &self.settings)?;
        let mut generation = generation.interrupted_by(self.interrupt.flag());
        let mut out = Out::new(self.json);
        let mut text = String::new();
        for token in generation.by_ref() {
            let token = match token {
                Ok(token) => token,
                Err(error) => {
                    out.end()?;
                    return Err(error.into());
                }
            };
            out.write(&token.text)?;
            text.push_str(&token.text);
        }
        out.end()?;
        let (stop, timings) = (generation.stop(), generation.timings());
        if self.json {
            let report = serde_json::json!({
                "prompt_ids": prompt,
                "generated_ids": generation.ids(),
                "text": text,
                "stop": stop,
                "prefill_tok_s": timings.prefill_tok_s(),
                "decode_tok_s": timings.decode_tok_s(),
                "load_s": self.load_s,
            });
            writeln!(std::io::stdout(), "{report}")?;
        } else {
            self.figures(timings, generation.ids().len(), stop);
        }
        Ok(Turn { text, stop })
    }

    fn figures(&self, timings: Timings, generated: usize, stop: Option<Stop>) {
        let rate = |rate: Option<f64>| rate.map(|rate| format!(" at {rate:.1} a second")).unwrap_or_default();
        let why = match stop {
            Some(Stop::Eos) => "the model ended it",
            Some(Stop::Text) => "a stop text",
            Some(Stop::Length) => "as many as asked for",
            Some(Stop::Context) => "the context is full",
            Some(Stop::Interrupt) | None => "interrupted",
        };
        let sampling = self.settings.sampling;
        let seed = if sampling.is_greedy() { String::new() } else { format!(", seed {}", sampling.seed) };
        let line = format!(
            "{} prompt tokens{}, {generated} new{} ({why}); loaded in {:.2} s{seed}",
            timings.prefill_tokens,
            rate(timings.prefill_tok_s()),
            rate(timings.decode_tok_s()),
            self.load_s
        );
        anstream::eprintln!("{}", dim(line));
    }
}

/// Standard output: text as it comes; nothing where JSON follows.
struct Out {
    silent: bool,
    terminal: bool,
    wrote: bool,
}

impl Out {
    fn new(silent: bool) -> Out {
        Out { silent, terminal: std::io::stdout().is_terminal(), wrote: false }
    }

    fn write(&mut self, text: &str) -> std::io::Result<()> {
        if self.silent || text.is_empty() {
            return Ok(());
        }
        self.wrote = true;
        let mut out = std::io::stdout();
        if self.terminal {
            // A model's text must not steer the terminal.
            let plain = |letter: char| !letter.is_control() || matches!(letter, '\n' | '\t');
            let shown: String =
                text.chars().map(|letter| if plain(letter) { letter } else { '\u{fffd}' }).collect();
            out.write_all(shown.as_bytes())?;
        } else {
            out.write_all(text.as_bytes())?;
        }
        out.flush()
    }

    fn end(&mut self) -> std::io::Result<()> {
        if self.wrote { writeln!(std::io::stdout()) } else { Ok(()) }
    }
}
