//! The cache of one model, laid out as Hugging Face's client lays it out.
//!
//! ```text
//! models--ORG--NAME/blobs/HASH                the files; HASH.incomplete while one is fetched
//! models--ORG--NAME/snapshots/COMMIT/PATH     links to them
//! models--ORG--NAME/refs/REVISION             the commit that a branch or a tag was
//! .locks/models--ORG--NAME/HASH.lock          held by whoever fetches the file
//! ```

use std::fs::File as Handle;
use std::path::{Path, PathBuf};

use camelid_checkpoint::hub::Name;
use camelid_checkpoint::write_file;

use crate::Error;
use crate::error::io;
use crate::wanted::File;

/// The folders of one model.
pub(crate) struct Cache {
    folder: PathBuf,
    locks: PathBuf,
}

impl Cache {
    /// The folders, made where they are not there.
    pub(crate) fn new(cache: &Path, name: &Name) -> Result<Cache, Error> {
        let folder = cache.join(name.folder());
        let locks = cache.join(".locks").join(name.folder());
        for folder in [&folder.join("blobs"), &locks] {
            std::fs::create_dir_all(folder).map_err(io(folder))?;
        }
        Ok(Cache { folder, locks })
    }

    /// Where a file's content goes.
    pub(crate) fn blob(&self, file: &File) -> PathBuf {
        self.folder.join("blobs").join(file.hash.digits())
    }

    /// Whether a file is there, whole.
    pub(crate) fn has(&self, file: &File) -> bool {
        std::fs::metadata(self.blob(file)).is_ok_and(|found| found.len() == file.size)
    }

    /// Waits until nobody else fetches a file; while the handle lives, nobody else does.
    pub(crate) fn lock(&self, file: &File) -> Result<Handle, Error> {
        let path = self.locks.join(format!("{}.lock", file.hash.digits()));
        let lock = Handle::options().create(true).append(true).open(&path).map_err(io(&path))?;
        lock.lock().map_err(io(&path))?;
        Ok(lock)
    }

    /// The folder of a commit's files.
    pub(crate) fn snapshot(&self, commit: &str) -> PathBuf {
        self.folder.join("snapshots").join(commit)
    }

    /// Puts a file that is there into a commit's folder.
    pub(crate) fn link(&self, commit: &str, file: &File) -> Result<(), Error> {
        let path = self.snapshot(commit).join(&file.path);
        if path.is_file() {
            return Ok(());
        }
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(io(folder))?;
        }
        // A link that leads nowhere is in the way.
        if path.symlink_metadata().is_ok() {
            std::fs::remove_file(&path).map_err(io(&path))?;
        }
        let up = "../".repeat(file.path.split('/').count() + 1);
        let target = format!("{up}blobs/{}", file.hash.digits());
        symlink(Path::new(&target), &path)
            .or_else(|_| std::fs::copy(self.blob(file), &path).map(|_| ()))
            .map_err(io(&path))
    }

    /// Notes which commit a branch or a tag is.
    pub(crate) fn name(&self, revision: &str, commit: &str) -> Result<(), Error> {
        if revision == commit {
            return Ok(());
        }
        let path = self.folder.join("refs").join(revision);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(io(folder))?;
        }
        Ok(write_file(&path, commit.as_bytes())?)
    }
}

#[cfg(unix)]
fn symlink(target: &Path, path: &Path) -> std::io::Result<()> {
    std::os::unix::fs::symlink(target, path)
}

#[cfg(windows)]
fn symlink(target: &Path, path: &Path) -> std::io::Result<()> {
    std::os::windows::fs::symlink_file(target, path)
}
