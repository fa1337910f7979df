//! The names in a folder.

use std::path::Path;

use crate::Error;

/// The names in a folder, sorted; those of folders end in `/`. Names that are not Unicode are none of ours.
pub(super) fn list(folder: &Path) -> Result<Vec<String>, Error> {
    let io = |source| Error::Io { path: folder.to_owned(), source };
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(io)? {
        let entry = entry.map_err(io)?;
        let slash = if entry.path().is_dir() { "/" } else { "" };
        names.extend(entry.file_name().into_string().map(|name| name + slash));
    }
    names.sort();
    Ok(names)
}
