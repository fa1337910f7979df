//! One line of the report: a vocabulary under one call of its reference, and what came out.

use camelid_tokenizers::upstream::Speed;
use serde::Serialize;

use crate::commands::output::style::{bad, good};

/// One vocabulary under one reference call.
#[derive(Debug, Serialize)]
pub struct Row {
    /// The vocabulary's folder.
    pub vocabulary: String,
    /// The family whose settings were used; none for a bare file.
    pub family: Option<String>,
    /// The reference's call: `spm`, `hf`, `tiktoken`, `tiktoken-special`; `folder` for a folder as people have it.
    pub call: String,
    /// What came out; none where the vocabulary is not at hand.
    pub score: Option<Score>,
    /// Megabytes a second, beside the upstream library's.
    pub speed: Option<Speed>,
}

/// What came out.
#[derive(Debug, Default, Serialize)]
pub struct Score {
    /// Strings whose ids and decoded text are the reference's.
    pub equal: usize,
    /// All strings.
    pub all: usize,
    /// Bytes of strings that decode to themselves.
    pub returned_bytes: usize,
    /// Bytes of all strings.
    pub bytes: usize,
    /// What differs, in words.
    pub differences: Vec<String>,
}

impl Score {
    /// Whether something ran and all of it was equal.
    pub fn passed(&self) -> bool {
        self.all > 0 && self.equal == self.all
    }

    pub(in crate::commands) fn equal_of_all(&self) -> String {
        let text = format!("{}/{}", self.equal, self.all);
        if self.passed() { good(text) } else { bad(text) }
    }

    pub(in crate::commands) fn round_trip(&self) -> String {
        format!("{}/{} B", self.returned_bytes, self.bytes)
    }
}
