//! `camelid generate --chat`, `--messages`: turn by turn, by the checkpoint's own template or its family's.

mod entry;
mod lines;

use anyhow::Context;
use camelid_checkpoint::write_file;
use camelid_generate::{Ending, Message, Session, Stop};

use self::entry::{Command, HELP, command};
use self::lines::Lines;
use crate::commands::output::style::{bad, dim, note};
use crate::commands::running::loaded::{Loaded, Printed};
use crate::commands::running::messages::Talk;

/// Of the context, the part that a prompt leaves to its answer, at least.
const LEFT: usize = 4;

/// A conversation that is going on.
struct Chat<'m> {
    loaded: &'m Loaded,
    session: Session<'m>,
    talk: Talk,
    stop: Option<Stop>,
}

/// Answers what waits for an answer, and where the conversation goes on, what is said after it. Gives why the last text
/// ended.
pub(super) fn converse(loaded: &Loaded, talk: Talk, goes_on: bool) -> anyhow::Result<Option<Stop>> {
    let session = Session::new(&loaded.model, &*loaded.tokenizer);
    let mut chat = Chat { loaded, session, talk, stop: None };
    if chat.talk.waits(goes_on) {
        chat.answer()?;
    }
    if !goes_on {
        return Ok(chat.stop);
    }
    let mut lines = Lines::open()?;
    while let Some(said) = lines.next()? {
        let went = match command(&said) {
            Some(Command::Bye) => break,
            Some(command) => chat.obey(&command),
            None if said.trim().is_empty() => Ok(()),
            None => chat.say(&said),
        };
        match went {
            // Who sits at a terminal can say it otherwise.
            Err(error) if lines.is_terminal() => errln!("{} {error:#}", bad("error:")),
            other => other?,
        }
    }
    Ok(chat.stop.filter(|stop| !lines.is_terminal() || *stop != Stop::Interrupt))
}

impl Chat<'_> {
    /// Says something, which is taken back where it can't be answered.
    fn say(&mut self, said: &str) -> anyhow::Result<()> {
        let before = self.talk.said.messages.clone();
        self.talk.said.messages.push(Message::new("user", said));
        self.answer().inspect_err(|_| self.talk.said.messages = before)
    }

    /// One turn. The cache keeps what this prompt and the last have in common.
    fn answer(&mut self) -> anyhow::Result<()> {
        let ending = self.talk.ending();
        let ids = self.fitting(ending)?;
        let turn = self.loaded.turn(&mut self.session, &ids)?;
        let begun = self.talk.said.messages.pop_if(|_| ending == Ending::Open);
        let begun = begun.unwrap_or_else(|| Message::new("assistant", ""));
        self.talk.said.messages.push(begun.with_more(&turn.text));
        self.stop = turn.stop;
        Ok(())
    }

    /// The prompt's ids. Where they would leave no room for an answer, the oldest turns are dropped.
    fn fitting(&mut self, ending: Ending) -> anyhow::Result<Vec<u32>> {
        let settings = &self.loaded.settings;
        let context = settings.context.or(self.loaded.model.architecture().stack.context);
        let context = context.unwrap_or(usize::MAX);
        let room = context - settings.max_new_tokens.min(context / LEFT);
        let mut dropped = 0;
        let ids = loop {
            let prompt = self.talk.chat.template.render(&self.talk.said, ending)?;
            let ids = prompt.ids(&*self.loaded.tokenizer)?;
            if ids.len() <= room {
                break ids;
            }
            match self.talk.drop_oldest() {
                0 => break ids,
                messages => dropped += messages,
            }
        };
        if dropped > 0 && self.loaded.printed != Printed::Text {
            note(&format!(
                "the context of {context} tokens is full: the oldest {dropped} messages are dropped, and the model no longer knows them"
            ));
        }
        Ok(ids)
    }

    fn obey(&mut self, command: &Command<'_>) -> anyhow::Result<()> {
        match command {
            Command::Help => errln!("{HELP}"),
            Command::Clear => {
                self.talk.said.messages.retain(|message| message.role() == "system");
                errln!("{}", dim("forgotten"));
            }
            Command::System("") => {
                let system = self.talk.said.messages.iter().find(|message| message.role() == "system");
                let text = system.and_then(Message::content).unwrap_or("there is no system text");
                errln!("{text}");
            }
            Command::System(text) => {
                self.talk.said.messages.retain(|message| message.role() != "system");
                self.talk.said.messages.insert(0, Message::new("system", *text));
            }
            Command::Save("") => anyhow::bail!("/save: name a file"),
            Command::Save(file) => {
                self.save(file).with_context(|| format!("/save {file}"))?;
                errln!("{}", dim(format!("{} messages in {file}", self.talk.said.messages.len())));
            }
            Command::Unknown(word) => {
                anyhow::bail!(
                    "{word} is no command; /help tells those there are, and a blank before it says it as text"
                )
            }
            Command::Bye => {}
        }
        Ok(())
    }

    /// Writes the conversation to a file that is not there yet: whole, or not at all.
    fn save(&self, file: &str) -> anyhow::Result<()> {
        let path = std::path::Path::new(file);
        anyhow::ensure!(!path.exists(), "it is there already, and is not overwritten");
        write_file(path, format!("{:#}\n", self.talk.said.to_json()).as_bytes())?;
        Ok(())
    }
}
