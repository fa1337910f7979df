//! A loaded checkpoint in the command's hands: turns, printed as they come.

use std::cell::Cell;
use std::io::IsTerminal;

use camelid_families::Model;
use camelid_generate::{Logprobs, Session, Settings, Stop, Timings};
use camelid_tokenizers::Tokenizer;
use serde_json::{Map, Value as Json, json};

use crate::commands::output::print::write;
use crate::commands::output::progress::bar;
use crate::commands::output::style::dim;
use crate::commands::running::interrupt::Interrupt;

/// What is printed of a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Printed {
    /// One JSON object.
    Json,
    /// The text.
    Text,
    /// The text, and on standard error what it took.
    TextAndFigures,
}

/// Everything that turns need, once it is loaded.
pub(super) struct Loaded {
    pub(super) printed: Printed,
    pub(super) model: Model,
    pub(super) tokenizer: Box<dyn Tokenizer>,
    pub(super) settings: Settings,
    pub(super) interrupt: Interrupt,
    pub(super) load_s: f64,
    /// Whether it was told already how long loading took.
    pub(super) told: Cell<bool>,
}

/// What one turn gave.
pub(super) struct Turn {
    pub(super) text: String,
    pub(super) stop: Option<Stop>,
    ids: Vec<u32>,
    timings: Timings,
    logprobs: Vec<(u32, Logprobs)>,
}

impl Loaded {
    /// Continues the session to a prompt's end and beyond: prints the text, then what it took.
    pub(super) fn turn<'m>(&'m self, session: &mut Session<'m>, prompt: &[u32]) -> anyhow::Result<Turn> {
        let mut out = Out::new(self.printed == Printed::Json);
        let turn = self.compute(session, prompt, &self.settings, &mut |text| out.write(text));
        out.end()?;
        let turn = turn?;
        match self.printed {
            Printed::Json => write(format!("{}\n", Json::Object(self.report(prompt, &turn))).as_bytes())?,
            Printed::Text => {}
            Printed::TextAndFigures => self.figures(&turn),
        }
        Ok(turn)
    }

    /// Continues the session to a prompt's end and beyond; `show` is given the text as it comes.
    pub(super) fn compute<'m>(
        &'m self,
        session: &mut Session<'m>,
        prompt: &[u32],
        settings: &Settings,
        show: &mut dyn FnMut(&str) -> anyhow::Result<()>,
    ) -> anyhow::Result<Turn> {
        let _busy = self.interrupt.busy();
        let bar = bar(prompt.len() as u64, "reading the prompt");
        let shown = self.printed == Printed::TextAndFigures;
        let mut watch = |read: usize, of: usize| match read < of {
            true if shown => bar.update(|state| {
                state.set_len(of as u64);
                state.set_pos(read as u64);
            }),
            true => {}
            false => bar.finish_and_clear(),
        };
        let generation = session.generate(prompt, settings)?;
        let mut generation = generation.interrupted_by(self.interrupt.flag()).watched_by(&mut watch);
        let (mut text, mut logprobs) = (String::new(), Vec::new());
        for token in generation.by_ref() {
            let token = token?;
            show(&token.text)?;
            text.push_str(&token.text);
            logprobs.extend(token.logprobs.map(|logprobs| (token.id, logprobs)));
        }
        let (stop, timings, ids) = (generation.stop(), generation.timings(), generation.ids().to_vec());
        bar.finish_and_clear();
        Ok(Turn { text, stop, ids, timings, logprobs })
    }

    /// A turn as one JSON object.
    pub(super) fn report(&self, prompt: &[u32], turn: &Turn) -> Map<String, Json> {
        let Turn { text, stop, ids, timings, logprobs } = turn;
        let mut report = Map::new();
        let mut say = |key: &str, value: Json| report.insert(key.to_owned(), value);
        say("prompt_ids", json!(prompt));
        say("generated_ids", json!(ids));
        say("text", json!(text));
        say("stop", json!(stop));
        say("prefill_tok_s", json!(timings.prefill_tok_s()));
        say("decode_tok_s", json!(timings.decode_tok_s()));
        say("load_s", json!(self.load_s));
        if self.settings.logprobs.is_some() {
            let all = logprobs.iter().map(|(id, logprobs)| {
                let mut one = self.likely(*id, logprobs.own);
                let top = logprobs.likeliest.iter().map(|(id, logprob)| self.likely(*id, *logprob));
                one["top"] = top.collect();
                one
            });
            say("logprobs", all.collect());
        }
        report
    }

    /// A token with its logarithm of probability.
    fn likely(&self, id: u32, logprob: f32) -> Json {
        let special = self.tokenizer.specials().iter().find(|special| special.id == id);
        let text = special.map(|special| special.name.clone());
        let text = text.unwrap_or_else(|| self.tokenizer.decode(&[id]).unwrap_or_default());
        json!({ "id": id, "token": text, "logprob": logprob })
    }

    fn figures(&self, turn: &Turn) {
        let Turn { text: _, stop, ids, timings, logprobs: _ } = turn;
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
        let loaded = match self.told.replace(true) {
            true => String::new(),
            false => format!("; loaded in {:.2} s", self.load_s),
        };
        let line = format!(
            "{} prompt tokens{}, {} new{} ({why}){loaded}{seed}",
            timings.prefill_tokens,
            rate(timings.prefill_tok_s()),
            ids.len(),
            rate(timings.decode_tok_s()),
        );
        errln!("{}", dim(line));
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

    fn write(&mut self, text: &str) -> anyhow::Result<()> {
        if self.silent || text.is_empty() {
            return Ok(());
        }
        self.wrote = true;
        if self.terminal {
            // A model's text must not steer the terminal.
            let plain = |letter: char| !letter.is_control() || matches!(letter, '\n' | '\t');
            let shown: String =
                text.chars().map(|letter| if plain(letter) { letter } else { '\u{fffd}' }).collect();
            write(shown.as_bytes())
        } else {
            write(text.as_bytes())
        }
    }

    fn end(&mut self) -> anyhow::Result<()> {
        if self.wrote { write(b"\n") } else { Ok(()) }
    }
}
