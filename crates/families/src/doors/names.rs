//! A checkpoint's tensors under the names that the family gives them, where the file's names begin otherwise.
//!
//! Programs that wrap a model save it under the wrapper's name (`module.`, `_orig_mod.`, `pretrained_model.`), and a model
//! saved without its head lacks the name of the whole (`model.`). The embedding, of which every model has one, tells which.

use std::collections::{BTreeMap, HashSet};

use camelid_checkpoint::{Checkpoint, Tensor};

use crate::waist::plan::Plan;

/// What wrappers put before any part of a name.
const WITHIN: [&str; 4] =
    ["_orig_mod.", "_fsdp_wrapped_module.", "_checkpoint_wrapped_module.", "_forward_module."];

/// The tensors by the family's names, and what was done to theirs; none where nothing is to be done, or nothing helps.
pub(crate) fn adapted(plan: &Plan, checkpoint: &Checkpoint) -> Option<(Vec<Tensor>, String)> {
    let embedding = plan.tensors.first()?.name.as_str();
    let wrapped = |tensor: &Tensor| WITHIN.iter().any(|part| tensor.name().contains(part));
    if checkpoint.tensor(embedding).is_some() && !checkpoint.tensors().any(wrapped) {
        return None;
    }
    let bare = |name: &str| WITHIN.iter().fold(name.to_owned(), |name, part| name.replace(part, ""));
    let names: Vec<String> = checkpoint.tensors().map(|tensor| bare(tensor.name())).collect();
    let change = Change::between(&names, embedding)?;
    let planned = plan.tensors.iter().chain(&plan.tied);
    let planned: HashSet<&str> = planned.map(|planned| planned.name.as_str()).collect();
    let mut renamed = BTreeMap::new();
    let mut first = None;
    for (tensor, bare) in checkpoint.tensors().zip(&names) {
        let name = change.apply(bare, &planned);
        if tensor.name() != name && planned.contains(name.as_str()) {
            first.get_or_insert((tensor.name(), name.clone()));
        }
        // Two tensors of one name: then this is not how they are called.
        if renamed.insert(name.clone(), tensor.renamed(&name)).is_some() {
            return None;
        }
    }
    let (theirs, ours) = first?;
    let note =
        format!("tensors are called otherwise than the family's: `{theirs}` is read as `{ours}`, and so on");
    Some((renamed.into_values().collect(), note))
}

/// What is taken from the beginning of names, and what is put there.
struct Change {
    taken: String,
    put: String,
}

impl Change {
    /// From the names of a file to the family's, by its embedding.
    fn between(names: &[String], embedding: &str) -> Option<Change> {
        let root = embedding.find('.').map_or("", |point| &embedding[..=point]);
        for (put, sought) in [("", embedding), (root, &embedding[root.len()..])] {
            let ends = |name: &&String| {
                name.strip_suffix(sought).is_some_and(|taken| taken.is_empty() || taken.ends_with('.'))
            };
            let mut found = names.iter().filter(ends);
            if let (Some(name), None) = (found.next(), found.next()) {
                let taken = name[..name.len() - sought.len()].to_owned();
                return Some(Change { taken, put: put.to_owned() });
            }
        }
        None
    }

    fn apply(&self, name: &str, planned: &HashSet<&str>) -> String {
        let name = name.strip_prefix(&self.taken).unwrap_or(name);
        if planned.contains(name) { name.to_owned() } else { format!("{}{name}", self.put) }
    }
}
