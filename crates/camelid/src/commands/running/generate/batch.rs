//! `camelid generate --batch`: JSON lines in, JSON lines out.

use std::io::{BufRead, BufReader, Read};
use std::process::ExitCode;

use anyhow::{Context, bail};
use camelid_generate::{Chat, Conversation, Opened, Session, Stop, WhichTemplate, framed};
use camelid_tokenizers::Tokenizer;
use serde_json::{Map, Value as Json};

use crate::commands::output::print::write;
use crate::commands::running::interrupt::INTERRUPTED;
use crate::commands::running::loaded::Loaded;
use crate::commands::running::messages::Talk;

/// A line may be this long, in bytes.
const LONGEST: u64 = 64 << 20;

/// Questions, one to a line.
pub(super) struct Batch {
    lines: Box<dyn BufRead>,
    /// The templates of conversations without and with tools; why there is none, where one is asked for.
    chats: [Result<Chat, String>; 2],
}

/// What a line asks for.
enum Asked {
    /// A text to go on with.
    Text(Vec<u32>),
    /// An answer, which these texts end.
    Answer(Vec<u32>, Vec<String>),
}

impl Batch {
    /// A file of questions; `-` is standard input.
    pub(super) fn open(
        file: &str,
        opened: &Opened,
        tokenizer: &dyn Tokenizer,
        template: Option<&str>,
    ) -> anyhow::Result<Batch> {
        let read: Box<dyn Read> = match file {
            "-" => Box::new(std::io::stdin()),
            path => Box::new(std::fs::File::open(path).with_context(|| path.to_owned())?),
        };
        let chats = [false, true].map(|tools| {
            let which = WhichTemplate { name: template.map(str::to_owned), tools };
            opened.template(tokenizer, &which).map_err(|error| error.to_string())
        });
        Ok(Batch { lines: Box::new(BufReader::new(read)), chats })
    }

    /// A line for each line. What can't be answered has its "error" there, and the status at the end is 2.
    pub(super) fn run(mut self, loaded: &Loaded) -> anyhow::Result<ExitCode> {
        let mut session = Session::new(&loaded.model, &*loaded.tokenizer);
        let (mut number, mut failed) = (0_usize, 0_usize);
        let mut line = Vec::new();
        while self.lines.by_ref().take(LONGEST).read_until(b'\n', &mut line)? > 0 {
            number += 1;
            if !line.trim_ascii().is_empty() {
                let mut answer = Map::new();
                let stop = self.answer(loaded, &mut session, &line, &mut answer);
                if let Err(error) = &stop {
                    failed += 1;
                    answer.insert("error".to_owned(), format!("line {number}: {error:#}").into());
                }
                write(format!("{}\n", Json::Object(answer)).as_bytes())?;
                if matches!(stop, Ok(Some(Stop::Interrupt))) {
                    return Ok(ExitCode::from(INTERRUPTED));
                }
            }
            line.clear();
        }
        if failed > 0 {
            bail!("{failed} of {number} lines could not be answered");
        }
        Ok(ExitCode::SUCCESS)
    }

    /// One line's answer, after its own "id".
    fn answer<'m>(
        &self,
        loaded: &'m Loaded,
        session: &mut Session<'m>,
        line: &[u8],
        answer: &mut Map<String, Json>,
    ) -> anyhow::Result<Option<Stop>> {
        let mut asked: Map<String, Json> = serde_json::from_slice(line).context("no JSON object")?;
        answer.extend(asked.remove("id").map(|id| ("id".to_owned(), id)));
        let mut settings = loaded.settings.clone();
        let ids = match self.asked(asked, &*loaded.tokenizer)? {
            Asked::Text(ids) => ids,
            Asked::Answer(ids, stop) => {
                settings.continues = false;
                settings.stop_texts.extend(stop);
                ids
            }
        };
        let turn = loaded.compute(session, &ids, &settings, &mut |_| Ok(()))?;
        answer.extend(loaded.report(&ids, &turn));
        Ok(turn.stop)
    }

    fn asked(&self, mut asked: Map<String, Json>, tokenizer: &dyn Tokenizer) -> anyhow::Result<Asked> {
        match (asked.remove("prompt"), asked.contains_key("messages")) {
            (Some(Json::String(text)), false) => Ok(Asked::Text(framed(tokenizer, &text)?)),
            (None, true) => {
                let said = Conversation::read(Json::Object(asked).to_string().as_bytes())?;
                let chat = self.chats[usize::from(said.has_tools())].as_ref();
                let chat = chat.map_err(|problem| anyhow::anyhow!("{problem}"))?.clone();
                let talk = Talk { chat, said }.with_system(None);
                let ids = talk.chat.template.render(&talk.said, talk.ending())?.ids(tokenizer)?;
                Ok(Asked::Answer(ids, talk.chat.stop))
            }
            (Some(_), true) => bail!("`prompt` and `messages`: only one of them is answered"),
            (Some(other), false) => bail!("`prompt` = {other}: a text is wanted"),
            (None, false) => bail!("neither `prompt` nor `messages` is there"),
        }
    }
}
