//! `camelid generate --chat`: turn by turn, by the checkpoint's own template or its family's.

use std::io::{BufRead, IsTerminal, Write};

use camelid_generate::{Chat, Ending, Message, Role, Session, Stop};

use crate::commands::output::style::{bold, dim};
use crate::commands::running::loaded::Loaded;

/// A conversation, or with `--prompt` a single turn. Gives why the last text ended.
pub(super) fn converse(
    loaded: &Loaded,
    chat: Chat,
    system: Option<String>,
    prompt: Option<&str>,
) -> anyhow::Result<Option<Stop>> {
    let mut messages: Vec<Message> = Vec::new();
    let system = system.or(chat.system.clone());
    messages.extend(system.map(|text| Message::new(Role::System, text)));
    let mut session = Session::new(&loaded.model, &*loaded.tokenizer);
    if let Some(prompt) = prompt {
        return answer(loaded, &chat, &mut session, &mut messages, prompt);
    }
    let terminal = std::io::stdin().is_terminal();
    if terminal {
        anstream::eprintln!("{}", dim("a line is a turn; Ctrl-C ends an answer, Ctrl-D the conversation"));
    }
    let mut stop = None;
    loop {
        if terminal {
            anstream::eprint!("{} ", bold(">"));
            std::io::stderr().flush()?;
        }
        let mut line = String::new();
        if std::io::stdin().lock().read_line(&mut line)? == 0 {
            return Ok(stop.filter(|stop| !terminal || *stop != Stop::Interrupt));
        }
        let line = line.trim_end_matches(['\n', '\r']);
        if !line.trim().is_empty() {
            stop = answer(loaded, &chat, &mut session, &mut messages, line)?;
        }
    }
}

/// One turn. The cache keeps what this prompt and the last have in common.
fn answer<'m>(
    loaded: &'m Loaded,
    chat: &Chat,
    session: &mut Session<'m>,
    messages: &mut Vec<Message>,
    question: &str,
) -> anyhow::Result<Option<Stop>> {
    messages.push(Message::new(Role::User, question));
    let ids = chat.template.ids(messages, Ending::Answer, &*loaded.tokenizer)?;
    let turn = loaded.turn(session, &ids)?;
    messages.push(Message::new(Role::Assistant, turn.text));
    Ok(turn.stop)
}
