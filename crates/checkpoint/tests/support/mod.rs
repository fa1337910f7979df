//! Folders and files that tests make and bend.
#![allow(dead_code, clippy::unwrap_used, reason = "each test uses its part, and fails by panicking")]

use std::path::{Path, PathBuf};

use camelid_checkpoint::{Checkpoint, Error};

/// A folder of named files that goes when the test ends.
pub(crate) struct Folder(tempfile::TempDir);

impl Folder {
    pub(crate) fn new(files: &[(&str, &[u8])]) -> Folder {
        let folder = Folder(tempfile::tempdir().unwrap());
        for (name, bytes) in files {
            std::fs::write(folder.file(name), bytes).unwrap();
        }
        folder
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    pub(crate) fn open(&self) -> Result<Checkpoint, Error> {
        Checkpoint::open(self.path())
    }

    /// The names in it, sorted.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.path()).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// Opening fails with a message that has all these parts.
    #[track_caller]
    pub(crate) fn refused(&self, parts: &[&str]) {
        let error = self.open().expect_err("a bent folder was opened").to_string();
        for part in parts {
            assert!(error.contains(part), "{part:?} is not in: {error}");
        }
    }
}

/// A `.safetensors` file with this header and as many zeros after it.
pub(crate) fn safetensors(header: &str, zeros: usize) -> Vec<u8> {
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header.as_bytes());
    file.resize(file.len() + zeros, 0);
    file
}

/// The header's entry of an F32 tensor.
pub(crate) fn f32_entry(name: &str, count: usize, start: usize) -> String {
    format!(r#""{name}":{{"dtype":"F32","shape":[{count}],"data_offsets":[{start},{}]}}"#, start + 4 * count)
}

/// A file of F32 tensors of one number each.
pub(crate) fn ones(names: &[&str]) -> Vec<u8> {
    let entries: Vec<_> =
        names.iter().enumerate().map(|(position, name)| f32_entry(name, 1, 4 * position)).collect();
    safetensors(&format!("{{{}}}", entries.join(",")), 4 * names.len())
}
