//! A declaration meets a checkpoint: every key and every tensor that does not fit, in one error.

use camelid_checkpoint::Checkpoint;
use camelid_kernels::Backend;
use serde_json::{Map, Value as Json};

use crate::composed::loaded::fit::{fit, fit_names};
use crate::composed::model::Model;
use crate::error::Error;
use crate::waist::architecture::Architecture;
use crate::written::declaration::Declaration;

/// What a user waves through, by name.
#[derive(Debug, Clone, Default)]
pub struct Allow {
    /// Keys of config.json that may go unread.
    pub keys: Vec<String>,
    /// Tensors that may go unused.
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
                let architecture =
                    self.unwrap.tensors(architecture, |name| checkpoint.tensor(name).is_some());
                let problems = fit(&architecture, &architecture.plan(), checkpoint, &allow.tensors);
                (Some(architecture), problems)
            }
            Err(mut unresolved) => {
                if let Some(architecture) = unresolved.architecture {
                    let has = |name: &str| checkpoint.tensor(name).is_some();
                    let architecture = self.unwrap.tensors(*architecture, has);
                    let plan = architecture.plan();
                    unresolved.problems.extend(fit(&architecture, &plan, checkpoint, &allow.tensors));
                } else if !unresolved.tensors.is_empty() {
                    let names = &unresolved.tensors;
                    unresolved.problems.extend(fit_names(
                        names,
                        &self.inert_tensors,
                        checkpoint,
                        &allow.tensors,
                    ));
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
