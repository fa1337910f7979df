//! Where a run first leaves the reference: stage by stage, each from the same input.

mod components;
mod track;

pub(crate) use components::components;
pub(crate) use track::{Fault, Track, Until};
