//! What a path leads to: a folder, or a GGUF file. A file of a folder's stands for its folder.

use std::path::{Path, PathBuf};

use super::listing::list;
use super::near;
use super::things::{self, OPENING, told};
use crate::{Error, Mapping, Source, gguf, hub};

/// Where a checkpoint lies.
pub(super) enum Place {
    Gguf(PathBuf),
    Folder {
        folder: PathBuf,
        /// The file in it that was named in its place.
        file: Option<String>,
    },
}

pub(super) fn find(path: &Path) -> Result<Place, Error> {
    let metadata = std::fs::metadata(path);
    let metadata = metadata.map_err(|source| Error::Io { path: path.to_owned(), source })?;
    if metadata.is_dir() {
        let folder = hub::snapshot(path).unwrap_or_else(|| path.to_owned());
        return Ok(Place::Folder { folder, file: None });
    }
    let source = Source::open(path, Mapping::Read)?;
    let opening = source.read(0..source.len().min(OPENING))?;
    if opening.starts_with(gguf::MAGIC) {
        return Ok(Place::Gguf(path.to_owned()));
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        Some(_) | None => Path::new("."),
    };
    let names = list(folder).unwrap_or_default();
    let weights = things::is_safetensors(&opening) || things::is_torch(&opening);
    let json = name.ends_with(".json") && opening.trim_ascii_start().starts_with(b"{");
    let has_config = names.iter().any(|name| name == "config.json");
    if (weights || json) && has_config {
        let file = weights.then_some(name);
        return Ok(Place::Folder { folder: folder.to_owned(), file });
    }
    Err(refusal(path, folder, &names, &opening))
}

/// Why a file that stands for no folder is not read.
fn refusal(path: &Path, folder: &Path, names: &[String], opening: &[u8]) -> Error {
    let model = folder.parent().filter(|_| folder.file_name().is_some_and(|name| name == "blobs"));
    if let Some(model) = model.filter(|model| hub::snapshot(model).is_some()) {
        let problem = format!("a file of the hub's cache; name its model's folder, {}", model.display());
        return Error::unsupported(path, problem);
    }
    if let Some(blob) = near::of_manifest(path) {
        return Error::unsupported(
            path,
            format!("a manifest of ollama's; name the model's file, {}", blob.display()),
        );
    }
    if things::is_safetensors(opening) {
        let problem = "weights without a config.json beside them, which says what they are of".to_owned();
        return Error::unsupported(path, problem);
    }
    let layout = things::is_torch(opening).then(|| things::of_names(names)).flatten();
    let problem = layout.map(|row| format!("part of {}; {}", row.is, row.advice)).or_else(|| told(opening));
    let unknown = "neither GGUF nor a file of a folder with a config.json; name one of these";
    Error::unsupported(path, problem.unwrap_or_else(|| unknown.to_owned()))
}
