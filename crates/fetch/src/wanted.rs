//! The files of a model, and how far fetching them is.

use camelid_checkpoint::hub::Name;

/// The files of a model that are to be fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The model.
    pub name: Name,
    /// The commit that its revision is now.
    pub commit: String,
    /// The files that are needed.
    pub files: Vec<File>,
}

impl Wanted {
    /// Bytes of all files.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.size).sum()
    }
}

/// A file of a model's repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Its path there.
    pub path: String,
    /// Its bytes.
    pub size: u64,
    /// What it is called among the blobs.
    pub hash: Hash,
}

/// The hash of a file's content, in hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hash {
    /// Of large files: SHA-256.
    Sha256(String),
    /// Of small ones: Git's SHA-1 of `blob SIZE\0` and the content.
    Git(String),
}

impl Hash {
    /// Its digits.
    #[must_use]
    pub fn digits(&self) -> &str {
        match self {
            Hash::Sha256(digits) | Hash::Git(digits) => digits,
        }
    }
}

/// How far fetching is.
#[derive(Debug, Clone, Copy)]
pub struct Got<'f> {
    /// The file at hand.
    pub path: &'f str,
    /// Bytes of all files that are there.
    pub bytes: u64,
    /// Bytes of all files.
    pub of: u64,
}
