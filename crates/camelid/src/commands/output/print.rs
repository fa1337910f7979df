//! Standard output and standard error. Output that can't be written (a full disk) is told once, by [`finished`]; a note that
//! can't be told is let go. A closed pipe does not come here: it ends the command.

use std::fmt::Arguments;
use std::io::{self, Write};
use std::sync::OnceLock;

use anyhow::Context;

/// What an error of it begins with.
pub(in crate::commands) const STANDARD_OUTPUT: &str = "standard output can't be written";

/// The first write that failed: nothing is written after it.
static FAILED: OnceLock<io::Error> = OnceLock::new();

/// Writes to standard output, for reports: who prints need not pass an error on, since [`finished`] does.
pub(in crate::commands) fn out(text: Arguments<'_>) {
    if FAILED.get().is_none()
        && let Err(error) = anstream::stdout().write_fmt(text)
    {
        // Another thread's may be there already: the first is told.
        let _first = FAILED.set(error);
    }
}

/// Writes to standard error.
pub(in crate::commands) fn err(text: Arguments<'_>) {
    // There is nowhere left to tell it.
    let _untold = anstream::stderr().write_fmt(text);
}

/// Writes to standard output and says at once where that fails, for what is long in the making.
pub(in crate::commands) fn write(text: &[u8]) -> anyhow::Result<()> {
    let mut out = io::stdout();
    out.write_all(text).and_then(|()| out.flush()).context(STANDARD_OUTPUT)
}

/// Whether everything was written.
pub(in crate::commands) fn finished() -> anyhow::Result<()> {
    if let Some(error) = FAILED.get() {
        anyhow::bail!("{STANDARD_OUTPUT}: {error}");
    }
    io::stdout().flush().context(STANDARD_OUTPUT)
}

/// `print!`, by [`out`].
macro_rules! out {
    ($($text:tt)*) => { $crate::commands::output::print::out(format_args!($($text)*)) };
}

/// `println!`, by [`out`].
macro_rules! outln {
    () => { $crate::commands::output::print::out(format_args!("\n")) };
    ($($text:tt)*) => { $crate::commands::output::print::out(format_args!("{}\n", format_args!($($text)*))) };
}

/// `eprint!`, by [`err`].
macro_rules! err {
    ($($text:tt)*) => { $crate::commands::output::print::err(format_args!($($text)*)) };
}

/// `eprintln!`, by [`err`].
macro_rules! errln {
    ($($text:tt)*) => { $crate::commands::output::print::err(format_args!("{}\n", format_args!($($text)*))) };
}
