//! A result in the making: under a hidden name beside its own, until it is whole.

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use camelid_checkpoint::write_file;

/// A hidden folder beside the result's, which goes when it is dropped.
#[derive(Debug)]
pub(super) struct Staged {
    hidden: PathBuf,
    out: PathBuf,
    /// A GGUF file is one file in the hidden folder.
    file: bool,
}

impl Staged {
    /// Makes the hidden folder.
    ///
    /// # Errors
    /// The result is there already, or its folder can't be written.
    pub(super) fn beside(out: &Path, file: bool) -> anyhow::Result<Staged> {
        let taken = if file { out.to_owned() } else { out.join("config.json") };
        ensure!(!taken.exists(), "{}: it is there already", taken.display());
        ensure!(file || !out.is_file(), "{}: it is a file; --out names a folder", out.display());
        let weights =
            |entry: std::fs::DirEntry| entry.path().extension().is_some_and(|end| end == "safetensors");
        let holds = !file && out.read_dir().is_ok_and(|mut all| all.any(|entry| entry.is_ok_and(weights)));
        ensure!(!holds, "{}: it holds weights already", out.display());
        let name = out.file_name().with_context(|| format!("{}: it has no name", out.display()))?;
        let parent = out.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        std::fs::create_dir_all(parent).with_context(|| parent.display().to_string())?;
        let hidden = parent.join(format!(".{}.{}.partial", name.to_string_lossy(), std::process::id()));
        std::fs::create_dir(&hidden).with_context(|| hidden.display().to_string())?;
        Ok(Staged { hidden, out: out.to_owned(), file })
    }

    /// Where the result is until it has its name.
    pub(super) fn path(&self) -> PathBuf {
        if self.file { self.hidden.join("model.gguf") } else { self.hidden.clone() }
    }

    /// Writes a file of the folder.
    pub(super) fn file(&self, name: &str, text: &str) -> anyhow::Result<()> {
        Ok(write_file(&self.hidden.join(name), text.as_bytes())?)
    }

    /// Gives the result its name: a folder at once, or where one is there already, file by file, config.json last.
    ///
    /// # Errors
    /// A file can't be moved; those that were are taken back.
    pub(super) fn finish(&self) -> anyhow::Result<()> {
        if self.file {
            ensure!(!self.out.exists(), "{}: it is there already", self.out.display());
            return std::fs::rename(self.path(), &self.out).with_context(|| self.out.display().to_string());
        }
        if !self.out.exists() {
            return std::fs::rename(&self.hidden, &self.out).with_context(|| self.out.display().to_string());
        }
        let mut names = Vec::new();
        for entry in self.hidden.read_dir().with_context(|| self.hidden.display().to_string())? {
            names.push(entry?.file_name());
        }
        names.sort_by_key(|name| name == "config.json");
        let mut moved: Vec<PathBuf> = Vec::new();
        for name in names {
            let to = self.out.join(&name);
            let done = match to.exists() {
                true => Err(std::io::Error::from(std::io::ErrorKind::AlreadyExists)),
                false => std::fs::rename(self.hidden.join(&name), &to),
            };
            if let Err(error) = done {
                for path in moved {
                    // The error at hand is the one to tell; that a file can't be removed follows from it.
                    let _ = std::fs::remove_file(path);
                }
                return Err(error).with_context(|| to.display().to_string());
            }
            moved.push(to);
        }
        Ok(())
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        // What was renamed is gone from here; what remains is of no use to anybody.
        let _ = std::fs::remove_dir_all(&self.hidden);
    }
}
