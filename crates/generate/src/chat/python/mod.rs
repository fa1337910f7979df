//! What templates take from Python: methods, printf, JSON, and Jinja's own filters and tests as its Python has them.

pub(super) mod args;
mod containers;
pub(super) mod filters;
pub(super) mod functions;
pub(super) mod json;
mod kinds;
pub(super) mod number;
mod printf;
mod search;
mod split;
pub(super) mod text;

use minijinja::value::ValueKind;
use minijinja::{Error, State, Value};
use minijinja_contrib::pycompat;

/// A method that the engine does not know.
pub(super) fn method(
    state: &mut State<'_, '_>,
    value: &Value,
    name: &str,
    args: &[Value],
) -> Result<Value, Error> {
    let own = match (value.kind(), value.as_str()) {
        (_, Some(text)) => text::method(text, name, args),
        (ValueKind::Seq | ValueKind::Iterable, None) => containers::of_list(value, name, args),
        (ValueKind::Map, None) => containers::of_table(value, name, args),
        (_, None) => None,
    };
    own.unwrap_or_else(|| pycompat::unknown_method_callback(state, value, name, args))
}
