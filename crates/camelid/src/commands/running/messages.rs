//! What a conversation begins with: a file of messages, a system text, a question.

use std::io::Read;

use anyhow::{Context, bail};
use camelid_generate::{Chat, Conversation, Ending, Message, Opened, WhichTemplate};
use camelid_tokenizers::Tokenizer;

/// More bytes of messages than this are not read.
const LONGEST: u64 = 64 << 20;

/// How a conversation is begun and written.
#[derive(Debug, Clone, clap::Args)]
pub struct TalkArgs {
    /// Hold a conversation: each line of standard input is a turn, and /help tells what else can be said; with --prompt, a single one
    #[arg(long)]
    pub chat: bool,
    /// Answer a conversation: a JSON list of {"role", "content"}, or an object with it as "messages" and "tools" or whatever
    /// else the template reads beside it. Where it ends with an answer, that goes on; with --chat, lines go on from it
    #[arg(long, value_name = "FILE|-")]
    pub messages: Option<String>,
    /// What stands above the conversation
    #[arg(long, value_name = "TEXT")]
    pub system: Option<String>,
    /// Which of the checkpoint's chat templates, where it has several [default: tool_use where tools are given, else default]
    #[arg(long, value_name = "NAME")]
    pub chat_template: Option<String>,
}

/// A conversation and the template that writes it.
pub(super) struct Talk {
    pub(super) chat: Chat,
    pub(super) said: Conversation,
}

impl Talk {
    /// As the options say.
    pub(super) fn begin(
        args: &TalkArgs,
        prompt: Option<&str>,
        opened: &Opened,
        tokenizer: &dyn Tokenizer,
    ) -> anyhow::Result<Talk> {
        let mut said = match args.messages.as_deref() {
            Some(file) => read(file).with_context(|| format!("--messages {file}"))?,
            None => Conversation::default(),
        };
        let which = WhichTemplate { name: args.chat_template.clone(), tools: said.has_tools() };
        let chat = opened.template(tokenizer, &which)?;
        if args.system.is_some() && said.has_system() {
            bail!("--system: the messages have a system text already");
        }
        said.messages.extend(prompt.map(|text| Message::new("user", text)));
        Ok(Talk { chat, said }.with_system(args.system.as_deref()))
    }

    /// With the system text that is given, or the family's own, where the messages have none.
    pub(super) fn with_system(mut self, given: Option<&str>) -> Talk {
        if !self.said.has_system() {
            let system = given.or(self.chat.system.as_deref()).map(|text| Message::new("system", text));
            self.said.messages.splice(0..0, system);
        }
        self
    }

    /// Whether there is something to answer, or an answer to go on with.
    pub(super) fn waits(&self, goes_on: bool) -> bool {
        let spoken = self.said.messages.iter().any(|message| message.role() != "system");
        spoken && !(goes_on && self.said.ends_in_an_answer())
    }

    /// Drops the oldest of what was said, up to the next thing that a user says; gives how many messages that are. The system
    /// text stays, and so does what is to be answered: 0 where nothing else is left.
    pub(super) fn drop_oldest(&mut self) -> usize {
        let messages = &mut self.said.messages;
        let Some(first) = messages.iter().position(|message| message.role() != "system") else { return 0 };
        let next = (first + 1..messages.len()).find(|at| messages[*at].role() == "user");
        next.map_or(0, |next| messages.drain(first..next).count())
    }

    /// How the prompt ends: an answer that was begun goes on.
    pub(super) fn ending(&self) -> Ending {
        if self.said.ends_in_an_answer() { Ending::Open } else { Ending::Answer }
    }
}

/// Reads messages from a file or, as `-`, from standard input.
fn read(file: &str) -> anyhow::Result<Conversation> {
    let mut text = Vec::new();
    match file {
        "-" => std::io::stdin().take(LONGEST + 1).read_to_end(&mut text)?,
        file => std::fs::File::open(file)?.take(LONGEST + 1).read_to_end(&mut text)?,
    };
    Ok(Conversation::read(&text)?)
}
