//! `camelid generate --chat`, `--messages`: turn by turn, by the checkpoint's own template or its family's.

use std::io::{BufRead, IsTerminal, Write};

use camelid_generate::{Ending, Message, Session, Stop};

use crate::commands::output::style::{bold, dim};
use crate::commands::running::loaded::Loaded;
use crate::commands::running::messages::Talk;

/// Answers what waits for an answer, and where the conversation goes on, each line of standard input. Gives why the last
/// text ended.
pub(super) fn converse(loaded: &Loaded, mut talk: Talk, goes_on: bool) -> anyhow::Result<Option<Stop>> {
    let mut session = Session::new(&loaded.model, &*loaded.tokenizer);
    let mut stop = None;
    if talk.waits(goes_on) {
        stop = answer(loaded, &mut session, &mut talk)?;
    }
    if !goes_on {
        return Ok(stop);
    }
    let terminal = std::io::stdin().is_terminal();
    if terminal {
        anstream::eprintln!("{}", dim("a line is a turn; Ctrl-C ends an answer, Ctrl-D the conversation"));
    }
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
            talk.said.messages.push(Message::new("user", line));
            stop = answer(loaded, &mut session, &mut talk)?;
        }
    }
}

/// One turn. The cache keeps what this prompt and the last have in common.
fn answer<'m>(
    loaded: &'m Loaded,
    session: &mut Session<'m>,
    talk: &mut Talk,
) -> anyhow::Result<Option<Stop>> {
    let ending = talk.ending();
    let ids = talk.chat.template.render(&talk.said, ending)?.ids(&*loaded.tokenizer)?;
    let turn = loaded.turn(session, &ids)?;
    let begun = talk.said.messages.pop_if(|_| ending == Ending::Open);
    let begun = begun.unwrap_or_else(|| Message::new("assistant", ""));
    talk.said.messages.push(begun.with_more(&turn.text));
    Ok(turn.stop)
}
