//! A checkpoint in another form: which, written how, proved by what.

mod args;
mod beside;
mod choose;
pub mod convert;
mod proof;
mod python;
mod record;
mod staged;
mod vocabulary;
mod weights;
mod written;
