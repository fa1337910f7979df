//! What was typed: whole, or going on in the next line; a text, or a command.

/// The mark at both ends of a text of several lines.
const MARK: &str = "\"\"\"";

/// One or several lines.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Entry {
    /// It goes on: it ends in a backslash, or its marks are open.
    GoesOn,
    /// What it says.
    Whole(String),
}

/// What the lines so far are.
pub(super) fn entry(lines: &str) -> Entry {
    if let Some(text) = lines.strip_prefix(MARK) {
        return match text.trim_end().strip_suffix(MARK) {
            Some(text) => Entry::Whole(text.trim_matches('\n').to_owned()),
            None => Entry::GoesOn,
        };
    }
    if lines.ends_with('\\') {
        return Entry::GoesOn;
    }
    Entry::Whole(lines.replace("\\\n", "\n"))
}

/// A command of the conversation.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Command<'a> {
    /// Tell what there is.
    Help,
    /// Forget what was said.
    Clear,
    /// Say, or tell, what stands above the conversation.
    System(&'a str),
    /// Write the conversation to a file.
    Save(&'a str),
    /// End.
    Bye,
    /// None of these.
    Unknown(&'a str),
}

/// What `/help` says.
pub(super) const HELP: &str = "\
/help          this
/clear         forget what was said; the system text stays
/system        show the system text
/system TEXT   put TEXT above the conversation
/save FILE     write the conversation as --messages reads it
/bye           end, as Ctrl-D does
A line that ends in \\ goes on in the next; \"\"\" begins and ends a text of several lines. A blank before / says it as text.";

/// The command that a line is: a slash and a word of letters at its beginning. Other lines are said to the model.
pub(super) fn command(line: &str) -> Option<Command<'_>> {
    let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let name = word.strip_prefix('/')?;
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphabetic()) {
        return None;
    }
    Some(match name {
        "help" => Command::Help,
        "clear" => Command::Clear,
        "system" => Command::System(rest.trim()),
        "save" => Command::Save(rest.trim()),
        "bye" | "exit" | "quit" => Command::Bye,
        _ => Command::Unknown(word),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(lines: &str, expected: Option<&str>) {
        let expected = expected.map_or(Entry::GoesOn, |text| Entry::Whole(text.to_owned()));
        assert_eq!(entry(lines), expected, "{lines:?}");
    }

    #[test]
    fn lines_go_on_where_they_say_so() {
        check("", Some(""));
        check("one", Some("one"));
        check("one \\", None);
        check("one\\\ntwo", Some("one\ntwo"));
        check("\"\"\"", None);
        check("\"\"\"one\ntwo\\", None);
        check("\"\"\"\none\\\n\ntwo\n\"\"\" ", Some("one\\\n\ntwo"));
        check("one\n\ntwo", Some("one\n\ntwo")); // pasted
    }

    #[test]
    fn commands_begin_with_a_slash_and_a_word() {
        assert_eq!(command("/help"), Some(Command::Help));
        assert_eq!(command("/system  Be kind. "), Some(Command::System("Be kind.")));
        assert_eq!(command("/save a b.json"), Some(Command::Save("a b.json")));
        assert_eq!(command("/claer now"), Some(Command::Unknown("/claer")));
        for text in ["", "help", " /help", "/", "/etc/passwd is a file", "/2", "// a comment"] {
            assert_eq!(command(text), None, "{text:?}");
        }
    }
}
