//! Text from a file, or from standard input where the file is called `-`.

use std::io::{IsTerminal, Read};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, bail, ensure};
use camelid_families::Library;

use crate::commands::output::style::note;

/// More bytes of text than this are not read.
const LONGEST: u64 = 1 << 30;

/// Whether standard input was read to its end: there is nothing in it for another option.
static READ: AtomicBool = AtomicBool::new(false);

/// The text of a file, UTF-8; `-` is standard input.
pub(in crate::commands) fn text(file: &str) -> anyhow::Result<String> {
    let told = if file == "-" { "standard input" } else { file };
    let mut bytes = Vec::new();
    if file == "-" {
        ensure!(
            !READ.swap(true, Ordering::Relaxed),
            "standard input is asked for twice: give one of the two as a file"
        );
        if std::io::stdin().is_terminal() {
            note("the text is what you type, up to Ctrl-D");
        }
        std::io::stdin().take(LONGEST + 1).read_to_end(&mut bytes).context("standard input")?;
    } else {
        let open = std::fs::File::open(file).and_then(|file| file.take(LONGEST + 1).read_to_end(&mut bytes));
        open.with_context(|| file.to_owned())?;
    }
    ensure!(bytes.len() as u64 <= LONGEST, "{told}: more than {LONGEST} bytes are not read");
    match String::from_utf8(bytes) {
        Ok(text) => Ok(text),
        Err(error) => bail!("{told}: no UTF-8 from byte {} on", error.utf8_error().valid_up_to()),
    }
}

/// As [`text`], without the newline that ends its last line.
pub(in crate::commands) fn unended(file: &str) -> anyhow::Result<String> {
    let text = text(file)?;
    let line = text.strip_suffix('\n').map(|text| text.strip_suffix('\r').unwrap_or(text));
    Ok(line.map(str::to_owned).unwrap_or(text))
}

/// Adds the family of a file to those there are, and gives its name; one from standard input is called `stdin`.
pub(in crate::commands) fn declared(library: &mut Library, file: &Path) -> anyhow::Result<String> {
    if file != Path::new("-") {
        return Ok(library.add(file)?);
    }
    library.insert("stdin", "standard input", &text("-")?)?;
    Ok("stdin".to_owned())
}
