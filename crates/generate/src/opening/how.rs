//! What is to be opened, for what, and what stands beside weights that make no text.

use std::path::{Path, PathBuf};

use camelid_checkpoint::gguf::{Metadata, Value as Meta};
use camelid_checkpoint::{Mapping, hub};
use camelid_families::Allow;

use crate::Error;

/// How to open a checkpoint.
#[derive(Debug, Clone, Default)]
pub struct How {
    /// The family, where it is not to be told from config.json.
    pub family: Option<String>,
    /// Whether files are mapped or read.
    pub mapping: Mapping,
    /// Keys and tensors that are waved through.
    pub allow: Allow,
    /// What it is opened for.
    pub purpose: Purpose,
}

/// What a checkpoint is opened for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Purpose {
    /// To run it: one that makes no text is refused.
    #[default]
    Text,
    /// To look at it: what would be refused is told in the notes, and what is not needed may be absent.
    Look,
}

/// What sentence-transformers' files say.
pub(crate) const POOLED: &str =
    "an embedding model (sentence-transformers' modules.json or 1_Pooling says so): it makes no text";

/// Whether sentence-transformers' files beside the weights say that a text becomes one vector.
pub(crate) fn is_pooled(folder: &Path) -> bool {
    let modules = folder.join("modules.json");
    let small = std::fs::metadata(&modules).is_ok_and(|file| file.is_file() && file.len() < 1 << 20);
    folder.join("1_Pooling").is_dir()
        || small && std::fs::read_to_string(&modules).is_ok_and(|text| text.contains("Pooling"))
}

/// What the metadata of a GGUF file say that makes no text.
pub(crate) fn makes_no_text(metadata: &Metadata) -> Option<String> {
    let architecture = metadata.get("general.architecture").and_then(Meta::as_str)?;
    let own = |key: &str| metadata.get(&format!("{architecture}.{key}"));
    match own("pooling_type").and_then(Meta::as_u64) {
        Some(4) => Some("a model that ranks (pooling_type 4): it makes no text".to_owned()),
        Some(kind) if kind > 0 => Some(format!("an embedding model (pooling_type {kind}): it makes no text")),
        Some(_) | None => match own("attention.causal") {
            Some(Meta::Bool(false)) => {
                Some("an encoder (attention.causal is false): it makes no text".to_owned())
            }
            Some(_) | None => None,
        },
    }
}

/// The path of a model: as given, else as a name of the hub's, in the local cache.
///
/// # Errors
/// [`Error::NoModel`] says what it is not.
pub fn locate(model: &str) -> Result<PathBuf, Error> {
    let path = Path::new(model);
    if path.exists() {
        return Ok(path.to_owned());
    }
    let no_model = |also: Option<String>| Err(Error::NoModel { name: model.to_owned(), also });
    let own_path = model.starts_with(['.', '/', '~']);
    let of_hub = !own_path && model.parse::<hub::Name>().is_ok();
    if !of_hub && !own_path && model.rsplit('/').next().is_some_and(|name| name.contains(':')) {
        return no_model(Some(
            "as a name of ollama's it is not looked up: name its file, ~/.ollama/models/blobs/sha256-…"
                .into(),
        ));
    }
    if !of_hub {
        return no_model(None);
    }
    hub::resolve(model).or_else(|error| {
        let error = error.to_string();
        let reason = error.strip_prefix(&format!("{model}: ")).unwrap_or(&error);
        no_model(Some(format!("as a name of the hub, {reason}")))
    })
}

pub(crate) fn told(path: &Path, error: camelid_families::Error) -> Error {
    match error {
        camelid_families::Error::Undetected(message) => Error::File { path: path.to_owned(), message },
        other => other.into(),
    }
}
