//! What lies one step away from a place that holds no weights: the hub's cache, ollama's store, folders of models.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::listing::list;
use super::things::OPENING;
use super::weights;
use crate::{Mapping, Source, hub, parse_json};

/// So many are named.
const MOST: usize = 3;
/// So deep is looked, and at so many names in all.
const DEEPEST: usize = 4;
const WIDEST: usize = 2000;

/// Up to three folders or files below a folder that could be opened.
pub(super) fn below(folder: &Path) -> Vec<String> {
    let mut search = Search { found: Vec::new(), seen: 0 };
    search.walk(folder, 0);
    search.found
}

struct Search {
    found: Vec<String>,
    seen: usize,
}

impl Search {
    fn walk(&mut self, folder: &Path, depth: usize) {
        let Ok(names) = list(folder) else { return };
        let is_store =
            names.iter().any(|name| name == "manifests/") && names.iter().any(|name| name == "blobs/");
        for name in &names {
            self.seen += 1;
            if self.found.len() == MOST || self.seen > WIDEST {
                return;
            }
            match name.strip_suffix('/') {
                Some(inner)
                    if depth < DEEPEST && !name.starts_with('.') && !(is_store && inner == "blobs") =>
                {
                    self.folder(&folder.join(inner), depth + 1);
                }
                None if depth > 0 && name.ends_with(".gguf") && !name.starts_with('.') => {
                    self.found.push(folder.join(name).display().to_string());
                }
                Some(_) => {}
                None => {
                    self.found.extend(of_manifest(&folder.join(name)).map(|blob| blob.display().to_string()));
                }
            }
        }
    }

    fn folder(&mut self, folder: &Path, depth: usize) {
        let names = list(folder).unwrap_or_default();
        let weighs =
            names.iter().any(|name| name == "config.json") && !weights::candidates(&names).is_empty();
        if weighs || hub::snapshot(folder).is_some() {
            self.found.push(folder.display().to_string());
        } else {
            self.walk(folder, depth);
        }
    }
}

/// The file of the model that a manifest of ollama's lists: STORE/blobs/sha256-….
pub(super) fn of_manifest(path: &Path) -> Option<PathBuf> {
    let store = path
        .ancestors()
        .find(|folder| folder.file_name().is_some_and(|name| name == "manifests"))?
        .parent()?;
    let source = Source::open(path, Mapping::Read).ok().filter(|source| source.len() <= 64 * OPENING)?;
    let manifest = parse_json(path, &source.read(0..source.len()).ok()?).ok()?;
    let is_model = |layer: &&Value| {
        layer.get("mediaType").and_then(Value::as_str).is_some_and(|kind| kind.ends_with(".image.model"))
    };
    let digest = manifest.get("layers")?.as_array()?.iter().find(is_model)?.get("digest")?.as_str()?;
    let hash = digest.strip_prefix("sha256:")?;
    if !hash.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    Some(store.join("blobs").join(format!("sha256-{hash}"))).filter(|blob| blob.is_file())
}
