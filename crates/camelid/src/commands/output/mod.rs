//! How things are printed: colours, numbers, declarations.

pub(super) mod declaration;
pub(super) mod progress;
pub(super) mod style;
pub(super) mod values;

/// Something that is to be known beside the result, on standard error.
pub(super) fn note(text: &str) {
    anstream::eprintln!("{}", style::dim(format!("note: {text}")));
}
