//! A declaration meets a checkpoint: every key and every tensor that does not fit, in one error.

use std::collections::HashSet;

use camelid_checkpoint::{Checkpoint, Tensor};
use camelid_kernels::Backend;
use serde_json::{Map, Value as Json};

use crate::composed::loaded::fit::{fit, fit_names};
use crate::composed::loaded::head::has_its_own;
use crate::composed::model::Model;
use crate::doors::head::{head_of, tell_missing};
use crate::doors::names;
use crate::error::Error;
use crate::waist::architecture::Architecture;
use crate::waist::plan::Plan;
use crate::written::declaration::Declaration;

/// What a user waves through, by name.
#[derive(Debug, Clone, Default)]
pub struct Allow {
    /// Keys of config.json that may go unread.
    pub keys: Vec<String>,
    /// Tensors that may go unused, with `*` for any run of letters.
    pub tensors: Vec<String>,
}

impl Declaration {
    /// The architecture of a checkpoint read as this family.
    ///
    /// # Errors
    /// [`Error::Misfit`], which names every key and every tensor that does not fit.
    pub fn architecture(
        &self,
        config: &Map<String, Json>,
        checkpoint: &Checkpoint,
        allow: &Allow,
    ) -> Result<Architecture, Error> {
        // Keys that say how weights are packed mean nothing beside weights that are not; if they are, a tensor does not fit.
        let keys = if checkpoint.tensors().next().is_some() { self.packing.as_slice() } else { &[] };
        let allow = &Allow { keys: [&allow.keys, keys].concat(), tensors: allow.tensors.clone() };
        let (result, problems) = match self.resolve(config, &allow.keys) {
            Ok(architecture) => {
                let has = |name: &str| checkpoint.tensor(name).is_some();
                let mut architecture = self.unwrap.tensors(architecture, has);
                let plan = architecture.plan();
                let waved = plan.tied.as_ref().is_some_and(|head| allow.tensors.contains(&head.name));
                if !waved && has_its_own(&plan, checkpoint)? {
                    architecture.output.tie = false;
                }
                let mut problems = fit(&architecture, &architecture.plan(), checkpoint, &allow.tensors);
                tell_missing(self, &architecture, checkpoint, &mut problems);
                (Some(architecture), problems)
            }
            Err(mut unresolved) => {
                if let Some(architecture) = unresolved.architecture {
                    let has = |name: &str| checkpoint.tensor(name).is_some();
                    let architecture = self.unwrap.tensors(*architecture, has);
                    let plan = architecture.plan();
                    unresolved.problems.extend(fit(&architecture, &plan, checkpoint, &allow.tensors));
                } else if !unresolved.tensors.is_empty() {
                    let (names, head) = (&unresolved.tensors, head_of(self));
                    let (inert, allowed) = (&self.unread_tensors(), &allow.tensors);
                    let misfits = fit_names(names, head.as_deref(), inert, checkpoint, allowed);
                    unresolved.problems.extend(misfits);
                }
                (None, unresolved.problems)
            }
        };
        let place = checkpoint.path().display().to_string();
        match result {
            Some(architecture) if problems.is_empty() => Ok(architecture),
            _ => Err(Error::Misfit { place, family: self.name.clone(), problems }),
        }
    }

    /// The tensors of other parts of a larger model that a checkpoint holds beside those planned: they are not read.
    #[must_use]
    pub fn set_aside<'c>(&self, plan: &Plan, checkpoint: &'c Checkpoint) -> Vec<&'c str> {
        let parts: Vec<_> = self.parts.iter().filter_map(|text| glob::Pattern::new(text).ok()).collect();
        let own: HashSet<&str> = plan.tensors.iter().map(|planned| planned.name.as_str()).collect();
        let names = checkpoint.tensors().map(Tensor::name);
        names.filter(|name| parts.iter().any(|glob| glob.matches(name)) && !own.contains(name)).collect()
    }

    /// The checkpoint with its tensors under the family's names, and what was done to theirs; none where they are so called,
    /// or nothing helps.
    ///
    /// # Errors
    /// None but of a checkpoint that could not be made again from its own parts.
    pub fn renamed(
        &self,
        config: &Map<String, Json>,
        checkpoint: &Checkpoint,
        allow: &Allow,
    ) -> Result<Option<(Checkpoint, String)>, Error> {
        let keys = [&allow.keys[..], &self.packing].concat();
        let architecture = match self.resolve(config, &keys) {
            Ok(architecture) => Some(Box::new(architecture)),
            Err(unresolved) => unresolved.architecture,
        };
        let adapted = architecture.and_then(|architecture| {
            let has = |name: &str| checkpoint.tensor(name).is_some();
            names::adapted(&self.unwrap.tensors(*architecture, has).plan(), checkpoint)
        });
        let Some((tensors, note)) = adapted else { return Ok(None) };
        Ok(Some((Checkpoint::from_parts(checkpoint.path(), config.clone(), tensors)?, note)))
    }

    /// The model of a checkpoint read as this family.
    ///
    /// # Errors
    /// As [`Declaration::architecture`] and [`Model::load`].
    pub fn load(
        &self,
        config: &Map<String, Json>,
        checkpoint: &Checkpoint,
        backend: Backend,
        allow: &Allow,
    ) -> Result<Model, Error> {
        let architecture = self.architecture(config, checkpoint, allow)?;
        Model::load(architecture, checkpoint, backend, &allow.tensors, &mut |_, _| {})
    }
}
