//! How things are printed: colours, numbers, declarations.

#[macro_use]
pub(super) mod print;

pub(super) mod declaration;
pub(super) mod progress;
pub(super) mod style;
pub(super) mod titles;
pub(super) mod values;
