//! The environment that transformers gives to chat templates.

use std::io::{self, Write};
use std::sync::LazyLock;

use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment};

use super::python::args::{LONGEST, wrong};
use super::python::{self, functions, number};
use super::source;

/// Steps that a template may take; one turn of a conversation takes some twenty.
pub(super) const FUEL: u64 = 10_000_000;

static SYNTAX: LazyLock<Option<SyntaxConfig>> =
    LazyLock::new(|| SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build().ok());

/// Everything but the template.
pub(super) fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    if let Some(syntax) = &*SYNTAX {
        environment.set_syntax(syntax.clone());
    }
    environment.set_fuel(Some(FUEL));
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.set_unknown_method_callback(python::method);
    environment.set_formatter(|out, state, value| match number::as_float(value) {
        Some(float) => write!(out, "{}", number::float(float)).map_err(|_| wrong("a text without end")),
        None => minijinja::escape_formatter(out, state, value),
    });
    python::filters::add(&mut environment);
    environment.add_function("raise_exception", functions::raise);
    environment.add_function("strftime_now", functions::now);
    environment.add_function(source::PERCENT, functions::percent);
    environment.add_function(source::EACH, functions::each);
    environment
}

/// A text that refuses to grow without end.
#[derive(Debug, Default)]
pub(super) struct Bounded(Vec<u8>);

impl Bounded {
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > LONGEST {
            return Err(io::Error::other(format!("the prompt is longer than {LONGEST} bytes")));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
