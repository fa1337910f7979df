//! Colour, where standard output or standard error is a terminal: `anstream` takes it out elsewhere.

use owo_colors::OwoColorize;

/// Something passed.
pub(crate) fn good(text: impl std::fmt::Display) -> String {
    text.green().to_string()
}

/// Something differs or went wrong.
pub(crate) fn bad(text: impl std::fmt::Display) -> String {
    text.red().bold().to_string()
}

/// Something less important.
pub(crate) fn dim(text: impl std::fmt::Display) -> String {
    text.dimmed().to_string()
}

/// A heading.
pub(crate) fn bold(text: impl std::fmt::Display) -> String {
    text.bold().to_string()
}

/// Prints something that is to be known beside the result, on standard error.
pub(crate) fn note(text: &str) {
    errln!("{}", dim(format!("note: {text}")));
}
