//! The environment that transformers gives to chat templates.

use std::io::{self, Write};
use std::sync::LazyLock;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Kwargs;
use minijinja::{AutoEscape, Environment, Error, ErrorKind};

use super::python;

/// Steps that a template may take; one turn of a conversation takes some twenty.
pub(super) const FUEL: u64 = 10_000_000;
/// A prompt may be this long, in bytes.
const LONGEST: usize = 64 << 20;

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
    environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
    environment.add_filter("tojson", to_json);
    environment.add_function("raise_exception", raise);
    environment.add_function("strftime_now", now);
    environment
}

/// `{% generation %} … {% endgeneration %}` marks what the assistant said, for training. Here it is a plain block.
pub(super) fn without_generation_tags(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(start) = rest.find("{%") {
        let (before, tag) = rest.split_at(start);
        let Some(end) = tag.find("%}") else { break };
        let (tag, after) = tag.split_at(end + 2);
        let word = tag.trim_start_matches("{%").trim_end_matches("%}");
        let word = word.trim_matches(|c: char| c.is_whitespace() || c == '-' || c == '+');
        out.push_str(before);
        out.push_str(&match word {
            "generation" => tag.replace("generation", "if true"),
            "endgeneration" => tag.replace("endgeneration", "endif"),
            _ => tag.to_owned(),
        });
        rest = after;
    }
    out.push_str(rest);
    out
}

fn raise(message: String) -> Result<String, Error> {
    Err(Error::new(ErrorKind::InvalidOperation, format!("the template refuses: {message}")))
}

fn now(format: &str) -> Result<String, Error> {
    let wrong = |error| Error::new(ErrorKind::InvalidOperation, format!("strftime_now({format:?}): {error}"));
    jiff::fmt::strtime::format(format, &jiff::ZonedDateTime::now()).map_err(wrong)
}

/// Python's `json.dumps(value, ensure_ascii=False)`, with an indent where one is asked for.
fn to_json(value: minijinja::Value, options: Kwargs) -> Result<String, Error> {
    let indent: Option<usize> = options.get("indent")?;
    let _: Option<bool> = options.get("ensure_ascii")?;
    options.assert_all_used()?;
    let json = serde_json::to_value(&value)
        .map_err(|error| Error::new(ErrorKind::BadSerialization, error.to_string()))?;
    Ok(python::dumps(&json, indent.map(|indent| indent.min(80))))
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
