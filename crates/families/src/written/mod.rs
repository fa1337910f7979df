//! A family as written: TOML, formulas and templates, each with its place, and what a file inherits.

pub(crate) mod declaration;
pub(crate) mod expr;
pub(crate) mod file;
pub(crate) mod formula;
pub(crate) mod library;
pub(crate) mod out;
pub(crate) mod said;
pub(crate) mod slips;
pub(crate) mod template;
pub(crate) mod unwrap;
pub(crate) mod words;
