//! How a family is verified, the form that a case is of, and the model of a changed architecture.

use camelid_families::{Allow, Architecture, Backend, Declaration, Library, Model};

use super::case::Case;
use crate::parallel;

/// How a family is verified.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where and how one case is computed.
    pub backend: Backend,
    /// Keys and tensors that are waved through, by name.
    pub allow: Allow,
    /// How far verification goes.
    pub depth: Depth,
    /// How many cases, or changes in a proof, run at a time.
    pub threads: usize,
}

/// How far verification goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// The family equals its original.
    Compare,
    /// And every word of its declaration bites.
    Prove,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            backend: Backend::serial(),
            allow: Allow::default(),
            depth: Depth::Compare,
            threads: parallel::cores(),
        }
    }
}

/// Hears of each piece of work that is done: how many of how many, and which.
pub type Progress<'a> = &'a (dyn Fn(usize, usize, &str) + Sync);

/// The form of a family that a case is of: the one whose rule accepts it, else the family itself.
#[must_use]
pub fn form<'a>(library: &'a Library, family: &'a Declaration, case: &Case) -> &'a Declaration {
    let forms: Vec<&Declaration> = library.forms(&family.name).collect();
    forms.into_iter().find(|form| form.accepts(&case.config)).unwrap_or(family)
}

/// The model of a changed architecture over a case's checkpoint; tensors that are left over are waved through.
pub(crate) fn loaded(architecture: &Architecture, case: &Case, backend: &Backend) -> Option<Model> {
    let surplus =
        Allow { tensors: case.checkpoint.tensors().map(|t| t.name().to_owned()).collect(), keys: Vec::new() };
    Model::load(architecture.clone(), &case.checkpoint, backend.clone(), &surplus.tensors, &mut |_, _| {})
        .ok()
}
